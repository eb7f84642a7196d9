import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { TlsFiles } from './credentials.js';
import { FrameReader } from './frame-reader.js';
import { framePrefix } from './frames.js';
import { Http2Connection } from './http2-connection.js';
import { notGrpc, requestHeaders, responseHeaders, trailersError, versionHeader } from './http2-headers.js';
import { IncomingMessages } from './incoming-messages.js';
import { methodPaths } from './methods.js';
import { RequestLaneClient } from './request-lane-client.js';
import type { CallOptions, Headers, IncomingStream, MessageBlock, WireChannel, WireMethod } from './types.js';

export interface ChannelOptions {
  readonly tls?: TlsFiles;
  /** Longest message taken from the server, in bytes. */
  readonly maxMessageBytes: number;
  /** Whether requests may take a faster way where the server has one: see docs/wire.md. Default true. */
  readonly requestLane?: boolean;
}

// How often a call that waits for an absent server tries to connect.
const retryConnectMs = 100;

/** The client's end of a connection: gRPC on Node's own HTTP/2, which reads many times faster than grpc-js. */
export class Channel implements WireChannel {
  readonly address: string;
  private readonly connection: Http2Connection;
  private readonly options: ChannelOptions;
  private lane: RequestLaneClient | undefined;

  constructor(host: string, port: number, options: ChannelOptions) {
    this.connection = new Http2Connection(host, port, options.tls);
    this.address = this.connection.authority;
    this.options = options;
  }

  unary(method: WireMethod, request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const { lane } = this;
    if (method === 'requestReply' && lane?.takes(request) && lane.session === this.connection.current) {
      return lane.request(request, options);
    }
    return this.ownCall(method, request, options);
  }

  private async ownCall(method: WireMethod, request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const incoming = this.stream(method, request, options);
    let reply: Buffer | undefined;
    for await (const [first] of incoming) reply ??= first!.bytes.subarray(first!.bounds[0], first!.bounds[1]);
    if (reply === undefined) throw new MeshError('internal', `${this.address} answered ${method} without a message`);
    return reply;
  }

