import type { Observation } from './observation-store.js';

/** Values of neighbouring observations: what a plot has room to show of them. */
export interface Bucket {
  /** Unix time in ms, of the first one. */
  readonly time: number;
  readonly low: number;
  readonly mean: number;
  readonly high: number;
}

/** Cuts the rows into at most `most` runs of equal count, so that a plot stays as small as the paper is wide. */
export function timeBuckets(rows: readonly Observation[], most: number): Bucket[] {
  const perBucket = Math.max(1, Math.ceil(rows.length / most));
  const buckets: Bucket[] = [];
  for (let start = 0; start < rows.length; start += perBucket) {
    const end = Math.min(start + perBucket, rows.length);
    let low = Infinity;
    let high = -Infinity;
    let mean = 0;
    for (let index = start; index < end; index += 1) {
      const { val } = rows[index]!;
      low = Math.min(low, val);
      high = Math.max(high, val);
      mean += (val - mean) / (index - start + 1);
    }
    buckets.push({ time: Date.parse(`${rows[start]!.time_added.replace(' ', 'T')}Z`), low, mean, high });
  }
  return buckets;
}
