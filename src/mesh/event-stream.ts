import { type Observable, Subject } from 'rxjs';
import type { Clock } from '../base/clock.js';
import { MeshError, type MeshErrorCode } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { pause } from '../base/pause.js';
import type { EnvelopeReader } from '../messages/envelope-reader.js';
import { EventMemo } from '../messages/event-memo.js';
import type { EventOrigin, MeshEvent } from '../messages/mesh-event.js';
import type { MessageCache } from '../messages/message-cache.js';
import type { TypeRegistry } from '../messages/registry.js';
import { semantics } from '../messages/timestamp.js';
import { isPrefix, isWildcard, normalizePath } from '../messages/uri.js';
import type { Headers, MessageBlock } from '../wire/types.js';
import { backoffMs, longestBackoffMs } from './backoff.js';
import { BatchIterator } from './batch-iterator.js';
import { BlockReader, type BlockSource } from './block-reader.js';
import type { Connection } from './connection.js';
import {
  epochOf,
  firstOf,
  fromHistory,
  isReplay,
  peerVersion,
  prefixHeaders,
  type Resume,
  resumeHeaders,
  versionHeaders,
} from './protocol.js';
import type { RecentEvents } from './recent-events.js';
import { type Gap, SequenceTracker } from './sequence-tracker.js';
import { encodeSubscription, type SubscribeRequest } from './subscribe-request.js';
import { givenBack, type TakeBatch, TakeFailure, takenInTurn } from './take-batch.js';

export interface EventStreamOptions {
  readonly service: string;
  readonly request: SubscribeRequest;
  readonly connection: Connection;
  readonly version: string;
  readonly registry: TypeRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Finds the parts of an event for the streams of one client. */
  readonly reader: EnvelopeReader;
  /** What the streams of one client decode, shared. */
  readonly cache: MessageCache;
  /** What those of its streams bring that have this request's path. */
  readonly recent: () => RecentEvents;
  /** Any of them ends the stream. */
  readonly signals: readonly AbortSignal[];
  unknownType(type: string): void;
  /** Called at each connection to a service that is not furrow's; the client says it once. */
  farmNgService(): void;
}

export interface StreamCounts {
  /** Events given to the program. */
  readonly received: number;
  /** Events it asked for and will not get. */
  readonly lost: number;
  /** Times the stream was taken up again. */
  readonly reconnects: number;
}

// Trying again cannot mend these.
const finalCodes: ReadonlySet<MeshErrorCode> = new Set<MeshErrorCode>([
  'invalid-argument',
  'permission-denied',
  'unauthenticated',
  'unimplemented',
  'failed-precondition',
  'out-of-range',
]);

/** The events of one subscription. Iterate it once; what is not read stays with the publisher, in its bounded queue. */
export class EventStream<T = unknown> implements AsyncIterable<MeshEvent<T>> {
  private readonly options: EventStreamOptions;
  private readonly pattern: string;
  private readonly tracker: SequenceTracker;
  private readonly gaps = new Subject<Gap>();
  private readonly events: BlockReader;
  private readonly ended = new AbortController();
  private readonly lends: boolean;
  /** What it shares with others, while it runs; undefined where events are lent: what is lent to one cannot serve another. */
  private recent: RecentEvents | undefined;
  private epoch: string | undefined;
  private received = 0;
  private lost = 0;
  private connects = 0;
  private started = false;
  private lastWarning = '';

  constructor(options: EventStreamOptions) {
    this.options = options;
    this.pattern = normalizePath(options.request.path);
    this.tracker = new SequenceTracker(options.service, options.request.everyN ?? 0);
    const memo = new EventMemo();
    const { registry, unknownType } = options;
    this.lends = options.request.lend === true;
    const decoder = { registry, unknownType, memo, ...(this.lends ? {} : { cache: options.cache }) };
    this.events = new BlockReader({
      reader: options.reader,
      pattern: this.pattern,
      tracker: this.tracker,
      decoder,
      memo,
      onGaps: (gaps) => this.tell(gaps),
      onBroken: (error) => this.malformed(error),
    });
  }

  /** Tells, as soon as it is certain, which events are gone. Hot; completes when the stream ends. */
  get gaps$(): Observable<Gap> {
    return this.gaps;
  }

  /**
   * By path, the sequence that this subscription began with: events below it were published before and are no longer
   * held, save that a latched one may have come all the same. Known as soon as there is an event of the path, with a
   * furrow service as soon as it is connected.
   */
  get begins(): ReadonlyMap<string, number> {
    return this.tracker.begins;
  }

  get counts(): StreamCounts {
    return { received: this.received, lost: this.lost, reconnects: Math.max(0, this.connects - 1) };
  }

  /** Events one by one. Errors: see `EventClient.events`. */
  [Symbol.asyncIterator](): AsyncIterator<MeshEvent<T>> {
    return new BatchIterator(
      (take) => this.forEachBatch(take),
      () => this.ended.abort(),
    );
  }

