import {
  Server,
  type ServerErrorResponse,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { MeshError } from '../base/errors.js';
import type { TlsFiles } from './credentials.js';
import { eventServiceDefinition, laneDefinition } from './definition.js';
import { GrpcIncomingCall } from './incoming-call.js';
import { laneServiceName } from './lane-messages.js';
import { toMetadata } from './metadata.js';
import { eventServiceName } from './methods.js';
import { BatchedStream, CallStream, http2StreamOf } from './outgoing-stream.js';
import { addReflection } from './reflection.js';
import { type LaneStream, RequestLaneServer } from './request-lane-server.js';
import { serverCredentials } from './server-credentials.js';
import { statusOf } from './status.js';
import { TickFlusher } from './tick-flusher.js';
import type { Headers, OutgoingStream, WireHandler } from './types.js';

export interface WireServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: TlsFiles;
  /** Longest message taken from a client, in bytes. */
  readonly maxMessageBytes: number;
  /** Write events by grpc-js's public interface only: slower, for comparison and tests. Default false. */
  readonly publicWay?: boolean;
  /** Sent with every refusal, so that a caller sees both sides' versions. */
  readonly errorHeaders: Headers;
}

/** One port that answers farm-ng's EventService, gRPC health checks and server reflection. */
export class WireServer {
  private readonly server: Server;
  private readonly options: WireServerOptions;
  private readonly flusher = new TickFlusher();
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING' });
  /** Health checks that wait for a change. */
  private readonly watches = new Set<ServerWritableStream<unknown, unknown>>();
  private readonly lanes = new Set<RequestLaneServer>();
  private healthStatus: 'SERVING' | 'NOT_SERVING' = 'NOT_SERVING';
  private draining = false;
  private closed = false;
  private boundPort: number | undefined;

  constructor(handler: WireHandler, options: WireServerOptions) {
    this.options = options;
    this.server = new Server({
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_send_message_length': -1,
      // A subscriber whose machine lost its power never says goodbye: pings find it.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.so_reuseport': 0,
    });
    const unary =
      (method: 'listUris' | 'requestReply') =>
      (call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>): void => {
        const incoming = this.incoming(call);
        const answer = async (): Promise<Uint8Array> => handler[method](call.request, incoming);
        answer().then(
          (reply) => {
            incoming.answered();
            callback(null, reply);
          },
          (error) => {
            incoming.answered();
            callback(this.statusFor(error));
          },
        );
      };
    this.server.addService(eventServiceDefinition(), {
      listUris: unary('listUris'),
      requestReply: unary('requestReply'),
      subscribe: (call: ServerWritableStream<Buffer, Uint8Array>) => {
        try {
          handler.subscribe(call.request, this.incoming(call), this.outgoing(call));
        } catch (error) {
          call.emit('error', this.statusFor(error));
        }
      },
    });
    this.server.addService(laneDefinition(), { requests: (call: LaneStream) => this.addLane(call, handler) });
    this.addHealth();
    addReflection(this.server, [eventServiceName, laneServiceName]);
  }

  /** The port it listens on; the one asked for before `listen`. */
  get port(): number {
    return this.boundPort ?? this.options.port;
  }

