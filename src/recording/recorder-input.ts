import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { SubscriptionConfig } from '../config/types.js';
import { requestOf } from '../mesh/event-client.js';
import type { EventStream } from '../mesh/event-stream.js';
import type { Mesh } from '../mesh/mesh.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { PathCounts } from './path-counts.js';
import type { PathReport, SubscriptionReport } from './recording-report.js';

// As much as a publisher's queue takes: a slow disk must not reach the publisher before that is full.
const depth = 10_000;
// What services allow by default; one that allows less is asked for its default.
const patientMs = 10_000;

export interface RecorderInputOptions {
  readonly subscription: SubscriptionConfig;
  readonly logger: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Whether the events of a path are to be written. */
  owns(path: string): boolean;
  /** Writes; gives back what is left out because it is no event. The next events are read when it resolves. */
  write(events: readonly MeshEvent[]): Promise<readonly MeshEvent[]>;
}

interface Path {
  readonly owned: boolean;
  readonly counts: PathCounts;
}

/** One subscription of a recording: reads it to its end, and counts. */
export class RecorderInput {
  private readonly mesh: Mesh;
  private readonly options: RecorderInputOptions;
  private readonly paths = new Map<string, Path>();
  private stream: EventStream | undefined;
  private unrecordable = 0;
  private gapped = 0;
  private failure: MeshError | undefined;

  constructor(mesh: Mesh, options: RecorderInputOptions) {
    this.mesh = mesh;
    this.options = options;
  }

  /** Resolves when the signal has ended it, or when it met what trying again cannot mend: that is logged and reported. */
  async run(): Promise<void> {
    const { logger, signal, subscription } = this.options;
    const stated = subscription.qos.blockMs;
    try {
      try {
        await this.read(stated ?? patientMs);
      } catch (error) {
        if (stated !== undefined || !isTooPatient(MeshError.from(error))) throw error;
        await this.read(undefined);
      }
    } catch (error) {
      // Whoever writes tells of its own failures, and ends all inputs.
      if (signal.aborted) return;
      this.failure = MeshError.from(error);
      logger.error(`not recorded: ${this.failure.message}`);
    }
  }

  get report(): { readonly subscription: SubscriptionReport; readonly paths: readonly PathReport[] } {
    const { publisher: service, path } = this.options.subscription;
    const { reconnects = 0, lost = 0 } = this.stream?.counts ?? {};
    const begins = this.stream?.begins ?? new Map<string, number>();
    // A path that was published before, and not since, is one of which events were lost before, too.
    for (const known of begins.keys()) this.path(known);
    return {
      subscription: {
        service,
        path,
        reconnects,
        unreadable: lost - this.gapped + this.unrecordable,
        ...(this.failure === undefined ? {} : { error: this.failure }),
      },
      paths: Array.from(this.paths, ([known, { owned, counts }]) =>
        owned ? [counts.report(begins.get(known))] : [],
      ).flat(),
    };
  }

  private async read(limitMs: number | undefined): Promise<void> {
    const { subscription, signal } = this.options;
    const stream = this.mesh.client(subscription.publisher).events(
      {
        depth,
        ...requestOf(subscription),
        overflow: 'block',
        history: true,
        ...(limitMs === undefined ? {} : { blockMs: limitMs }),
      },
      { signal },
    );
    this.stream = stream;
    const gaps = stream.gaps$.subscribe((gap) => {
      this.gapped += gap.count;
      this.path(gap.path).counts.miss(gap);
    });
    try {
      await stream.forEachBatch((batch) => this.take(batch, stream.begins));
    } finally {
      gaps.unsubscribe();
    }
  }

  private take(batch: readonly MeshEvent[], begins: ReadonlyMap<string, number>): Promise<void> | void {
    let name = '';
    let begin = 0;
    let path: Path | undefined;
    let wanted: MeshEvent[] | undefined;
    for (let index = 0; index < batch.length; index++) {
      const event = batch[index]!;
      if (path === undefined || event.path !== name) {
        name = event.path;
        path = this.path(name);
        begin = begins.get(name) ?? 0;
      }
      if (path.owned) {
        path.counts.add(event, begin);
        wanted?.push(event);
      } else wanted ??= batch.slice(0, index);
    }
    const events = wanted ?? batch;
    return events.length === 0 ? undefined : this.write(events);
  }

  private async write(events: readonly MeshEvent[]): Promise<void> {
    const leftOut = await this.options.write(events);
    for (const event of leftOut) {
      this.path(event.path).counts.leaveOut(event);
      if (this.unrecordable === 0) {
        const what = `event ${event.sequence} of ${event.service}${event.path} is not what it says`;
        this.options.logger.error(`not recorded: ${what}; more of them are only counted`);
      }
      this.unrecordable += 1;
    }
  }

  private path(name: string): Path {
    let path = this.paths.get(name);
    if (path === undefined) {
      const { owns, subscription } = this.options;
      path = { owned: owns(name), counts: new PathCounts(subscription.publisher, name, subscription.everyN) };
      this.paths.set(name, path);
    }
    return path;
  }
}

/** Whether a service refused the time for which it is to wait. */
function isTooPatient({ code, message }: MeshError): boolean {
  return code === 'invalid-argument' && message.includes('block_ms=');
}