  stream(method: WireMethod, request: Uint8Array, options: CallOptions): IncomingStream {
    const messages = new IncomingMessages({ keepLast: options.keepLast ?? false });
    const end = (error: MeshError): void => messages.fail(error);
    const { signal, timeoutMs } = options;
    const cancel = (): void => end(new MeshError('cancelled', `${method} of ${this.address} was cancelled`));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            const what = `${this.address} did not answer ${method} within ${timeoutMs} ms`;
            end(new MeshError('deadline-exceeded', what));
          }, timeoutMs);
    messages.onEnd(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    });
    this.begin(method, request, options, messages).catch((error) => end(MeshError.from(error, 'unavailable')));
    return messages;
  }

  close(): void {
    this.connection.close();
  }

  private async begin(
    method: WireMethod,
    request: Uint8Array,
    options: CallOptions,
    messages: IncomingMessages,
  ): Promise<void> {
    const ready = this.connection.ready();
    const session = ready instanceof Promise ? await this.connected(ready, options, messages) : ready;
    if (session === undefined || messages.ended) return;
    const { authority, scheme } = this.connection;
    const call = session.request(
      requestHeaders(authority, scheme, methodPaths[method], options.headers ?? {}, options.timeoutMs),
    );
    call.end(Buffer.concat([framePrefix(request.length), request]));
    this.receive(session, call, messages, options.headers?.[versionHeader]);
    if (method === 'requestReply') this.askForLane(session, options.headers ?? {});
  }

  /** Asks each session's server once. Whatever it says, calls of their own go on in the meantime. */
  private askForLane(session: ClientHttp2Session, headers: Headers): void {
    const { lane, address } = this;
    if (this.options.requestLane === false) return;
    if (lane?.session === session && !lane.canBeAskedAgain) return;
    // A session that was replaced has no more requests to come.
    if (lane?.session !== session) lane?.leave();
    const { maxMessageBytes } = this.options;
    const { scheme } = this.connection;
    try {
      this.lane = new RequestLaneClient(session, { address, scheme, maxMessageBytes, headers });
    } catch {
      // The session ends just now; the request above says so, and the next one gets another.
    }
  }

  /** Waits for the session; tries again for as long as the call may, if it asked for that. */
  private async connected(
    first: Promise<ClientHttp2Session>,
    { waitForReady = false }: CallOptions,
    messages: IncomingMessages,
  ): Promise<ClientHttp2Session | undefined> {
    const ended = messages.endSignal;
    for (let ready: ClientHttp2Session | Promise<ClientHttp2Session> = first; ; ready = this.connection.ready()) {
      try {
        return await ready;
      } catch (error) {
        if (!waitForReady) throw error;
        await pause(retryConnectMs, ended);
        if (messages.ended) return undefined;
      }
    }
  }

  private receive(
    session: ClientHttp2Session,
    call: ClientHttp2Stream,
    messages: IncomingMessages,
    ownVersion?: string | Uint8Array,
  ): void {
    const { address } = this;
    const reader = new FrameReader(this.options.maxMessageBytes);
    let failure: MeshError | undefined;
    let trailers: MeshError | undefined | 'none' = 'none';
    /** Bytes since the last message was complete: a large one comes in many chunks. */
    let uncounted = 0;
    call.on('response', (headers) => {
      failure = notGrpc(headers, address);
      if (failure !== undefined) return messages.fail(failure);
      // A call that fails at once has its trailers where the headers would stand.
      if (headers['grpc-status'] !== undefined) trailers = trailersError(headers, address, ownVersion);
      else messages.begin(responseHeaders(headers));
    });
    call.on('trailers', (headers) => {
      trailers = trailersError(headers, address, ownVersion);
    });
    call.on('data', (chunk: Buffer) => {
      const blocks: MessageBlock[] = [];
      try {
        reader.read(chunk, blocks);
      } catch (error) {
        messages.fail(MeshError.from(error));
        return;
      }
      uncounted += chunk.length;
      if (blocks.length === 0) return;
      const hasRoom = messages.push(blocks, uncounted);
      uncounted = 0;
      if (!hasRoom) call.pause();
    });
    call.on('error', (error: Error & { code?: string }) => {
      // The peer reset the stream; the code that it gave says more.
      if (error.code === 'ERR_HTTP2_STREAM_ERROR') return;
      // A connection has numbers for some thousand million calls, which is a day or two of a busy client.
      if (error.code === 'ERR_HTTP2_OUT_OF_STREAMS') {
        this.connection.retire(session);
        if (this.lane?.session === session) this.lane.leave();
      }
      failure ??= new MeshError('unavailable', `the connection to ${address} broke: ${error.message}`, {
        cause: error,
      });
    });
    call.on('close', () => {
      if (trailers === undefined && !reader.atBoundary) {
        return messages.end(new MeshError('data-loss', `${address} ended the call in the middle of a message`));
      }
      if (trailers !== 'none') return messages.end(trailers);
      // Node calls every stream of a connection that broke cancelled.
      messages.end(failure ?? (session.destroyed ? this.connection.lost(session) : resetError(call.rstCode, address)));
    });
    messages.onRoom(() => call.resume());
    messages.onEnd(() => {
      if (!call.closed) call.close(constants.NGHTTP2_CANCEL);
    });
  }
}

/** What a stream that ended without trailers means. Source: the table "HTTP2 Transport Mapping" of the specification. */
function resetError(rstCode: number | undefined, address: string): MeshError {
  switch (rstCode) {
    case constants.NGHTTP2_CANCEL:
      return new MeshError('cancelled', `${address} cancelled the call`);
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new MeshError('resource-exhausted', `${address} asks for fewer calls`);
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new MeshError('permission-denied', `${address} asks for more security`);
    case constants.NGHTTP2_NO_ERROR:
    case undefined:
      return new MeshError('unavailable', `${address} ended the call without a status`);
    case constants.NGHTTP2_REFUSED_STREAM:
      return new MeshError('unavailable', `${address} refused the call`);
    default:
      return new MeshError('internal', `${address} reset the call (HTTP/2 code ${rstCode})`);
  }
}
