import { baseOf, partOf } from '../../recording/event-file-format.js';
import { recordingFiles } from '../../recording/open-recording.js';
import type { Damage } from '../../recording/recording.js';
import { showBytes } from '../units.js';

/** The recordings that the names mean, each as its files: parts of one base belong together. Errors: `not-found`. */
export async function recordingsOf(names: readonly string[]): Promise<readonly (readonly string[])[]> {
  const recordings = new Map<string, Set<string>>();
  for (const file of (await Promise.all(names.map(recordingFiles))).flat()) {
    const key = partOf(file) === undefined ? file : baseOf(file);
    recordings.set(key, (recordings.get(key) ?? new Set()).add(file));
  }
  return [...recordings.values()].map((files) => [...files].sort(byPart));
}

/** How people call a recording. */
export function titleOf(files: readonly string[]): string {
  return files.length > 1 ? `${files[0]} … ${files.at(-1)}` : (files[0] ?? '');
}

/** One damage on one line. */
export function damageLine({ file, offset, bytes, kind, reason }: Damage): string {
  const what = kind === 'tail' ? 'torn tail' : 'damage';
  const size = bytes < 10_000 ? '' : ` (${showBytes(bytes)})`;
  return `${file}: ${what}, ${bytes} bytes${size} from byte ${offset} on: ${reason}`;
}

function byPart(one: string, other: string): number {
  return (partOf(one)?.part ?? 0) - (partOf(other)?.part ?? 0);
}
