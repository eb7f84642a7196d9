import { StatusLevel, type Channel as WireChannel } from '@foxglove/ws-protocol';
import { Deadline } from '../../base/deadline.js';
import { MeshError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { EventClient } from '../../mesh/event-client.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
import { semantics } from '../../messages/timestamp.js';
import { statusMessage } from './protocol.js';
import type { Counts, Subscription } from './subscription.js';

export interface ChannelOptions {
  readonly id: number;
  readonly client: EventClient;
  readonly path: string;
  /** Full message name. */
  readonly type: string;
  /** FileDescriptorSet in base64. */
  readonly schema: string;
  /** Events that the publisher queues for us. */
  readonly depth: number;
  readonly logger: Logger;
}

// A latched event is the first that a new subscriber gets; what has not come by then was not held.
const heldWaitMs = 2000;

/**
 * One published path, as viewers see it. It subscribes to the mesh with the first viewer that looks, once for all of
 * them, and leaves with the last.
 */
export class Channel {
  readonly id: number;
  readonly service: string;
  readonly path: string;
  /** `service/path` */
  readonly topic: string;
  readonly type: string;
  /** Events that came from the mesh, and events that were lost on the way here. */
  received = 0;
  lost = 0;
  readonly totals: Counts = { sent: 0, dropped: 0 };
  private readonly options: ChannelOptions;
  private readonly subscriptions = new Set<Subscription>();
  private running: AbortController | undefined;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.id = options.id;
    this.service = options.client.name;
    this.path = options.path;
    this.topic = `${this.service}${this.path}`;
    this.type = options.type;
  }

  /** As advertised. */
  get description(): WireChannel {
    const { id, topic, type, options } = this;
    return { id, topic, encoding: 'protobuf', schemaName: type, schema: options.schema, schemaEncoding: 'protobuf' };
  }

  get viewers(): number {
    return this.subscriptions.size;
  }

  /** From now on the viewer gets the events, a latched one first. */
  join(subscription: Subscription): void {
    this.subscriptions.add(subscription);
    if (this.running === undefined) this.start();
    else void this.bringHeld(subscription, this.running.signal);
  }

  leave(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size === 0) this.stop();
  }

  /** Ends all subscriptions: the path is gone. Gives them back. */
  close(): readonly Subscription[] {
    const subscriptions = [...this.subscriptions];
    this.subscriptions.clear();
    this.stop();
    return subscriptions;
  }

  private start(): void {
    const running = new AbortController();
    this.running = running;
    this.pull(running.signal).catch((error) => {
      if (!running.signal.aborted) this.fail(MeshError.from(error));
    });
  }

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
  }

  private async pull(signal: AbortSignal): Promise<void> {
    const { client, path, depth } = this.options;
    // Never waits for a viewer, so only a burst that is too much for this process drops events here.
    const stream = client.events({ path, depth, overflow: 'drop-oldest' }, { signal });
    stream.gaps$.subscribe(({ count }) => {
      this.lost += count;
    });
    await stream.forEachBatch((batch) => {
      if (signal.aborted) return;
      for (const event of batch) this.pass(event);
    });
  }

  private pass(event: MeshEvent): void {
    this.received += 1;
    const timeNs = logTimeNs(event);
    for (const subscription of this.subscriptions) {
      const isRepeated = subscription.held === event.sequence;
      subscription.held = undefined;
      if (!isRepeated) this.give(subscription, event, timeNs);
    }
  }

  private give(subscription: Subscription, event: MeshEvent, timeNs: bigint): void {
    subscription.last = event.sequence;
    subscription.viewer.offer(subscription, timeNs, event.payload);
  }

  /** Whoever comes second looks for himself whether something is latched: only a new subscriber is told. */
  private async bringHeld(subscription: Subscription, running: AbortSignal): Promise<void> {
    const { client, path, logger } = this.options;
    using deadline = new Deadline(heldWaitMs, running, subscription.viewer.gone);
    const { signal } = deadline;
    try {
      for await (const event of client.events({ path, depth: 1, overflow: 'latest' }, { signal })) {
        const isOpen = this.subscriptions.has(subscription) && subscription.last === undefined;
        if (isOpen) {
          this.give(subscription, event, logTimeNs(event));
          subscription.held = event.sequence;
        }
        return;
      }
    } catch (error) {
      logger.debug(`${this.topic}: ${MeshError.from(error).message}`);
    }
  }

  private fail(error: MeshError): void {
    this.running = undefined;
    this.options.logger.warn(`${this.topic}: ${error.message}`);
    const message = statusMessage(StatusLevel.ERROR, `${this.topic}: ${error.message}`, `channel-${this.id}`);
    for (const { viewer } of this.subscriptions) viewer.sendText(message);
  }
}

/** When the event was sent, by its publisher's system clock; where that is not stated, when it came here. */
export function logTimeNs(event: MeshEvent, nowS = Date.now() / 1000): bigint {
  const sent = event.timestamps.find(
    ({ semantics: what, clockName }) => what === semantics.serviceSend && clockName.includes('/system_clock'),
  );
  const seconds = sent !== undefined && sent.stamp > 0 && sent.stamp < latestS ? sent.stamp : nowS;
  // A number has no room for nanoseconds since 1970; microseconds it holds exactly.
  return BigInt(Math.round(seconds * 1e6)) * 1000n;
}

// The protocol's nanoseconds end in the year 2554.
const latestS = 2 ** 64 / 1e9 - 1;
