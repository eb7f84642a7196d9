import type { FileIndex } from './event-file-index.js';
import { pathKey } from './path-patterns.js';
import type { PathName } from './path-table.js';
import type { Damage, RecordedPath, RecordingSummary } from './recording.js';

/** One file of a recording. */
export interface IndexedFile {
  readonly file: string;
  readonly index: FileIndex;
  /** Where its first record that repeats no header of a file before begins. */
  readonly start: number;
}

type Sums = { -readonly [K in keyof RecordedPath]: RecordedPath[K] };

/** Joins the indexes of the files of a recording, in order: headers that later files repeat count once. */
export function mergeIndexes(parts: readonly { readonly file: string; readonly index: FileIndex }[]): {
  readonly files: readonly IndexedFile[];
  readonly summary: RecordingSummary;
} {
  const sums = new Map<string, Sums>();
  const lastSequences = new Map<string, number>();
  const files: IndexedFile[] = [];
  const damage: Damage[] = [];
  let bytes = 0;
  for (const { file, index } of parts) {
    const repeated = repeatedHeaders(index, lastSequences);
    files.push({ file, index, start: repeated.at(-1)?.end ?? 0 });
    bytes += index.size;
    damage.push(...index.damage.map((one) => ({ file, ...one })));
    for (const [number, path] of index.paths.entries()) {
      const own = repeated.filter((header) => header.path === number);
      const count = path.count - own.length;
      const key = keyOf(path);
      const sum = sums.get(key);
      const last = lastSequences.get(key);
      lastSequences.set(key, path.lastSequence);
      if (count === 0) continue;
      const payloadBytes = path.payloadBytes - own.reduce((total, header) => total + header.payloadBytes, 0);
      if (sum === undefined) sums.set(key, { ...recorded(path), count, payloadBytes });
      else {
        sum.count += count;
        sum.payloadBytes += payloadBytes;
        sum.firstS = Math.min(sum.firstS, path.firstS);
        sum.lastS = Math.max(sum.lastS, path.lastS);
        sum.missing += path.missing + Math.max(0, path.firstSequence - (last ?? path.firstSequence) - 1);
      }
    }
  }
  const paths = [...sums.values()].sort(byName);
  const summary: RecordingSummary = {
    files: parts.map(({ file }) => file),
    format: 'bin',
    bytes,
    count: paths.reduce((total, path) => total + path.count, 0),
    firstS: paths.length === 0 ? 0 : Math.min(...paths.map((path) => path.firstS)),
    lastS: paths.length === 0 ? 0 : Math.max(...paths.map((path) => path.lastS)),
    paths,
    damage,
  };
  return { files, summary };
}

/** The headers at the start of a file that are in a file before, too. */
function repeatedHeaders(index: FileIndex, lastSequences: ReadonlyMap<string, number>): FileIndex['headers'] {
  const { headers, paths } = index;
  const end = headers.findIndex(({ path, sequence }) => lastSequences.get(keyOf(paths[path]!)) !== sequence);
  return end < 0 ? headers : headers.slice(0, end);
}

function keyOf({ service, path, type, pb }: PathName): string {
  return [service, path, type, pb].join('\n');
}

function recorded({ service, path, type, pb, count, payloadBytes, firstS, lastS, missing }: Sums): RecordedPath {
  return { service, path, type, pb, count, payloadBytes, firstS, lastS, missing };
}

function byName(one: RecordedPath, other: RecordedPath): number {
  const [left, right] = [pathKey(one), pathKey(other)];
  return left < right ? -1 : left > right ? 1 : 0;
}
