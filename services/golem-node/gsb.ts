import { createHash } from 'node:crypto';
import { encode, toObject } from 'flatbuffers/js/flexbuffers.js';
import type { WebSocket } from 'ws';
import { isRecord } from './exe-script.js';
import { newId } from './ids.js';
import { Notifier } from './notifier.js';
import { badRequest, notFound } from './problem.js';

const connectTimeoutMs = 5000;
const answerTimeoutMs = 10_000;
const chunkBytes = 40 * 1024;
const mostServices = 1000;

interface Service {
  readonly id: string;
  readonly on: string;
  readonly components: readonly string[];
  readonly notifier: Notifier;
  /** Requests that wait for an answer, and the answers that came. */
  readonly asked: Set<string>;
  readonly answers: Map<string, unknown>;
  socket: WebSocket | undefined;
}

/**
 * The daemon's message bus, as far as file transfers need it: the requestor binds an address, waits on a WebSocket,
 * and answers requests in flexbuffers of `{id, component, payload}` with `{id, payload}`.
 */
export class Gsb {
  readonly #services = new Map<string, Service>();

  bind(request: unknown): object {
    const listen = isRecord(request) && isRecord(request.listen) ? request.listen : {};
    const { on, components } = listen;
    if (typeof on !== 'string' || !on.startsWith('/')) throw badRequest('gsb services need a listen.on address');
    if (this.#services.size >= mostServices) throw badRequest(`more than ${mostServices} services are bound`);
    const service: Service = {
      id: newId(),
      on,
      components: Array.isArray(components) ? components.map(String) : [],
      notifier: new Notifier(),
      asked: new Set(),
      answers: new Map(),
      socket: undefined,
    };
    this.#services.set(service.id, service);
    return { servicesId: service.id, listen: { on, components: service.components } };
  }

  unbind(id: string): void {
    const service = this.#services.get(id);
    if (service === undefined) throw notFound('gsb service', id);
    this.#services.delete(id);
    service.socket?.close(1000);
    service.notifier.close();
  }

  has(id: string): boolean {
    return this.#services.has(id);
  }

  attach(id: string, socket: WebSocket): void {
    const service = this.#services.get(id);
    if (service === undefined) {
      socket.close(1008, 'unbound');
      return;
    }
    service.socket?.close(1000, 'replaced');
    service.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      // The reader wants an ArrayBuffer that holds the message and nothing else.
      const answer = read(Uint8Array.from(data).buffer);
      if (answer !== undefined && service.asked.has(answer.id)) service.answers.set(answer.id, answer.payload);
      service.notifier.notify();
    });
    socket.on('close', () => {
      if (service.socket === socket) service.socket = undefined;
      service.notifier.notify();
    });
    service.notifier.notify();
  }

  /** The content that is published at `gftp://<node>/<name>`, in pieces. */
  async *download(url: string): AsyncGenerator<Uint8Array> {
    const service = this.#find(url);
    const metadata = await this.#ask(service, 'GetMetadata', {});
    const size = Number(isRecord(metadata) ? metadata.fileSize : Number.NaN);
    if (!Number.isSafeInteger(size) || size < 0) throw new Error(`${url}: the requestor told no size`);
    for (let offset = 0; offset < size; ) {
      const wanted = Math.min(chunkBytes, size - offset);
      const chunk = await this.#ask(service, 'GetChunk', { offset, size: wanted });
      const content = isRecord(chunk) ? chunk.content : undefined;
      if (!(content instanceof Uint8Array) || content.length === 0 || content.length > wanted) {
        throw new Error(`${url}: the requestor sent no content at ${offset} of ${size}`);
      }
      // A copy: the original is a view of the whole message.
      yield Uint8Array.from(content);
      offset += content.length;
    }
  }

  /** Sends content to the receiver at `gftp://<node>/<name>`. */
  async upload(url: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const service = this.#find(url);
    const hash = createHash('sha3-256');
    let offset = 0;
    for await (const bytes of source) {
      for (let start = 0; start < bytes.length; start += chunkBytes) {
        // A copy: encode() would write the whole buffer that a view lies in.
        const content = Uint8Array.from(bytes.subarray(start, start + chunkBytes));
        hash.update(content);
        await this.#ask(service, 'UploadChunk', { chunk: { content, offset } });
        offset += content.length;
      }
    }
    await this.#ask(service, 'UploadFinished', { hash: hash.digest('hex') });
  }

  close(): void {
    for (const { socket, notifier } of this.#services.values()) {
      socket?.terminate();
      notifier.close();
    }
    this.#services.clear();
  }

  #find(url: string): Service {
    const name = /^gftp:\/\/[^/]+\/(.+)$/.exec(url)?.[1];
    const found = [...this.#services.values()].find(({ on }) => on === `/public/gftp/${name}`);
    if (found === undefined) throw new Error(`${url} is not published`);
    return found;
  }

  async #ask(service: Service, component: string, payload: object): Promise<unknown> {
    const connected = () => service.socket;
    const socket = await service.notifier.until(connected, connectTimeoutMs);
    if (socket === undefined) throw new Error(`${service.on}: the requestor is not connected`);
    const id = newId();
    service.asked.add(id);
    try {
      socket.send(encode({ id, component, payload }));
      const answered = () => (service.answers.has(id) || service.socket !== socket ? true : undefined);
      await service.notifier.until(answered, answerTimeoutMs);
      if (!service.answers.has(id)) throw new Error(`${service.on}: the requestor did not answer ${component}`);
      return service.answers.get(id);
    } finally {
      service.asked.delete(id);
      service.answers.delete(id);
    }
  }
}

function read(bytes: ArrayBuffer): { id: string; payload: unknown } | undefined {
  try {
    const message = toObject(bytes);
    return isRecord(message) && typeof message.id === 'string'
      ? { id: message.id, payload: message.payload }
      : undefined;
  } catch {
    return undefined;
  }
}
