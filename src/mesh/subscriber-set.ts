import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { anyPath, isWildcard, matchesPath } from '../messages/uri.js';
import type { EncodedEvent } from './encoded-event.js';
import type { RoutedSubscription } from './event-server.js';
import { fromHistory, prefixOf, type Resume, resumeOf, streamHeaders } from './protocol.js';
import type { PublishedPaths } from './published-paths.js';
import { qualityOfQuery } from './quality.js';
import { Subscriber } from './subscriber.js';
import { ByteBudget } from './subscriber-queue.js';
import type { Topic } from './topic.js';

export interface SubscriberSetOptions {
  readonly service: string;
  /** Changes with every start of the service. */
  readonly epoch: string;
  /** Sequences begin anywhere: it plays a recording. */
  readonly replay: boolean;
  readonly version: string;
  readonly maxSubscribers: number;
  readonly maxBlockMs: number;
  readonly maxSubscriberBytes: number;
  readonly maxQueuedBytes: number;
  readonly logger: Logger;
}

/** Everybody who listens to a service. */
export class SubscriberSet {
  private readonly options: SubscriberSetOptions;
  private readonly budget: ByteBudget;
  private readonly all = new Set<Subscriber>();
  private readonly known = new Set<Topic>();
  /** Streams that are not closed: those of `all`, and those that were ended but whose reader has not read to the end. */
  private open = 0;
  private closed = false;
  private epoch: string;

  constructor(options: SubscriberSetOptions) {
    this.options = options;
    this.epoch = options.epoch;
    this.budget = new ByteBudget(options.maxQueuedBytes);
  }

  [Symbol.iterator](): IterableIterator<Subscriber> {
    return this.all.values();
  }

  get size(): number {
    return this.all.size;
  }

  get queuedBytes(): number {
    return this.budget.used;
  }

  /**
   * Takes a subscription. What it must get first (held events, latched values) is gathered and the subscriber
   * registered in one step, so no event falls between the two. A path nobody publishes yet is accepted: its
   * first event makes it.
   */
  add(subscription: RoutedSubscription, paths: PublishedPaths): void {
    const { service, replay, version, maxSubscribers, maxSubscriberBytes, logger } = this.options;
    const { call, stream } = subscription;
    const pattern = (subscription.path === anyPath && prefixOf(call.headers)) || subscription.path;
    if (this.closed) throw new MeshError('unavailable', `service ${service} is shutting down`);
    // It went away before its turn came, and will not say so again.
    if (call.signal.aborted) return;
    if (this.open >= maxSubscribers) {
      throw new MeshError('resource-exhausted', `service ${service} has ${maxSubscribers} subscribers already`);
    }
    const quality = qualityOfQuery(subscription.query);
    if (quality.blockMs > this.options.maxBlockMs) {
      throw new MeshError(
        'invalid-argument',
        `block_ms=${quality.blockMs} is more than service ${service} allows, ${this.options.maxBlockMs}`,
      );
    }
    const resume = resumeOf(call.headers);
    const isNew = resume === undefined || resume.epoch === fromHistory.epoch;
    const topics = paths.matching(pattern);
    if (topics.length === 0 && !isWildcard(pattern)) {
      const names = paths.topics().map(({ path }) => path);
      logger.warn(
        `a subscriber at ${call.peer} waits for ${pattern}, which nobody publishes yet${didYouMean(pattern, names)}; ` +
          `published are ${listNames(names)}`,
      );
    }
    const subscriber = new Subscriber(
      stream,
      {
        pattern,
        everyN: subscription.everyN,
        quality,
        peer: call.peer,
        maxBytes: maxSubscriberBytes,
        budget: this.budget,
      },
      (gone, lost, why) => this.remove(gone, lost, why),
    );
    const backlog: EncodedEvent[] = [];
    const first = new Map<string, number>();
    for (const topic of topics) {
      const next = nextWanted(resume, this.epoch, topic);
      const held = topic.backlog(next);
      first.set(topic.path, isNew ? firstUnbroken(topic.next, held) : (held[0]?.sequence ?? topic.next));
      // Somebody new gets what is latched whatever its sequence; of the rest only every n-th was asked for.
      const latched = isNew ? topic.latchedEvent : undefined;
      backlog.push(...held.filter((event) => event === latched || subscriber.wants(event.sequence)));
    }
    first.set(anyPath, 0);
    stream.sendHeaders(streamHeaders(version, this.epoch, replay ? 'replay' : first));
    this.all.add(subscriber);
    this.open += 1;
    for (const topic of topics) {
      this.known.add(topic);
      topic.subscribers.add(subscriber);
    }
    const closed = (): void => {
      this.open -= 1;
      subscriber.end();
    };
    call.signal.addEventListener('abort', closed, { once: true });
    subscriber.begin(backlog);
  }

