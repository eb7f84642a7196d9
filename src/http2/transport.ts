import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import { type Memory, OwnMemory } from './memory.js';
import { ReadMemory } from './read-memory.js';

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  /** TLS, with these; plain TCP without. */
  readonly tls: SecureContextOptions | undefined;
}

export interface TransportListener {
  connected(): void;
  /** So many bytes came, at the beginning of `memory`. */
  read(memory: Memory, length: number): void;
  /** What was written has left, after `write` had said that it is full. */
  drained(): void;
  /** Called once, also when the connection could not be made; without an error when the other end hung up. */
  closed(error: Error | undefined): void;
}

// How long what was written last may take to leave.
const lingerMs = 1000;

/** A TCP or TLS connection. */
export class Transport {
  private readonly socket: Socket;

  constructor({ host, port, tls }: TransportOptions, listener: TransportListener) {
    let failure: Error | undefined;
    this.socket = tls === undefined ? plainSocket(host, port, listener) : tlsSocket(host, port, tls);
    this.socket.setNoDelay(true);
    if (tls === undefined) this.socket.once('connect', () => listener.connected());
    else {
      this.socket.once('secureConnect', () => listener.connected());
      // TLS cannot read into memory given to it.
      this.socket.on('data', (bytes: Buffer) => listener.read(new OwnMemory(bytes), bytes.length));
    }
    this.socket.on('drain', () => listener.drained());
    this.socket.on('error', (error) => {
      failure = error;
    });
    this.socket.once('end', () => this.socket.destroy());
    this.socket.once('close', () => listener.closed(failure));
  }

  /** Bytes that wait to leave. */
  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  /** Undefined without TLS; false where the other end chose none. */
  get protocol(): string | false | undefined {
    return (this.socket as { alpnProtocol?: string | false }).alpnProtocol;
  }

  /** False: full; `drained` tells when it is not. */
  write(pieces: readonly Buffer[]): boolean {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded) return true;
    if (pieces.length === 1) return socket.write(pieces[0]!);
    let hasRoom = true;
    socket.cork();
    for (const piece of pieces) hasRoom = socket.write(piece);
    socket.uncork();
    return hasRoom;
  }

  /** Sends what was written, then hangs up; soon, even if the other end takes nothing. */
  end(): void {
    const { socket } = this;
    socket.destroySoon();
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function plainSocket(host: string, port: number, listener: TransportListener): Socket {
  const memory = new ReadMemory();
  return connectTcp({
    host,
    port,
    onread: {
      buffer: () => memory.next,
      callback: (length) => {
        memory.filled(length, (piece) => listener.read(piece, length));
        return true;
      },
    },
  });
}

function tlsSocket(host: string, port: number, tls: SecureContextOptions): Socket {
  return connectTls({ ...tls, host, port, ALPNProtocols: ['h2'], ...(isIP(host) === 0 ? { servername: host } : {}) });
}