  /**
   * Events as they lie ready, many at once; resolves when the stream has ended. For code on the path of every event. A
   * promise that `take` gives is waited for before the next batch comes.
   */
  async forEachBatch(take: TakeBatch<T>): Promise<void> {
    if (this.started) throw new MeshError('failed-precondition', 'this stream is read already; call events() again');
    this.started = true;
    const { signals, cache, recent } = this.options;
    if (!this.lends) cache.join();
    this.recent = this.lends ? undefined : recent();
    this.recent?.join();
    const end = (): void => this.ended.abort();
    for (const signal of signals) {
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    }
    try {
      for (let attempt = 0; !this.ended.signal.aborted; attempt++) {
        const before = this.received;
        const beganMs = performance.now();
        await this.connect(take);
        // It was really up, so the next attempts start quick again; a stream that ends at once must not be hurried.
        if (this.received > before || performance.now() - beganMs > longestBackoffMs) attempt = 0;
        await pause(backoffMs(attempt), this.ended.signal);
      }
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', end);
      if (!this.lends) cache.leave();
      this.recent?.leave();
      this.ended.abort();
      this.gaps.complete();
    }
  }

  /** One connection's worth of events; returns when it is lost, throws what is final. */
  private async connect(take: TakeBatch<T>): Promise<void> {
    const { connection } = this.options;
    const { channel, givenUp, release } = connection.lend();
    const cancel = new AbortController();
    const stop = (): void => cancel.abort();
    this.ended.signal.addEventListener('abort', stop, { once: true });
    givenUp.addEventListener('abort', stop, { once: true });
    if (connection.state.status === 'idle') connection.report({ status: 'connecting' });
    try {
      const stream = channel.stream('subscribe', this.request(), {
        headers: this.headers(),
        signal: cancel.signal,
        // Megabytes fit into the buffers on the way, so that keeping one takes both ends. Not for wildcards: their
        // latched events are one for each path.
        keepLast: this.options.request.overflow === 'latest' && !isWildcard(this.pattern),
        findKnown: (count) => this.events.expected(this.source, count),
      });
      this.begin(await stream.headers);
      await stream.receive((blocks) => {
        const batches = this.read(blocks);
        const taking = takenInTurn(take, batches);
        return this.lends ? givenBack(taking, batches, blocks) : taking;
      });
      this.interrupted(
        new MeshError('unavailable', `${this.options.service} at ${connection.address} ended the stream`),
      );
    } catch (error) {
      if (error instanceof TakeFailure) throw error.cause;
      if (this.ended.signal.aborted) return;
      const failure = givenUp.aborted ? MeshError.from(givenUp.reason) : MeshError.from(error);
      if (finalCodes.has(failure.code)) {
        const at = `${this.options.service}${this.pattern}`;
        throw new MeshError(failure.code, `subscription to ${at}: ${failure.message}`, { cause: failure });
      }
      this.interrupted(failure);
    } finally {
      this.ended.signal.removeEventListener('abort', stop);
      givenUp.removeEventListener('abort', stop);
      cancel.abort();
      release();
    }
  }

  private read(blocks: readonly MessageBlock[]): readonly (readonly MeshEvent<T>[])[] {
    this.options.connection.heard();
    const batches = this.events.read<T>(blocks, this.source);
    for (const { length } of batches) this.received += length;
    return batches;
  }

  private get source(): BlockSource {
    const { origin, recent } = this;
    return { origin, isFarmNg: this.epoch === undefined, recent };
  }

  /** Of events that are made now. */
  private readonly origin = (): EventOrigin => {
    const { clock, service } = this.options;
    const received = { stamp: clock.monotonic(), clockName: clock.monotonicName, semantics: semantics.clientReceive };
    return { publisher: service, received };
  };

  /** One broken event must not cost those behind it; a stream begun anew would only bring it again. */
  private malformed(error: unknown): void {
    this.lost += 1;
    this.warn(`${this.options.service} sent an event that cannot be read and is left out: ${(error as Error).message}`);
  }

  private begin(headers: Headers): void {
    const { connection } = this.options;
    const epoch = epochOf(headers);
    const version = peerVersion(headers);
    if (epoch === undefined) this.options.farmNgService();
    const restarted = this.epoch !== undefined && epoch !== this.epoch;
    if (restarted && isReplay(headers)) this.tracker.forget();
    this.tell(this.tracker.connected(firstOf(headers), restarted));
    this.epoch = epoch;
    this.connects += 1;
    connection.heard();
    connection.report({
      status: 'connected',
      ...(epoch === undefined ? {} : { epoch }),
      ...(version === undefined ? {} : { version }),
    });
  }

  private tell(gaps: readonly Gap[]): void {
    for (const gap of gaps) {
      this.lost += gap.count;
      this.gaps.next(gap);
    }
  }

  private interrupted(failure: MeshError): void {
    const { connection, service } = this.options;
    // The service is there, and has had enough of this subscriber.
    if (failure.code !== 'resource-exhausted') connection.report({ status: 'away', reason: failure.message });
    if (failure.code !== 'unavailable' && failure.code !== 'cancelled') {
      this.warn(`the subscription to ${service}${this.pattern} was interrupted: ${failure.message}`);
    }
  }

  /** Says a thing once, however often it happens in a row. */
  private warn(message: string): void {
    if (message === this.lastWarning) return;
    this.lastWarning = message;
    this.options.logger.warn(message);
  }

  private request(): Uint8Array {
    const { registry, request, service } = this.options;
    return encodeSubscription(registry, service, { ...request, path: this.pattern });
  }

  private headers(): Headers {
    const resume = this.resume();
    return {
      ...versionHeaders(this.options.version),
      ...(isPrefix(this.pattern) ? prefixHeaders(this.pattern) : {}),
      ...(resume === undefined ? {} : resumeHeaders(resume)),
    };
  }

  private resume(): Resume | undefined {
    if (this.epoch !== undefined) return { epoch: this.epoch, next: this.tracker.next };
    return this.options.request.history === true ? fromHistory : undefined;
  }
}
