import type { Timestamp } from '../messages/timestamp.js';
import type { Uri } from '../messages/uri.js';
import { DurationCounts } from './duration-counts.js';
import { pathKey } from './path-patterns.js';
import type {
  Damage,
  ReadOptions,
  RecordedEvent,
  RecordedPath,
  RecordingReader,
  RecordingSummary,
} from './recording.js';

/** Times between two stamps that the events of a path have of one clock. */
export interface StampLatency {
  /** Semantics of the two stamps, e.g. `service/send` and `client/receive`. */
  readonly from: string;
  readonly to: string;
  readonly count: number;
  readonly minS: number;
  readonly p50S: number;
  readonly p99S: number;
  readonly maxS: number;
}

const mostPairs = 64;

/** What a path of a recording did. */
export interface AnalyzedPath extends RecordedPath {
  /** Events a second between its first and its last; 0 for fewer than two. */
  readonly rateHz: number;
  /** The longest time without an event between its first and its last; 0 for fewer than two. */
  readonly silentS: number;
  readonly latencies: readonly StampLatency[];
  /** Events in each column of the recording. */
  readonly columns: readonly number[];
}

export interface RecordingAnalysis extends Omit<RecordingSummary, 'paths'> {
  readonly durationS: number;
  /** Seconds that one column spans. */
  readonly columnS: number;
  readonly paths: readonly AnalyzedPath[];
}

export interface AnalyzeOptions extends Pick<ReadOptions, 'signal' | 'onProgress'> {
  /** Into how many columns the time is divided. Default 600. */
  readonly columns?: number;
}

/**
 * Reads a whole recording and says what each path did. Memory grows with the number of paths only.
 * Errors: those of reading.
 */
export async function analyzeRecording(
  recording: RecordingReader,
  options: AnalyzeOptions = {},
): Promise<RecordingAnalysis> {
  const { columns = 600, signal, onProgress } = options;
  const summary = await recording.summary(signal === undefined ? {} : { signal });
  const durationS = summary.lastS - summary.firstS;
  const analysis = new Columns(summary.firstS, durationS, columns);
  const damage: Damage[] = [...summary.damage];
  const reading = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  for await (const batch of recording.batches({ ...reading, lend: true }))
    for (const recorded of batch) analysis.add(recorded);
  const paths = summary.paths.map((path) => ({ ...path, ...analysis.of(path) }));
  return { ...summary, paths, damage, durationS, columnS: durationS / columns };
}

class Columns {
  private readonly paths = new Map<string, PathColumns>();
  /** Events of one path mostly share their URI. */
  private readonly ofUri = new WeakMap<Uri, PathColumns>();

  constructor(
    private readonly firstS: number,
    private readonly durationS: number,
    private readonly columns: number,
  ) {}

  add({ event, timeS }: RecordedEvent): void {
    const { uri } = event;
    let columns = this.ofUri.get(uri);
    if (columns === undefined) {
      columns = this.columnsOf(event);
      this.ofUri.set(uri, columns);
    }
    const part = this.durationS > 0 ? (timeS - this.firstS) / this.durationS : 0;
    const column = Math.min(this.columns - 1, Math.max(0, Math.floor(part * this.columns)));
    columns.add(column, timeS, event.timestamps);
  }

  of(path: RecordedPath): Pick<AnalyzedPath, 'rateHz' | 'silentS' | 'latencies' | 'columns'> {
    const spanS = path.lastS - path.firstS;
    const rateHz = spanS > 0 ? (path.count - 1) / spanS : 0;
    const found = this.columnsOf(path);
    return { rateHz, silentS: found.silentS, latencies: found.latencies, columns: Array.from(found.counts) };
  }

  private columnsOf(path: Pick<RecordedPath, 'service' | 'path' | 'type'>): PathColumns {
    const key = `${pathKey(path)}\n${path.type}`;
    let columns = this.paths.get(key);
    if (columns === undefined) {
      columns = new PathColumns(this.columns);
      this.paths.set(key, columns);
    }
    return columns;
  }
}

class PathColumns {
  readonly counts: Float64Array;
  silentS = 0;
  private lastS: number | undefined;
  /** By the semantics of the first stamp, then of the second. */
  private readonly pairs = new Map<string, Map<string, DurationCounts>>();
  private pairCount = 0;

  constructor(columns: number) {
    this.counts = new Float64Array(columns);
  }

  get latencies(): StampLatency[] {
    return [...this.pairs].flatMap(([from, others]) =>
      Array.from(others, ([to, times]) => ({
        from,
        to,
        count: times.count,
        minS: times.minS,
        p50S: times.quantileS(0.5),
        p99S: times.quantileS(0.99),
        maxS: times.maxS,
      })),
    );
  }

  add(column: number, timeS: number, stamps: readonly Timestamp[]): void {
    this.counts[column]! += 1;
    if (this.lastS !== undefined && timeS - this.lastS > this.silentS) this.silentS = timeS - this.lastS;
    this.lastS = timeS;
    for (let index = 1; index < stamps.length; index++) {
      const to = stamps[index]!;
      // The stamp before it of the same clock; a monotonic one, as system clocks are set.
      if (!to.clockName.endsWith('/monotonic')) continue;
      const from = lastOfClock(stamps, index, to.clockName);
      if (from !== undefined && from.semantics !== to.semantics) this.pair(from, to)?.add(to.stamp - from.stamp);
    }
  }

  private pair({ semantics: from }: Timestamp, { semantics: to }: Timestamp): DurationCounts | undefined {
    let others = this.pairs.get(from);
    let times = others?.get(to);
    // Semantics come from the wire: names without end must not fill the memory.
    if (times !== undefined || this.pairCount >= mostPairs) return times;
    this.pairCount += 1;
    times = new DurationCounts();
    others ??= new Map();
    others.set(to, times);
    this.pairs.set(from, others);
    return times;
  }
}

function lastOfClock(stamps: readonly Timestamp[], before: number, clockName: string): Timestamp | undefined {
  for (let index = before - 1; index >= 0; index--) if (stamps[index]!.clockName === clockName) return stamps[index];
  return undefined;
}
