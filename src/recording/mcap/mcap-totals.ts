import { pathKey } from '../path-patterns.js';
import type { PathName } from '../path-table.js';
import type { RecordedPath, RecordingSummary } from '../recording.js';
import { nameOfChannel } from './foreign-events.js';
import type { McapFile } from './mcap-file.js';
import { summaryMetadataName } from './mcap-format.js';
import type { MessagePairs } from './message-pairs.js';
import { PathTally, type PathTotals } from './path-tally.js';

/** What a summary tells of the events of files. */
export type FileTotals = Pick<RecordingSummary, 'count' | 'firstS' | 'lastS' | 'paths' | 'damage'>;

/** Counts events by path. */
export class TotalsOfPaths {
  private readonly tallies = new Map<string, { readonly name: PathName; readonly tally: PathTally }>();
  /** Those of the channels that were met: texts need not be compared for each event. */
  private readonly known = new Map<PathName, PathTally>();

  /** Takes the event that was found last. */
  add({ name, sequence, timeS, payload }: MessagePairs): void {
    const tally = this.known.get(name) ?? this.meet(name);
    tally.add(sequence, timeS, payload.end - payload.start);
  }

  private meet(name: PathName): PathTally {
    const key = [name.service, name.path, name.type].join('\n');
    const entry = this.tallies.get(key) ?? { name, tally: new PathTally() };
    this.tallies.set(key, entry);
    this.known.set(name, entry.tally);
    return entry.tally;
  }

  get result(): FileTotals {
    return totalsOf([...this.tallies.values()].map(({ name, tally }) => ({ ...name, ...tally.totals })));
  }
}

/**
 * What furrow kept of the events when it closed the file; undefined for files of other programs, or that one has
 * changed since.
 */
export async function keptTotals({ index }: McapFile): Promise<FileTotals | undefined> {
  if (index?.statistics === undefined) return undefined;
  const paths: RecordedPath[] = [];
  try {
    for await (const { metadata } of index.readMetadata({ name: summaryMetadataName })) {
      for (const [id, text] of metadata) {
        const channel = index.channelsById.get(Number(id));
        const totals = readTotals(text);
        const messages = index.statistics.channelMessageCounts.get(Number(id)) ?? 0n;
        if (channel === undefined || totals === undefined || messages !== BigInt(totals.count)) return undefined;
        const record = { ...channel, metadata: Object.fromEntries(channel.metadata) };
        paths.push({ ...nameOfChannel(record, index.schemasById.get(channel.schemaId)?.name ?? ''), ...totals });
      }
    }
  } catch {
    // Damaged: the events themselves tell.
    return undefined;
  }
  const total = totalsOf(paths);
  // Two messages for each event.
  return BigInt(total.count) * 2n === index.statistics.messageCount ? total : undefined;
}

function readTotals(text: string): PathTotals | undefined {
  const { count, payloadBytes, firstS, lastS, missing } = JSON.parse(text) as Record<string, unknown>;
  const numbers = { count, payloadBytes, firstS, lastS, missing };
  return Object.values(numbers).every(Number.isFinite) ? (numbers as PathTotals) : undefined;
}

function totalsOf(paths: readonly RecordedPath[]): FileTotals {
  const sorted = paths.filter(({ count }) => count > 0).sort(byKey);
  return {
    count: sorted.reduce((total, { count }) => total + count, 0),
    firstS: sorted.length === 0 ? 0 : Math.min(...sorted.map(({ firstS }) => firstS)),
    lastS: sorted.length === 0 ? 0 : Math.max(...sorted.map(({ lastS }) => lastS)),
    paths: sorted,
    damage: [],
  };
}

function byKey(one: RecordedPath, other: RecordedPath): number {
  const [left, right] = [pathKey(one), pathKey(other)];
  return left < right ? -1 : left > right ? 1 : 0;
}
