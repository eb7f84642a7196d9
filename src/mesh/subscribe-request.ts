import type { QualityOfService } from '../config/types.js';
import type { TypeRegistry } from '../messages/registry.js';
import { anyPath, isPrefix } from '../messages/uri.js';
import { subscriptionQuery } from './quality.js';

/** What to subscribe to, and how the publisher queues for it (see QualityOfService). */
export interface SubscribeRequest<P extends string = string> extends Partial<QualityOfService> {
  /** A path, `*` for all, or `/prefix/*`. */
  readonly path: P;
  /** Deliver every n-th sequence only. Default 0: all. */
  readonly everyN?: number;
  /**
   * Begin with what the publisher still holds of each path; farm-ng services hold nothing but latched events. What is
   * gone before that is no gap: see `EventStream.begins`. Default false: begin with latched events.
   */
  readonly history?: boolean;
  /**
   * The memory of an event is used again as soon as the function that is given it has returned, or the promise it gave
   * has resolved; in `for await`, when the next one is asked for. A look at an event later throws; bytes that were
   * taken out of it (`payload`, those of `message`) must be copied in time. For large events, such as a camera's
   * frames: to allocate each costs more than to receive it. Shares nothing with other subscriptions. Default false.
   */
  readonly lend?: boolean;
}

/** The bytes of farm-ng's SubscribeRequest to a service. */
export function encodeSubscription(registry: TypeRegistry, service: string, request: SubscribeRequest): Uint8Array {
  // A prefix travels in a header of ours, and the `*` serves both.
  const path = isPrefix(request.path) ? anyPath : request.path;
  return registry.encode('farm_ng.core.proto.SubscribeRequest', {
    uri: { scheme: 'protobuf', path, query: subscriptionQuery(service, request) },
    everyN: request.everyN ?? 0,
  });
}
