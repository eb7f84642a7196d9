import { MeshError } from '../base/errors.js';
import type { QualityOfService } from '../config/types.js';
import type { OutgoingStream } from '../wire/types.js';
import type { EncodedEvent } from './encoded-event.js';
import type { PublishWait } from './publish-wait.js';
import { type ByteBudget, SubscriberQueue } from './subscriber-queue.js';

export interface SubscriberOptions {
  /** What it asked for: an exact path, `*` or `/prefix/*`. */
  readonly pattern: string;
  readonly everyN: number;
  readonly quality: QualityOfService;
  /** Its address, for messages. */
  readonly peer: string;
  /** Bound of its queue, in bytes. */
  readonly maxBytes: number;
  readonly budget: ByteBudget;
}

/** Called once, when a subscriber is gone: with the events it lost by that, and with why if it did not just leave. */
type SubscriberEnd = (subscriber: Subscriber, lost: readonly EncodedEvent[], why: MeshError | undefined) => void;

/** The publisher's end of one subscription: its queue, and the stream that the queue is written to. */
export class Subscriber {
  readonly pattern: string;
  readonly peer: string;
  readonly quality: QualityOfService;
  /** Events handed to the stream. */
  delivered = 0;
  private readonly everyN: number;
  private readonly stream: OutgoingStream;
  private readonly queue: SubscriberQueue;
  private backlog: readonly EncodedEvent[] = [];
  private backlogAt = 0;
  private writable = true;
  private ended = false;
  private lostAtEnd = 0;
  /** Of the events beyond the bounds of the queue. */
  private readonly waits: PublishWait[] = [];
  private timer: NodeJS.Timeout | undefined;
  private onIdle: (() => void) | undefined;
  private readonly onEnd: SubscriberEnd;

  constructor(stream: OutgoingStream, options: SubscriberOptions, onEnd: SubscriberEnd) {
    this.stream = stream;
    this.pattern = options.pattern;
    this.everyN = options.everyN;
    this.quality = options.quality;
    this.peer = options.peer;
    this.queue = new SubscriberQueue(options.quality, options.maxBytes, options.budget);
    this.onEnd = onEnd;
    stream.onDrain(() => {
      this.writable = true;
      this.pump();
    });
  }

  /** Events lost to this subscriber, by its overflow policy or because it was ended with events queued. */
  get dropped(): number {
    return this.queue.dropped + this.lostAtEnd;
  }

  get queued(): number {
    return this.queue.length + this.backlog.length - this.backlogAt;
  }

  /** Whether it asked for this event of a path that it listens to. */
  wants(sequence: number): boolean {
    return this.everyN === 0 || sequence % this.everyN === 0;
  }

  /** Sends what was published before it came, ahead of everything that is offered from now on. */
  begin(backlog: readonly EncodedEvent[]): void {
    this.backlog = backlog;
    this.pump();
  }

  /**
   * Takes an event. True: it is on its way and nothing was lost. False: something was. `waits`: the queue is full and
   * `block` makes the publisher wait; `holdUp` must follow.
   */
  offer(event: EncodedEvent): boolean | 'waits' {
    if (this.ended) return false;
    if (this.writable && this.queued === 0) {
      this.write(event);
      return true;
    }
    // Events far apart would keep those between them alive.
    const offer = this.queue.offer(this.everyN > 1 ? event.apart() : event);
    if (offer === 'queued') return true;
    if (offer === 'dropped') return false;
    if (offer === 'overrun') {
      this.lostAtEnd += 1;
      this.evict('its waiting events exceed the bytes it may queue');
      return false;
    }
    return 'waits';
  }

  /** Says what waits for the event that was offered last. */
  holdUp(wait: PublishWait): void {
    wait.add();
    this.waits.push(wait);
    this.watch();
  }

  /** Resolves when everything queued is with the stream, or the subscriber is gone. */
  idle(): Promise<void> {
    if (this.ended || this.queued === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.onIdle = resolve;
    });
  }

  /** Ends the stream, with an error or well. What is queued is lost, and counted. */
  end(error?: MeshError): void {
    if (this.ended) return;
    this.ended = true;
    const lost = [...this.backlog.slice(this.backlogAt), ...this.queue.clear()];
    this.lostAtEnd += lost.length;
    this.backlog = [];
    this.backlogAt = 0;
    clearTimeout(this.timer);
    for (const wait of this.waits.splice(0)) wait.settle(false);
    this.stream.end(error);
    this.onIdle?.();
    this.onEnd(this, lost, error);
  }

  private pump(): void {
    while (this.writable && !this.ended) {
      const event = this.backlog[this.backlogAt] ?? this.queue.shift();
      if (event === undefined) break;
      if (this.backlogAt < this.backlog.length) this.advanceBacklog();
      this.write(event);
    }
    // Only events beyond the bounds have somebody waiting for them.
    while (this.waits.length > this.queue.beyond) this.waits.shift()!.settle(true);
    if (this.queued === 0) this.onIdle?.();
  }

  private advanceBacklog(): void {
    this.backlogAt += 1;
    if (this.backlogAt === this.backlog.length) {
      this.backlog = [];
      this.backlogAt = 0;
    }
  }

  private write(event: EncodedEvent): void {
    this.delivered += 1;
    this.writable = this.stream.write(event);
  }

  /**
   * Ends the subscriber once its longest waiting event has waited `block_ms`. The timer of one that waits no more is
   * left to run: the next will want one.
   */
  private watch(): void {
    const first = this.waits[0];
    if (this.timer !== undefined || first === undefined) return;
    const leftMs = first.sinceMs + this.quality.blockMs - performance.now();
    if (leftMs <= 0) {
      this.evict(`it left its publisher waiting longer than block_ms=${this.quality.blockMs}`);
      return;
    }
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.watch();
    }, leftMs);
  }

  private evict(why: string): void {
    const lost = this.queued;
    const advice = 'read faster, ask for a greater depth or block_ms, or let it drop (overflow=drop-oldest)';
    this.end(
      new MeshError(
        'resource-exhausted',
        `the subscription to ${this.pattern} was ended: ${why}; ${lost} events were lost; ${advice}`,
      ),
    );
  }
}
