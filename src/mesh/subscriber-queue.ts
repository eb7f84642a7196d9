import type { QualityOfService } from '../config/types.js';
import type { EncodedEvent } from './encoded-event.js';

/** Bytes queued by all subscribers of a service, against their common limit. */
export class ByteBudget {
  used = 0;

  constructor(readonly limit: number) {}
}

// Places of a queue: how many it gets at first, and how many it keeps.
const leastPlaces = 16;
const keptPlaces = 1024;

/** What became of an event that was offered to a queue. */
export type Offer =
  /** It lies in the queue; nothing was lost. */
  | 'queued'
  /** It, or older events in its favour, were dropped. */
  | 'dropped'
  /** It lies in the queue beyond its bounds: the publisher must wait. */
  | 'waiting'
  /** `block` only: not even a waiting place is left; the subscriber must be ended. */
  | 'overrun';

/**
 * The queue between a publisher and one subscriber. It is bounded by events (`depth`), by its own bytes and by the
 * bytes of all queues of the service; what happens at the bound is the subscription's `overflow`.
 */
export class SubscriberQueue {
  /** Events that this subscriber lost here. */
  dropped = 0;
  private readonly quality: QualityOfService;
  private readonly maxBytes: number;
  private readonly budget: ByteBudget;
  /** A ring: `count` events from `head` on. Its length is a power of two, or none. */
  private ring: (EncodedEvent | undefined)[] = [];
  private head = 0;
  private count = 0;
  private bytes = 0;

  constructor(quality: QualityOfService, maxBytes: number, budget: ByteBudget) {
    this.quality = quality;
    this.maxBytes = maxBytes;
    this.budget = budget;
  }

  get length(): number {
    return this.count;
  }

  get queuedBytes(): number {
    return this.bytes;
  }

  /**
   * `block`: how many of the newest events lie beyond the depth, or beyond half of the bytes; the other half is for
   * those that wait.
   */
  get beyond(): number {
    return this.bytes * 2 > this.maxBytes ? this.length : Math.max(0, this.length - this.quality.depth);
  }

  offer(event: EncodedEvent): Offer {
    const { overflow, depth } = this.quality;
    const size = event.size;
    if (overflow === 'block') {
      if (!this.fits(size)) return 'overrun';
      this.append(event);
      return this.beyond > 0 ? 'waiting' : 'queued';
    }
    if (this.length < depth && this.fits(size)) {
      this.append(event);
      return 'queued';
    }
    if (overflow === 'drop-newest') {
      this.dropped += 1;
      return 'dropped';
    }
    while (this.length > 0 && (this.length >= depth || !this.fits(size))) {
      this.shift();
      this.dropped += 1;
    }
    if (this.fits(size)) this.append(event);
    else this.dropped += 1;
    return 'dropped';
  }

  /** Takes the oldest event. */
  shift(): EncodedEvent | undefined {
    if (this.count === 0) return undefined;
    const event = this.ring[this.head]!;
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.count -= 1;
    this.bytes -= event.size;
    this.budget.used -= event.size;
    // A queue that was long once is not to hold its room for ever.
    if (this.ring.length > keptPlaces && 8 * this.count < this.ring.length) this.resize(this.ring.length / 2);
    return event;
  }

  /** Empties the queue and gives its bytes back; gives the events thrown away. */
  clear(): readonly EncodedEvent[] {
    const thrownAway = this.inOrder();
    this.ring = [];
    this.head = 0;
    this.count = 0;
    this.budget.used -= this.bytes;
    this.bytes = 0;
    return thrownAway;
  }

  private append(event: EncodedEvent): void {
    if (this.count === this.ring.length) this.resize(Math.max(leastPlaces, 2 * this.count));
    this.ring[(this.head + this.count) & (this.ring.length - 1)] = event;
    this.count += 1;
    this.bytes += event.size;
    this.budget.used += event.size;
  }

  private resize(places: number): void {
    const events: (EncodedEvent | undefined)[] = this.inOrder();
    while (events.length < places) events.push(undefined);
    this.ring = events;
    this.head = 0;
  }

  private inOrder(): EncodedEvent[] {
    const { ring, head, count } = this;
    return Array.from({ length: count }, (_, index) => ring[(head + index) & (ring.length - 1)]!);
  }

  private fits(size: number): boolean {
    // An empty queue takes any one event, or a message larger than the bound could never be sent.
    if (this.length === 0) return this.budget.used + size <= this.budget.limit || this.budget.used === 0;
    return this.bytes + size <= this.maxBytes && this.budget.used + size <= this.budget.limit;
  }
}
