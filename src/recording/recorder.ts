import { aborted } from '../base/aborted.js';
import { type Clock, systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import type { SubscriptionConfig } from '../config/types.js';
import type { Mesh } from '../mesh/mesh.js';
import { decodeEvent } from '../messages/envelope.js';
import { lengthOf, type MeshEvent } from '../messages/mesh-event.js';
import { noBytes } from './bytes-part.js';
import { nearlyFull } from './disk-space.js';
import { maxEventBytes } from './event-file-format.js';
import { ownsPath } from './recorded-paths.js';
import { RecorderInput } from './recorder-input.js';
import type { StampedEvent } from './recording.js';
import type { RecordingOutput } from './recording-output.js';
import type { RecordingReport } from './recording-report.js';
import { RecordingStamps } from './recording-stamps.js';

export interface RecorderOptions {
  /** Opens what is written to. */
  readonly open: () => Promise<RecordingOutput>;
  /** Default: this machine's. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Bytes that can still be written; asked once a second. Default: the disk is not watched. */
  readonly freeBytes?: () => Promise<number>;
  /** The recording stops, complete, when `freeBytes` are fewer. Default 100 MB. */
  readonly minFreeBytes?: number;
  /** Events to write before all others, such as headers. */
  readonly firstEvents?: readonly MeshEvent[];
  /** Paths that are left out of the subscriptions, because their events come by `write`. Default: none. */
  readonly leaveOut?: (service: string, path: string) => boolean;
  /** The event to write last when something else than `stop` ends the recording. Default: none. */
  readonly lastEvent?: (error: MeshError) => Promise<MeshEvent | undefined>;
}

const watchMs = 1000;
/** What writers say of an event that is none. */
const refusals: ReadonlySet<string> = new Set(['invalid-argument', 'data-loss', 'out-of-range']);
const none: readonly MeshEvent[] = [];
const defaultMinFreeBytes = 100e6;

/**
 * Records a running mesh: every event of some subscriptions, with all that their publishers still hold, as the bytes that
 * came, behind them the stamps `client/receive` and `file/write`. A publisher that is away is waited for. A disk
 * that is too slow makes publishers wait before anything is lost, and what is lost is counted.
 */
export class Recorder implements AsyncDisposable {
  /** Resolves when the recording has ended, by `stop` or by trouble (`error`), and is closed. */
  readonly ended: Promise<RecordingReport>;
  private readonly writer: RecordingOutput;
  private readonly clock: Clock;
  private readonly options: RecorderOptions;
  private readonly stamps: RecordingStamps;
  private readonly inputs: readonly RecorderInput[];
  private readonly stopping = new AbortController();
  private readonly startS: number;
  private writing: Promise<unknown> = Promise.resolve();
  private events = 0;
  private bytes = 0;
  private failure: MeshError | undefined;
  private endS: number | undefined;
  private watching = false;

  private constructor(
    mesh: Mesh,
    subscriptions: readonly SubscriptionConfig[],
    writer: RecordingOutput,
    options: RecorderOptions,
  ) {
    this.writer = writer;
    this.options = options;
    this.clock = options.clock ?? systemClock();
    this.stamps = new RecordingStamps(this.clock);
    this.startS = this.clock.system();
    this.inputs = subscriptions.map(
      (subscription) =>
        new RecorderInput(mesh, {
          subscription,
          logger: options.logger ?? silentLogger,
          signal: this.stopping.signal,
          owns: (path) =>
            options.leaveOut?.(subscription.publisher, path) !== true && ownsPath(subscriptions, subscription, path),
          write: (events) => this.write(events),
        }),
    );
    // A failure ends the recording, which is where it is told.
    if (options.firstEvents !== undefined) this.write(options.firstEvents).catch(() => undefined);
    this.ended = this.run();
  }

  /**
   * Opens the recording and subscribes. Errors: `resource-exhausted` when the disk is nearly full already; those of
   * `options.open`; `not-found` and `failed-precondition` for a publisher that is no server of the mesh.
   */
  static async start(
    mesh: Mesh,
    subscriptions: readonly SubscriptionConfig[],
    options: RecorderOptions,
  ): Promise<Recorder> {
    for (const { publisher } of subscriptions) mesh.client(publisher);
    const { freeBytes, minFreeBytes = defaultMinFreeBytes } = options;
    const free = await freeBytes?.();
    if (free !== undefined && free < minFreeBytes) throw nearlyFull(free, minFreeBytes);
    return new Recorder(mesh, subscriptions, await options.open(), options);
  }

  /** What is written and lost so far. */
  get report(): RecordingReport {
    const reports = this.inputs.map((input) => input.report);
    const paths = reports
      .flatMap((report) => report.paths)
      .sort((one, other) => order(one.service, other.service) || order(one.path, other.path));
    const subscriptions = reports.map(({ subscription }) => subscription);
    const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
    return {
      files: [...this.writer.files],
      startS: this.startS,
      durationS: (this.endS ?? this.clock.system()) - this.startS,
      events: this.events,
      bytes: this.bytes,
      lost: sum(paths.map(({ lost }) => lost)) + sum(subscriptions.map(({ unreadable }) => unreadable)),
      paths,
      subscriptions,
      ...(this.failure === undefined ? {} : { error: this.failure }),
    };
  }

  /**
   * Writes events that do not come by a subscription; resolves when the writer has them. Gives back those that are no
   * events to their last byte, which are left out. Errors: `failed-precondition` when the recording has ended, and those
   * of the writer, which end it.
   */
  write(events: readonly MeshEvent[]): Promise<readonly MeshEvent[]> {
    const writing = this.writing.then(() => this.writeNow(events));
    // Each caller hears of its own failure; the next one starts afresh and meets the end of the recording.
    this.writing = writing.catch(() => undefined);
    return writing;
  }

  /** Header events (`/header…`) of before are not repeated in later files. */
  clearHeaders(): void {
    this.writer.clearHeaders();
  }

  /** Ends the recording; resolves when it is complete. Can be called twice. */
  stop(): Promise<RecordingReport> {
    this.stopping.abort();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private async run(): Promise<RecordingReport> {
    const timer = setInterval(() => void this.watchDisk(), watchMs);
    await Promise.all(this.inputs.map((input) => input.run()));
    await aborted(this.stopping.signal);
    clearInterval(timer);
    await this.writing;
    if (this.failure !== undefined) await this.sayLast(this.failure);
    this.endS = this.clock.system();
    try {
      await this.writer.close();
    } catch (error) {
      this.failure ??= MeshError.from(error);
    }
    return this.report;
  }

  private async writeNow(events: readonly MeshEvent[]): Promise<readonly MeshEvent[]> {
    if (this.endS !== undefined) throw new MeshError('failed-precondition', 'the recording has ended');
    if (this.failure !== undefined) throw this.failure;
    const stamped = this.stamps.stamp(events);
    let leftOut = none;
    try {
      await this.writer.write(stamped);
    } catch (error) {
      leftOut = await this.writeBehind(stamped, MeshError.from(error, 'internal'));
    }
    this.events += stamped.length - leftOut.length;
    for (const { event, stamps = noBytes } of stamped) {
      this.bytes += lengthOf(event.eventRange) + lengthOf(stamps) + lengthOf(event.payloadRange);
    }
    return leftOut;
  }

  /**
   * The writer refused one of the events: those before it are written. Leaves it out and writes those behind it. Any
   * other error ends the recording, and is thrown.
   */
  private async writeBehind(events: readonly StampedEvent[], why: MeshError): Promise<readonly MeshEvent[]> {
    const leftOut: MeshEvent[] = [];
    let rest = events;
    for (let error: MeshError | undefined = why; error !== undefined; ) {
      const at = refusals.has(error.code) ? rest.findIndex((one) => !isReadable(one)) : -1;
      if (at < 0) {
        this.fail(error);
        throw error;
      }
      leftOut.push(rest[at]!.event);
      rest = rest.slice(at + 1);
      error = await this.writer.write(rest).then(
        () => undefined,
        (failure) => MeshError.from(failure, 'internal'),
      );
    }
    return leftOut;
  }

  private fail(error: MeshError): void {
    this.failure ??= error;
    this.stopping.abort();
  }

  /** The failure may be that nothing can be written any more. */
  private async sayLast(error: MeshError): Promise<void> {
    try {
      const event = await this.options.lastEvent?.(error);
      if (event !== undefined) await this.writer.write(this.stamps.stamp([event]));
    } catch {
      // The report tells of the failure in any case.
    }
  }

  private async watchDisk(): Promise<void> {
    const { freeBytes, minFreeBytes = defaultMinFreeBytes } = this.options;
    if (freeBytes === undefined || this.watching) return;
    this.watching = true;
    try {
      const free = await freeBytes();
      if (free < minFreeBytes) this.fail(nearlyFull(free, minFreeBytes));
    } catch (error) {
      this.fail(MeshError.from(error));
    } finally {
      this.watching = false;
    }
  }
}

/** Whether a reader finds its way through the event and behind it. */
function isReadable({ event: { eventBytes, payload }, stamps = noBytes }: StampedEvent): boolean {
  try {
    const isWhole = decodeEvent(eventBytes).payloadLength === payload.length;
    return isWhole && eventBytes.length + lengthOf(stamps) <= maxEventBytes;
  } catch {
    return false;
  }
}

function order(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
