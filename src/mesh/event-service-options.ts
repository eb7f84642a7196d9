import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { TypeRegistry } from '../messages/registry.js';
import type { EventServer, EventServerOptions } from './event-server.js';

export interface EventServiceOptions extends EventServerOptions {
  /** Message types. Default: the well-known ones and furrow's own. */
  readonly registry?: TypeRegistry;
  /** Default: this machine's clocks and name. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** A port shared with other services; its options then apply, and who made it closes it. Default: a port of its own. */
  readonly server?: EventServer;
  /** Bytes one subscriber's queue may hold. Default 16 MiB. */
  readonly maxSubscriberBytes?: number;
  /** Bytes that all queues of the service may hold together. Default 256 MiB. */
  readonly maxQueuedBytes?: number;
  /** Longest `block_ms` that a subscription may ask for. Default 10,000; more is refused. */
  readonly maxBlockMs?: number;
  /** Subscriptions the service takes at once. Default 10,000; more are refused. */
  readonly maxSubscribers?: number;
  /** Publish `/health` once a second. Default true; false where the events of a recording have it. */
  readonly health?: boolean;
  /** Its events are those of a recording, whose sequences begin anywhere; subscribers are told. Default false. */
  readonly replay?: boolean;
}
