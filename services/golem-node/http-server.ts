import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Faults } from './faults.js';
import { badRequest, messageOf, Problem } from './problem.js';
import { type Reply, type Route, Router } from './router.js';

/** Takes a WebSocket over, or gives back undefined when nothing is there for the path. */
export type Upgrade = (path: string) => ((socket: WebSocket) => void) | undefined;

export interface HttpServerParts {
  readonly appKey: string;
  readonly routes: readonly Route[];
  readonly upgrade: Upgrade;
  readonly faults: Faults;
}

const mostBodyBytes = 16 << 20;
const mostMessageBytes = 1 << 20;

/** The HTTP side of the node: keys, JSON, WebSockets, and being away. */
export class HttpServer {
  readonly #parts: HttpServerParts;
  readonly #router: Router;
  readonly #sockets = new Set<Socket>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: mostMessageBytes,
    handleProtocols: (offered) => (offered.has('gsb+flexbuffers') ? 'gsb+flexbuffers' : false),
  });
  readonly #server: Server;
  #awayTimer: NodeJS.Timeout | undefined;
  #away = false;

  constructor(parts: HttpServerParts) {
    this.#parts = parts;
    this.#router = new Router(parts.routes);
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.on('connection', (socket) => {
      if (this.#away) socket.destroy();
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Starts, and gives back the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Cuts all connections, and every new one for a time. What goes on inside is not touched. */
  goAway(durationMs: number): void {
    this.#away = true;
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => {
      this.#away = false;
    }, durationMs);
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    clearTimeout(this.#awayTimer);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#webSockets.clients) client.terminate();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const reply = await this.#answer(request, response, gone.signal);
      if (reply.status !== 0) send(response, reply);
    } catch (error) {
      const status = error instanceof Problem ? error.status : 500;
      if (response.headersSent) response.destroy();
      else send(response, { status, body: { message: messageOf(error) } });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<Reply> {
    const { faults } = this.#parts;
    const url = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? 'GET';
    const text = `${method} ${url.pathname}`;
    const { route, params } = this.#router.find(method, url.pathname);
    if (!route.open) this.#authorize(request, url);
    // The way to end a failure must not fail.
    if (!url.pathname.startsWith('/local-node/')) {
      const away = faults.take('go-away', { text });
      if (away !== undefined) this.goAway(away.durationMs ?? 1000);
      const failure = faults.take('fail-request', { text });
      if (failure !== undefined) throw new Problem(failure.status ?? 500, 'this request was made to fail');
    }
    const body = await readBody(request);
    const accept = request.headers.accept ?? '';
    return route.handler({ params, query: url.searchParams, accept, body, signal, response });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const url = new URL(request.url ?? '/', 'http://localhost');
    let take: ReturnType<Upgrade>;
    try {
      this.#authorize(request, url);
      take = this.#parts.upgrade(url.pathname);
    } catch {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      return;
    }
    if (take === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, take);
  }

  #authorize(request: IncomingMessage, url: URL): void {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? url.searchParams.get('authToken');
    if (given === null || !sameText(given, this.#parts.appKey)) {
      throw new Problem(401, 'the key is missing or wrong: send "Authorization: Bearer <key>"');
    }
  }
}

/** Takes the same time wherever the texts differ. */
function sameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

function send(response: ServerResponse, { status, body }: Reply): void {
  if (response.destroyed || response.writableEnded) return;
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostBodyBytes) throw new Problem(413, `a body of more than ${mostBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is not JSON: ${messageOf(error)}`);
  }
}
