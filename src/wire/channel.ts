import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { ClientConnection } from '../http2/client-connection.js';
import { ClientCall } from './client-call.js';
import type { TlsFiles } from './credentials.js';
import { forEachMessage, framePrefix } from './frames.js';
import { Http2Connection } from './http2-connection.js';
import { requestHeaders, versionHeader } from './http2-headers.js';
import { IncomingMessages } from './incoming-messages.js';
import { methodPaths } from './methods.js';
import { RequestLaneClient } from './request-lane-client.js';
import type { CallOptions, Headers, IncomingStream, WireChannel, WireMethod } from './types.js';

export interface ChannelOptions {
  readonly tls?: TlsFiles;
  /** Longest message taken from the server, in bytes. */
  readonly maxMessageBytes: number;
  /** Whether requests may take a faster way where the server has one: see docs/wire.md. Default true. */
  readonly requestLane?: boolean;
}

// How often a call that waits for an absent server tries to connect.
const retryConnectMs = 100;

/** The client's end of a connection: gRPC on an HTTP/2 that reads many times faster than grpc-js. */
export class Channel implements WireChannel {
  readonly address: string;
  private readonly connection: Http2Connection;
  private readonly options: ChannelOptions;
  private lane: RequestLaneClient | undefined;

  constructor(host: string, port: number, options: ChannelOptions) {
    this.connection = new Http2Connection(host, port, {
      tls: options.tls,
      onRetire: (session) => {
        if (this.lane?.session === session) this.lane.leave();
      },
    });
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
    await incoming.receive(([first]) => {
      forEachMessage(first!, (message) => {
        reply ??= message;
      });
    });
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
    const begin = (isFirst: boolean): void => {
      const again = (): boolean => {
        if (isFirst) begin(false);
        return isFirst;
      };
      this.begin(method, request, options, messages, again).catch((error) => end(MeshError.from(error, 'unavailable')));
    };
    begin(true);
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
    again: () => boolean,
  ): Promise<void> {
    const ready = this.connection.ready();
    const session = ready instanceof Promise ? await this.connected(ready, options, messages) : ready;
    if (session === undefined || messages.ended) return;
    const { authority, scheme } = this.connection;
    const call = new ClientCall(messages, {
      address: this.address,
      maxMessageBytes: this.options.maxMessageBytes,
      ownVersion: options.headers?.[versionHeader],
      lost: () => this.connection.lost(session),
      again,
      findKnown: options.findKnown,
    });
    const { headers = {}, timeoutMs } = options;
    const stream = session.request(requestHeaders(authority, scheme, methodPaths[method], headers, timeoutMs), call);
    stream.end(Buffer.concat([framePrefix(request.length), request]));
    call.runs(stream);
    if (method === 'requestReply') this.askForLane(session, options.headers ?? {});
  }

  /** Asks each session's server once. Whatever it says, calls of their own go on in the meantime. */
  private askForLane(session: ClientConnection, headers: Headers): void {
    const { lane, address } = this;
    if (this.options.requestLane === false) return;
    if (lane?.session === session && !lane.canBeAskedAgain) return;
    // A session that was replaced has no more requests to come.
    if (lane?.session !== session) lane?.leave();
    const { maxMessageBytes } = this.options;
    const { scheme } = this.connection;
    this.lane = new RequestLaneClient(session, { address, scheme, maxMessageBytes, headers });
  }

  /** Waits for the session; tries again for as long as the call may, if it asked for that. */
  private async connected(
    first: Promise<ClientConnection>,
    { waitForReady = false }: CallOptions,
    messages: IncomingMessages,
  ): Promise<ClientConnection | undefined> {
    const ended = messages.endSignal;
    for (let ready: ClientConnection | Promise<ClientConnection> = first; ; ready = this.connection.ready()) {
      try {
        return await ready;
      } catch (error) {
        if (!waitForReady) throw error;
        await pause(retryConnectMs, ended);
        if (messages.ended) return undefined;
      }
    }
  }
}
