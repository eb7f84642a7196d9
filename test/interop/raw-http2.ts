import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { methodPaths } from '../../src/wire/methods.js';
import { eventServiceDefinition } from './plain-grpc.js';

/*
 * The two ends of a gRPC call as bare HTTP/2, for what no gRPC library would do. Frames are written and read here by
 * hand, apart from the code under test.
 */

/** A message as it stands on the wire. */
export function frameOf(message: Uint8Array, { compressed = false } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The messages in bytes that end with one. */
export function messagesIn(bytes: Buffer): { compressed: boolean; message: Buffer }[] {
  const messages: { compressed: boolean; message: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) throw new Error(`${bytes.length - at} bytes are no whole message`);
    messages.push({ compressed: bytes[at] === 1, message: bytes.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}

/** The frame of a SubscribeRequest. */
export function subscribeFrame(path: string, query = 'overflow=block&depth=10000&service_name=agent-1'): Buffer {
  return frameOf(eventServiceDefinition.subscribe!.requestSerialize({ uri: { path, query }, everyN: 0 }));
}

/** Writes, and lets it become a DATA frame of its own. */
export async function writeApart(
  stream: { write(bytes: Buffer, done: () => void): boolean },
  bytes: Buffer,
): Promise<void> {
  if (bytes.length > 0) await new Promise<void>((resolve) => stream.write(bytes, resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

export function rawSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

/** What a server answered on one call, which may still go on. */
export class RawCall {
  readonly stream: ClientHttp2Stream;
  readonly headers: Promise<IncomingHttpHeaders>;
  /** Resolves with the trailers, or with the headers where they are all there is. */
  readonly trailers: Promise<IncomingHttpHeaders>;
  private readonly chunks: Buffer[] = [];

  constructor(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, path = methodPaths.subscribe) {
    this.stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    this.stream.on('error', () => undefined);
    this.stream.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    this.headers = new Promise((resolve) => this.stream.once('response', resolve));
    this.trailers = new Promise((resolve) => {
      this.stream.once('trailers', resolve);
      this.stream.once('response', (answer) => 'grpc-status' in answer && resolve(answer));
    });
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** How many messages came, and nothing of another one. */
  has(count: number): boolean {
    try {
      return messagesIn(this.body).length === count;
    } catch {
      return false;
    }
  }
}

/** A server that does with each `subscribe` call as `answer` says; `call` counts from 0. Other calls get no answer. */
export async function rawServer(
  answer: (stream: ServerHttp2Stream, call: number, headers: IncomingHttpHeaders) => unknown,
): Promise<{ readonly port: number; readonly server: Http2Server }> {
  const server = createServer();
  let calls = 0;
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.resume();
    if (headers[':path'] === methodPaths.subscribe) void answer(stream, calls++, headers);
  });
  server.on('session', (session) => onTestFinished(() => session.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, server };
}

/** The headers of a furrow service's stream. */
export function furrowHeaders(more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  return {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    'furrow-epoch': 'e',
    'furrow-version': '1',
    ...more,
  };
}

/** A SubscribeReply of service `agent-1`. */
export function replyOf(path: string, sequence: number, payload: Buffer): Buffer {
  const query = 'type=google.protobuf.BytesValue&pb=google/protobuf/wrappers.proto&service_name=agent-1';
  const uri = { scheme: 'protobuf', authority: 'here', path, query };
  return eventServiceDefinition.subscribe!.responseSerialize({
    event: { uri, timestamps: [], payloadLength: payload.length, sequence },
    payload,
  });
}
