import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/*
 * A server made of frames written and read by hand, apart from the code under test: it does whatever a test wants,
 * however wrong. Source: RFC 9113.
 */

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const prefaceBytes = 24;

export function rawFrame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

export const dataFrame = (stream: number, payload: Uint8Array, flags = 0) => rawFrame(0, flags, stream, payload);
export const rstFrame = (stream: number, code: number) => rawFrame(3, 0, stream, numbers(code));
export const goawayFrame = (last: number, code: number) => rawFrame(7, 0, 0, numbers(last, code));
export const windowFrame = (stream: number, bytes: number) => rawFrame(8, 0, stream, numbers(bytes));

export function settingsFrameOf(...settings: [id: number, value: number][]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [index, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return rawFrame(4, 0, 0, payload);
}

/** A header block with literals only. Names and values shorter than 127 bytes. */
export function plainBlock(...fields: [name: string, value: string][]): Buffer {
  const text = (string: string) => [string.length, ...Buffer.from(string, 'latin1')];
  return Buffer.from(fields.flatMap(([name, value]) => [0, ...text(name), ...text(value)]));
}

/** HEADERS that are whole; `flags`: 1 ends the stream. */
export function headersFrame(stream: number, flags: number, ...fields: [name: string, value: string][]): Buffer {
  return rawFrame(1, 4 | flags, stream, plainBlock(...fields));
}

/** The frames in bytes, and what is left. */
export function framesOf(bytes: Buffer): { frames: RawFrame[]; rest: Buffer } {
  const frames: RawFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const stream = bytes.readUInt32BE(at + 5);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, stream, payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** One connection of a client, as the server has it. */
export class RawPeer {
  readonly socket: Socket;
  /** Resolves when the client has hung up. */
  readonly gone: Promise<void>;
  private unread: RawFrame[] = [];
  private rest = Buffer.alloc(0);
  private preface = true;
  private ended = false;
  private heard: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => this.read(bytes));
    this.gone = new Promise((resolve) => {
      socket.once('close', () => {
        this.ended = true;
        this.heard();
        resolve();
      });
    });
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The next frame of a type that was not given yet; those of other types stay. */
  async next(type: number): Promise<RawFrame> {
    for (;;) {
      const index = this.unread.findIndex((frame) => frame.type === type);
      if (index >= 0) return this.unread.splice(index, 1)[0]!;
      if (this.ended) throw new Error(`the client hung up without a frame of type ${type}`);
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
    }
  }

  /** What was not given yet. */
  get pending(): readonly RawFrame[] {
    return this.unread;
  }

  private read(bytes: Buffer): void {
    let all = Buffer.concat([this.rest, bytes]);
    if (this.preface && all.length >= prefaceBytes) {
      all = all.subarray(prefaceBytes);
      this.preface = false;
    }
    const { frames, rest } = this.preface ? { frames: [], rest: all } : framesOf(all);
    this.unread.push(...frames);
    this.rest = Buffer.from(rest);
    this.heard();
  }
}

/** A server; `greeting` is sent to each client at once. Default: empty settings. */
export async function rawServer({
  greeting = settingsFrameOf(),
  host = '127.0.0.1',
}: {
  readonly greeting?: Buffer;
  readonly host?: string;
} = {}): Promise<{ readonly port: number; accept(): Promise<RawPeer> }> {
  const peers: RawPeer[] = [];
  let came: () => void = () => undefined;
  const server = createServer((socket) => {
    onClose(socket);
    socket.write(greeting);
    peers.push(new RawPeer(socket));
    came();
  });
  const sockets = new Set<Socket>();
  const onClose = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const accept = async () => {
    while (peers.length === 0) {
      await new Promise<void>((resolve) => {
        came = resolve;
      });
    }
    return peers.shift()!;
  };
  return { port: (server.address() as AddressInfo).port, accept };
}
