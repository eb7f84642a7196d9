import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { MeshError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { allowsOrigin } from './origin.js';
import { subProtocols } from './protocol.js';

export interface ViewerPortOptions {
  readonly host: string;
  readonly port: number;
  readonly origins: readonly string[];
  readonly maxViewers: number;
  readonly maxMessageBytes: number;
  readonly logger: Logger;
  /** A viewer is there; `name` is its address. */
  connected(socket: WebSocket, name: string): void;
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
}

// Connections that are about to become viewers, or to be told why not.
const spareConnections = 16;
const handshakeMs = 5000;

/** The port that viewers connect to. */
export class ViewerPort {
  /** Connections that were turned away. */
  refused = 0;
  private readonly options: ViewerPortOptions;
  private readonly http: Server;
  private readonly sockets: WebSocketServer;

  constructor(options: ViewerPortOptions) {
    this.options = options;
    this.http = createServer({ headersTimeout: handshakeMs, requestTimeout: handshakeMs }, (_, response) => {
      response.writeHead(426, { 'content-type': 'text/plain', connection: 'close' });
      response.end(`furrow speaks Foxglove's WebSocket protocol here; open ${this.url} in Foxglove.\n`);
    });
    this.http.maxConnections = options.maxViewers + spareConnections;
    this.sockets = new WebSocketServer({
      server: this.http,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      clientTracking: true,
      handleProtocols: (offered) => subProtocols.find((name) => offered.has(name)) ?? false,
      verifyClient: ({ origin, req }: { origin?: string; req: IncomingMessage }, answer) => {
        const refusal = this.refusal(origin, req);
        if (refusal === undefined) return answer(true);
        this.refused += 1;
        options.logger.warn(`a Foxglove viewer at ${nameOf(req)} was turned away: ${refusal.reason}`);
        answer(false, refusal.status, refusal.reason);
      },
    });
    this.sockets.on('connection', (socket, request) => options.connected(socket, nameOf(request)));
    // Errors of listening come from the HTTP server, too, where `listen` awaits them.
    this.sockets.on('error', () => undefined);
  }

  get url(): string {
    const { host } = this.options;
    const name = host === '127.0.0.1' || host === '::1' ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host;
    return `ws://${name}:${(this.http.address() as AddressInfo | null)?.port ?? this.options.port}`;
  }

  /** Errors: see `FoxgloveServer.start`. */
  async listen(): Promise<void> {
    const { host, port, logger } = this.options;
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new MeshError(
        'invalid-argument',
        `port ${port} does not exist; take one from 1 to 65535, or 0 for a free one`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      this.http.once('error', (error) => reject(listenError(error, host, port)));
      this.http.listen(port, host, resolve);
    });
    const { address } = this.http.address() as AddressInfo;
    if (isLoopback(address)) return;
    logger.warn(
      `${host} can be reached from other machines: anybody there can see every event and call every service of the mesh`,
    );
  }

  /** Takes no more connections; resolves when all are gone, at the latest a little after `limitMs`. */
  async close(limitMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.sockets.close();
    const limit = setTimeout(() => {
      for (const socket of this.sockets.clients) socket.terminate();
      this.http.closeAllConnections();
    }, limitMs);
    await closed;
    clearTimeout(limit);
  }

  private refusal(origin: string | undefined, request: IncomingMessage): Refusal | undefined {
    const { origins, maxViewers } = this.options;
    if (!allowsOrigin(origin, origins)) {
      return { status: 403, reason: `pages of ${origin} may not connect; allow them with --origin` };
    }
    const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
    if (!subProtocols.some((name) => offered.includes(name))) {
      return { status: 400, reason: `it does not offer the sub-protocol ${subProtocols.join(' or ')}` };
    }
    if (this.sockets.clients.size < maxViewers) return undefined;
    return { status: 503, reason: `there are ${maxViewers} viewers already` };
  }
}

function nameOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): MeshError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new MeshError('already-exists', `port ${port} of ${host} is in use by another process`, { cause: error });
    case 'EACCES':
      return new MeshError('permission-denied', `port ${port} of ${host} may not be opened by this user`, {
        cause: error,
      });
    default:
      return new MeshError('invalid-argument', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error });
  }
}