  /** Connects a topic that is new with the subscribers whose path asks for it. */
  listenTo(topic: Topic): void {
    if (this.known.has(topic)) return;
    this.known.add(topic);
    for (const subscriber of this.all) {
      if (matchesPath(subscriber.pattern, topic.path)) topic.subscribers.add(subscriber);
    }
  }

  /** Lets every subscriber have what is queued for it, within the limit, and ends their streams. */
  async drain(limitMs: number): Promise<void> {
    this.closed = true;
    await this.finish(`service ${this.options.service} is shutting down`, limitMs);
  }

  /** Begins a new epoch. Whoever listens gets what is queued, within the limit, and then has to come back. */
  async restart(epoch: string, limitMs: number): Promise<void> {
    this.epoch = epoch;
    await this.finish(`service ${this.options.service} begins anew`, limitMs);
  }

  close(error: MeshError): void {
    this.closed = true;
    this.endAll(error);
  }

  /** Ends those who are there now, each as soon as it has everything, and all of them at the limit. */
  private async finish(why: string, limitMs: number): Promise<void> {
    const leaving = [...this.all];
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    // Not a plain end: farm-ng's client takes that for an event and dies of it.
    const error = new MeshError('unavailable', why);
    // Each by itself, so that one that stalls costs the others nothing.
    const finished = leaving.map((subscriber) => subscriber.idle().then(() => subscriber.end(error)));
    await Promise.race([Promise.all(finished), limit]);
    clearTimeout(timer);
    for (const subscriber of leaving) subscriber.end(error);
  }

  private endAll(error: MeshError): void {
    for (const subscriber of [...this.all]) subscriber.end(error);
  }

  private remove(subscriber: Subscriber, lost: readonly EncodedEvent[], why: MeshError | undefined): void {
    this.all.delete(subscriber);
    for (const topic of this.known) topic.subscribers.delete(subscriber);
    // Who left by itself misses nothing, and while the service closes nobody is left to be told.
    if (why === undefined || this.closed) return;
    const lostOf = new Map<string, number>();
    for (const { path } of lost) lostOf.set(path, (lostOf.get(path) ?? 0) + 1);
    for (const topic of this.known) topic.dropped += lostOf.get(topic.path) ?? 0;
    if (why.code === 'unavailable' && lost.length === 0) return;
    this.options.logger.warn(`subscriber at ${subscriber.peer}: ${why.message}`);
  }
}

/** The sequence from which on nothing is missing between what is held and the next live event. */
function firstUnbroken(next: number, held: readonly EncodedEvent[]): number {
  let first = next;
  for (let index = held.length - 1; held[index]?.sequence === first - 1; index--) first -= 1;
  return first;
}

/** The sequence a subscriber goes on from; undefined for one that was not here before. */
function nextWanted(resume: Resume | undefined, epoch: string, topic: Topic): number | undefined {
  const next = resume?.next.get(topic.path) ?? resume?.next.get(anyPath);
  // It knew an earlier start of this service: everything since the restart is new to it.
  return next !== undefined && resume?.epoch !== epoch ? 0 : next;
}
