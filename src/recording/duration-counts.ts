// Each bucket is 2 % wider than the one before: from 10 ns on, 2400 of them reach past a hundred thousand years.
const growth = Math.log(1.02);
const least = 1e-8;
const buckets = 2400;

/** Durations, summed up in bounded memory: quantiles are exact to 2 %. */
export class DurationCounts {
  count = 0;
  /** How many were below 0: the later stamp stands for the earlier moment. */
  negative = 0;
  minS = Number.POSITIVE_INFINITY;
  maxS = Number.NEGATIVE_INFINITY;
  private readonly counts = new Uint32Array(buckets);

  add(seconds: number): void {
    if (Number.isNaN(seconds)) return;
    this.count += 1;
    if (seconds < 0) this.negative += 1;
    if (seconds < this.minS) this.minS = seconds;
    if (seconds > this.maxS) this.maxS = seconds;
    const bucket = seconds <= least ? 0 : Math.ceil(Math.log(seconds / least) / growth);
    this.counts[Math.min(bucket, buckets - 1)]! += 1;
  }

  /** The duration that `part` of all (0 … 1) do not exceed; NaN without any. */
  quantileS(part: number): number {
    let left = Math.max(1, Math.ceil(part * this.count));
    for (let bucket = 0; bucket < buckets; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return this.bounded(least * Math.exp(bucket * growth));
    }
    return Number.NaN;
  }

  private bounded(seconds: number): number {
    return Math.max(this.minS, Math.min(this.maxS, seconds));
  }
}
