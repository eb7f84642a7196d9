import type { MeshEvent } from '../messages/mesh-event.js';
import type { Timestamp } from '../messages/timestamp.js';

/**
 * The paths of a service and the values they carry, for the type checker:
 * `{publishes: {'/sample': {sample: number}}, requests: {'/update_residual': {request: number, reply: object}}}`.
 */
export interface ServiceTypes {
  readonly publishes: object;
  readonly requests: object;
}

/** Any path, any value. */
export interface AnyTypes extends ServiceTypes {
  // biome-ignore lint/suspicious/noExplicitAny: a program that declares no types gets none checked.
  readonly publishes: Record<string, any>;
  // biome-ignore lint/suspicious/noExplicitAny: likewise.
  readonly requests: Record<string, { request: any; reply: any }>;
}

export type PublishedPathOf<T extends ServiceTypes> = keyof T['publishes'] & string;
export type PublishedValue<T extends ServiceTypes, P> = P extends keyof T['publishes'] ? T['publishes'][P] : unknown;
export type RequestPathOf<T extends ServiceTypes> = keyof T['requests'] & string;
export type RequestValue<T extends ServiceTypes, P> = P extends keyof T['requests']
  ? T['requests'][P] extends { request: infer R }
    ? R
    : unknown
  : unknown;
export type ReplyValue<T extends ServiceTypes, P> = P extends keyof T['requests']
  ? T['requests'][P] extends { reply: infer R }
    ? R
    : unknown
  : unknown;

export interface PublishOptions {
  /** Full message name; needed only for a path whose type the configuration does not declare. */
  readonly type?: string;
  /** Stamps put before the two of sending, e.g. when a device took the sample. */
  readonly timestamps?: readonly Timestamp[];
  /** Keep this event for later subscribers. Default: what the configuration says of the path, else false. */
  readonly latch?: boolean;
  /**
   * The message is never written to again, by nobody. Then the bytes of a `google.protobuf.BytesValue` of 32 KiB or
   * more, a camera's frame, are sent from where they lie; queues and histories hold them, too. Default false: they are
   * copied, and can be used again at once.
   */
  readonly immutable?: boolean;
}

export interface PublishResult {
  readonly sequence: number;
  /** Subscribers that this event was meant for. */
  readonly subscribers: number;
  /** How many of them lost it, or an older one in its favour. */
  readonly dropped: number;
}

/** A request as its handler sees it. */
export interface RequestContext {
  /** The request's event: path, stamps, sequence of the client. */
  readonly event: MeshEvent;
  /** The path as asked for; useful to handlers of `/prefix/*`. */
  readonly path: string;
  /** Address of the caller. */
  readonly peer: string;
  /** Aborts when the caller has gone or its deadline has passed. */
  readonly signal: AbortSignal;
}

export interface RequestHandlerOptions {
  /** Full message name of the request. Default: what the configuration declares, else whatever the caller sends. */
  readonly request?: string;
  /** Full message name of the reply. Default: what the configuration declares, else google.protobuf.Empty. */
  readonly reply?: string;
}

/** Answers one request. What it returns is sent; `undefined` sends the reply type's default. */
export type RequestHandler<Request = unknown, Reply = unknown> = (
  message: Request,
  context: RequestContext,
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing answers with a default.
) => Reply | undefined | void | Promise<Reply | undefined | void>;
