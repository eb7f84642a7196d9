import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import WebSocket from 'ws';
import { MeshError } from '../base/errors.js';
import type { GolemLogger } from './logger.js';
import { deferred } from './signals.js';
import type { Reception, StorageProvider } from './storage.js';
import { callYagna } from './yagna-calls.js';
import { loadFlexbuffers, type YagnaApi } from './yagna-sdk.js';

interface GsbOptions {
  readonly gsb: YagnaApi['gsb'];
  readonly url: string;
  readonly appKey: string;
  /** Own node id, the host of the URLs. */
  readonly nodeId: string;
  readonly logger: GolemLogger;
}

/** A request of the daemon: it fetches chunks of what is published, or hands over chunks of what is received. */
interface GsbRequest {
  readonly id: unknown;
  readonly component: string;
  readonly payload: {
    readonly offset: number;
    readonly size: number;
    readonly hash?: string;
    readonly chunk: { readonly offset: number; readonly content: Uint8Array };
  };
}

interface Endpoint {
  readonly servicesId: string;
  readonly socket: WebSocket;
  closed(): Promise<void>;
}

const memoryBytes = 64 * 1024 * 1024;

/** File transfer through the daemon's message bus: one socket a file, `gsb+flexbuffers` on it. */
export function gsbStorage({ gsb, url, appKey, nodeId, logger }: GsbOptions): StorageProvider {
  const codec = loadFlexbuffers();
  const endpoints = new Map<string, Endpoint>();

  const listen = async (
    components: string[],
    answer: (request: GsbRequest) => Promise<unknown>,
    onClose: () => Promise<void>,
  ): Promise<string> => {
    const fileId = randomUUID();
    const fileUrl = `gftp://${nodeId}/${fileId}`;
    const bound = (await callYagna('bind file transfer', undefined, () =>
      gsb.bindServices({ listen: { on: `/public/gftp/${fileId}`, components } }),
    )) as { servicesId?: string };
    if (!bound.servicesId) throw new MeshError('internal', 'The golem daemon gave no id for a file transfer');
    const address = `${url.replace(/^http/, 'ws')}/gsb-api/v1/services/${bound.servicesId}?authToken=${appKey}`;
    const socket = new WebSocket(address, ['gsb+flexbuffers'], { handshakeTimeout: 10_000 });
    socket.binaryType = 'arraybuffer';
    let turn: Promise<void> = Promise.resolve();
    socket.on('message', (data) => {
      // In turn: chunks of one file must not overtake each other on their way to the disk.
      turn = turn
        .then(async () => {
          const request = codec.toObject(data as ArrayBuffer) as GsbRequest;
          const payload = await answer(request);
          socket.send(codec.encode({ id: request.id, payload }));
        })
        // Without an answer the provider would wait; a closed socket tells it that the transfer has failed.
        .catch((error) => {
          if (!(error instanceof HangUp)) logger.warn(`File transfer ${fileUrl}: ${String(error)}`);
          return close([fileUrl]);
        });
    });
    const opened = deferred<void>();
    socket.on('open', () => opened.resolve());
    socket.on('error', (error) => {
      opened.reject(new MeshError('unavailable', `File transfer could not start: ${error.message}`, { cause: error }));
    });
    endpoints.set(fileUrl, { servicesId: bound.servicesId, socket, closed: onClose });
    try {
      await opened.promise;
    } catch (error) {
      await close([fileUrl]);
      throw error;
    }
    return fileUrl;
  };

  const close = async (urls: readonly string[]) => {
    await Promise.all(
      urls.map(async (fileUrl) => {
        const endpoint = endpoints.get(fileUrl);
        if (!endpoint) return;
        endpoints.delete(fileUrl);
        endpoint.socket.terminate();
        await endpoint.closed().catch(() => undefined);
        const { servicesId } = endpoint;
        await callYagna('unbind file transfer', { timeoutMs: 5000 }, () => gsb.unbindServices(servicesId)).catch(
          (error) => logger.warn(String(error)),
        );
      }),
    );
  };

  const publish = async (source: string | Uint8Array): Promise<string> => {
    const reader = typeof source === 'string' ? await fileReader(source) : bytesReader(source);
    const answer = async ({ component, payload }: GsbRequest) => {
      if (component === 'GetMetadata') return { fileSize: reader.size };
      const size = Math.max(0, Math.min(payload.size, reader.size - payload.offset));
      return { content: await reader.read(payload.offset, size), offset: payload.offset };
    };
    try {
      return await listen(['GetMetadata', 'GetChunk'], answer, reader.close);
    } catch (error) {
      await reader.close().catch(() => undefined);
      throw error;
    }
  };

  const receive: StorageProvider['receive'] = async ({ file, maxBytes }): Promise<Reception> => {
    const limit = maxBytes ?? (file === undefined ? memoryBytes : Number.POSITIVE_INFINITY);
    const writer = file === undefined ? memoryWriter() : await fileWriter(file);
    const done = deferred<Uint8Array>();
    let total = 0;
    const fail = async (code: 'resource-exhausted' | 'data-loss' | 'cancelled', message: string) => {
      done.reject(new MeshError(code, message));
      await writer.discard();
    };
    const answer = async ({ component, payload }: GsbRequest) => {
      if (component === 'UploadChunk') {
        total += payload.chunk.content.byteLength;
        if (total > limit) {
          await fail('resource-exhausted', `The file is larger than ${limit} bytes; raise maxBytes`);
          throw new HangUp();
        }
        await writer.write(payload.chunk.offset, payload.chunk.content);
        return null;
      }
      const actual = writer.hash();
      if (payload.hash && payload.hash.toLowerCase() !== actual) {
        // The provider has done its part; the download fails here.
        await fail('data-loss', `The file was damaged on its way: hash ${actual}, expected ${payload.hash}`);
        return null;
      }
      done.resolve(await writer.finish());
      return null;
    };
    const closed = async () => {
      await fail('cancelled', 'The file transfer was closed before it was complete');
    };
    return { url: await listen(['UploadChunk', 'UploadFinished'], answer, closed), done: done.promise };
  };

  return { publish, receive, close, shutdown: () => close([...endpoints.keys()]) };
}

