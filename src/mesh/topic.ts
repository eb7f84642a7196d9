import type { Clock } from '../base/clock.js';
import { EnvelopeTemplate, encodeStamps } from '../messages/envelope-template.js';
import type { Payload } from '../messages/payload.js';
import { semantics, type Timestamp } from '../messages/timestamp.js';
import { eventUri, type Uri } from '../messages/uri.js';
import { FrameMemory } from '../wire/frames.js';
import { EncodedEvent } from './encoded-event.js';
import { History } from './history.js';
import { PublishWait } from './publish-wait.js';
import type { Subscriber } from './subscriber.js';

// farm-ng's window for `<path>/rate`.
const rateWindow = 50;

export interface TopicOptions {
  readonly service: string;
  readonly path: string;
  readonly type: string;
  /** Proto file of the type. */
  readonly pb: string;
  /** Events kept for subscribers that come back. */
  readonly history: number;
  readonly maxHistoryBytes: number;
  /** Keep the last event for new subscribers. */
  readonly latch: boolean;
}

/** What became of one published event. */
export interface Delivery {
  /** Subscribers that asked for this event. */
  readonly subscribers: number;
  /** Those of them that lost an event to make room, or lost this one. */
  readonly dropped: number;
}

/** One path that a service publishes: its sequence, its subscribers, what it keeps for later ones. */
export class Topic {
  readonly path: string;
  readonly type: string;
  readonly uri: Uri;
  /** The sequence of the next event. */
  next = 0;
  sendCount = 0;
  dropped = 0;
  readonly subscribers = new Set<Subscriber>();
  private readonly template: EnvelopeTemplate;
  private readonly history: History;
  private readonly latch: boolean;
  private latched: EncodedEvent | undefined;
  private readonly clock: Clock;
  private readonly memory = new FrameMemory();
  private readonly sendTimes: number[] = [];
  /** When the last event was made, by the monotonic clock. */
  private sendS = 0;

  constructor(options: TopicOptions, clock: Clock) {
    const { path, type, pb, service } = options;
    this.path = path;
    this.type = type;
    this.uri = eventUri(clock.host, path, type, pb, service);
    this.latch = options.latch;
    this.clock = clock;
    this.template = new EnvelopeTemplate(this.uri, clock, semantics.serviceSend);
    this.history = new History(options.history, options.maxHistoryBytes);
  }

  /** Events per second over the last 50 sends; 0 before the second. */
  get rateHz(): number {
    const { sendTimes } = this;
    if (sendTimes.length < 2) return 0;
    const oldest = sendTimes[this.sendCount <= rateWindow ? 0 : this.sendCount % rateWindow] ?? 0;
    const newest = sendTimes[(this.sendCount - 1) % rateWindow] ?? 0;
    return newest > oldest ? (sendTimes.length - 1) / (newest - oldest) : 0;
  }

  /** Makes the next event of this path around a payload. */
  encode(payload: Payload, timestamps: readonly Timestamp[] | undefined): EncodedEvent {
    const head = {
      payloadLength: payload.head.length + (payload.body?.length ?? 0),
      sequence: this.next,
      stamps: encodeStamps(timestamps),
      monotonicS: this.clock.monotonic(),
    };
    this.sendS = head.monotonicS;
    return EncodedEvent.ofPayload(this.path, this.memory, this.template, payload, head);
  }

  /** Takes an event that was made elsewhere, as it is. */
  adopt(sequence: number, eventBytes: Uint8Array, payload: Uint8Array): EncodedEvent {
    this.sendS = this.clock.monotonic();
    return EncodedEvent.ofEvent(this.path, sequence, this.memory, eventBytes, payload);
  }

  /** Keeps an event and offers it to every subscriber; a promise when a `block` subscriber makes it wait. */
  publish(event: EncodedEvent, latch: boolean): Delivery | Promise<Delivery> {
    // A recording that is played again: what is held belongs to the time before.
    if (event.sequence < this.next) this.history.clear();
    this.next = event.sequence + 1;
    this.sendTimes[this.sendCount % rateWindow] = this.sendS;
    this.sendCount += 1;
    if (latch || this.latch) this.latched = event.apart();
    // The same one, so that a backlog has it once.
    this.history.add(this.latched?.sequence === event.sequence ? this.latched : event);
    let subscribers = 0;
    let dropped = 0;
    let wait: PublishWait | undefined;
    for (const subscriber of this.subscribers) {
      if (!subscriber.wants(event.sequence)) continue;
      subscribers += 1;
      const kept = subscriber.offer(event);
      if (kept === true) continue;
      if (kept === false) dropped += 1;
      else {
        wait ??= new PublishWait();
        subscriber.holdUp(wait);
      }
    }
    this.dropped += dropped;
    if (wait === undefined) return { subscribers, dropped };
    wait.seal();
    // What an ended subscriber had waiting is counted with the rest of what it lost, when it ends.
    return wait.lost.then((lost) => ({ subscribers, dropped: dropped + lost }));
  }

  /** The event kept for new subscribers. */
  get latchedEvent(): EncodedEvent | undefined {
    return this.latched;
  }

  /** Forgets what was published, as a service that is started again does. */
  restart(): void {
    this.next = 0;
    this.latched = undefined;
    this.history.clear();
  }

  /** What a subscriber gets before live events: from `next` on what is held, or else the latched event. */
  backlog(next: number | undefined): EncodedEvent[] {
    const { latched } = this;
    if (next === undefined) return latched === undefined ? [] : [latched];
    const held = this.history.from(next);
    // A latched event is kept apart from the history, so it can be older than all of it.
    if (latched !== undefined && latched.sequence >= next && !held.includes(latched)) {
      held.push(latched);
      held.sort((one, other) => one.sequence - other.sequence);
    }
    return held;
  }
}