  /** Binds the port. Errors: `already-exists` when something else listens there, `invalid-argument` for a bad host. */
  async listen(): Promise<number> {
    const { host, port, tls } = this.options;
    const credentials = serverCredentials(tls);
    if (this.closed) throw closedError(host, port);
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.boundPort = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(bindError(host, port, error));
      });
    });
    if (this.closed) {
      // grpc-js takes a shutdown while it binds for one of before.
      this.server.forceShutdown();
      throw closedError(host, port);
    }
    this.setHealth('SERVING');
    return this.boundPort;
  }

  /** Tells those who ask for the health that new calls are not welcome. */
  refuseSoon(): void {
    this.setHealth('NOT_SERVING');
  }

  /** Takes no new calls, and waits up to `limitMs` for those under way before it drops them. */
  async drain(limitMs: number): Promise<void> {
    this.setHealth('NOT_SERVING');
    // They would last for ever; nothing more will change.
    for (const watch of this.watches) watch.end();
    this.draining = true;
    for (const lane of this.lanes) lane.drain();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    // tryShutdown alone would wait for ever on a stream that its client holds open.
    await Promise.race([new Promise<void>((resolve) => this.server.tryShutdown(() => resolve())), limit]);
    clearTimeout(timer);
    this.closed = true;
    this.server.forceShutdown();
  }

  /** Drops every connection, behind what was written already. Can be called twice. */
  close(): void {
    this.closed = true;
    for (const lane of this.lanes) lane.close(new MeshError('unavailable', 'the server was closed'));
    const force = setTimeout(() => this.server.forceShutdown(), flushMs);
    // At once, it would cut off the status that streams were just ended with.
    this.server.tryShutdown(() => {
      clearTimeout(force);
      this.server.forceShutdown();
    });
  }

  private addLane(call: LaneStream, handler: WireHandler): void {
    const { maxMessageBytes, errorHeaders: headers } = this.options;
    const statusOf = (error: unknown) => this.statusFor(error);
    const lane = new RequestLaneServer(call, handler, { maxMessageBytes, headers, statusOf });
    this.lanes.add(lane);
    if (this.draining) lane.drain();
    lane.onOver(() => this.lanes.delete(lane));
  }

  private addHealth(): void {
    this.health.addToServer({
      addService: (definition, methods) => {
        const watch = methods.watch as (call: ServerWritableStream<unknown, unknown>) => void;
        const remembering = (call: ServerWritableStream<unknown, unknown>): void => {
          this.watches.add(call);
          call.on('cancelled', () => this.watches.delete(call));
          watch(call);
        };
        this.server.addService(definition, { ...methods, watch: remembering });
      },
    });
  }

  private setHealth(status: 'SERVING' | 'NOT_SERVING'): void {
    // Who watches is told of changes only.
    if (status === this.healthStatus) return;
    this.healthStatus = status;
    for (const service of ['', eventServiceName]) this.health.setStatus(service, status);
  }

  private incoming(
    call: ServerUnaryCall<Buffer, Uint8Array> | ServerWritableStream<Buffer, Uint8Array>,
  ): GrpcIncomingCall {
    return new GrpcIncomingCall(call, http2StreamOf(call)?.destroyed === true);
  }

  private outgoing(call: ServerWritableStream<Buffer, Uint8Array>): OutgoingStream {
    const statusOf = (error: MeshError) => this.statusFor(error);
    const http2 = this.options.publicWay === true ? undefined : http2StreamOf(call);
    return http2 === undefined
      ? new CallStream(call, statusOf)
      : new BatchedStream(call, http2, this.flusher, statusOf);
  }

  private statusFor(error: unknown): ServerErrorResponse {
    const { code, message: whole } = MeshError.from(error);
    const message = fitting(whole);
    return Object.assign(new Error(message), {
      code: statusOf(code),
      details: message,
      metadata: toMetadata(this.options.errorHeaders),
    });
  }
}

// How long a closing server waits for what it has written to leave.
const flushMs = 100;

// The message travels percent-encoded in a header, of which peers take 8 KiB at most.
const longestMessageBytes = 2000;

/** A message as grpc-js can send it: it would crash on half a surrogate pair, and its peer on a header too long. */
function fitting(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= longestMessageBytes) return bytes.toString();
  return `${bytes.subarray(0, longestMessageBytes).toString()}…`;
}

function closedError(host: string, port: number): MeshError {
  return new MeshError('failed-precondition', `the server of ${host}:${port} was closed`);
}

function bindError(host: string, port: number, error: Error): MeshError {
  if (error.message.includes('EADDRINUSE')) {
    return new MeshError('already-exists', `port ${port} of ${host} is in use by another process`, { cause: error });
  }
  if (error.message.includes('EACCES')) {
    return new MeshError('permission-denied', `port ${port} of ${host} needs more rights; choose one above 1023`, {
      cause: error,
    });
  }
  return new MeshError('invalid-argument', `cannot listen on ${host}:${port}: ${error.message}`, { cause: error });
}