/** Ends a transfer whose failure is told elsewhere. */
class HangUp extends Error {}

interface Reader {
  readonly size: number;
  read(offset: number, size: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

// Each chunk is a copy: the codec writes out the whole buffer behind a view.
function bytesReader(bytes: Uint8Array): Reader {
  return {
    size: bytes.byteLength,
    read: async (offset, size) => new Uint8Array(bytes.subarray(offset, offset + size)),
    close: async () => undefined,
  };
}

async function fileReader(path: string): Promise<Reader> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw new MeshError('invalid-argument', `Cannot read the file to send: ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw new MeshError('invalid-argument', `Cannot read the file to send: ${path} is no file`);
  }
  const { size } = stats;
  return {
    size,
    read: async (offset, length) => {
      const chunk = new Uint8Array(length);
      const { bytesRead } = await handle.read(chunk, 0, length, offset);
      return bytesRead === length ? chunk : chunk.slice(0, bytesRead);
    },
    close: () => handle.close(),
  };
}

interface Writer {
  write(offset: number, content: Uint8Array): Promise<void>;
  /** SHA3-256 of all bytes so far, hex. */
  hash(): string;
  finish(): Promise<Uint8Array>;
  /** Nothing is left of an unfinished file. No effect after finish. */
  discard(): Promise<void>;
}

function memoryWriter(): Writer {
  const hash = createHash('sha3-256');
  let chunks: Uint8Array[] = [];
  return {
    write: async (_offset, content) => {
      hash.update(content);
      chunks.push(new Uint8Array(content));
    },
    hash: () => hash.copy().digest('hex'),
    finish: async () => new Uint8Array(Buffer.concat(chunks)),
    discard: async () => {
      chunks = [];
    },
  };
}

async function fileWriter(path: string): Promise<Writer> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  let handle: FileHandle | undefined;
  try {
    handle = await open(partial, 'wx');
  } catch (error) {
    throw new MeshError('invalid-argument', `Cannot write the file to receive: ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const hash = createHash('sha3-256');
  return {
    write: async (offset, content) => {
      if (!handle) throw new MeshError('cancelled', `The transfer to ${path} was given up`);
      hash.update(content);
      await handle.write(content, 0, content.byteLength, offset);
    },
    hash: () => hash.copy().digest('hex'),
    finish: async () => {
      await handle?.close();
      handle = undefined;
      await rename(partial, path);
      return new Uint8Array(0);
    },
    discard: async () => {
      if (!handle) return;
      await handle.close();
      handle = undefined;
      await rm(partial, { force: true });
    },
  };
}
