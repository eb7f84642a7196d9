// From a microsecond to some hours, each bucket 5 % wider than the one before: that is how exact a quantile is.
const smallestMs = 0.001;
const growth = 1.05;
const buckets = 480;

/** How late events went out: a histogram of fixed size. */
export class Lateness {
  private readonly counts = new Float64Array(buckets);
  private total = 0;

  add(seconds: number): void {
    const bucket = Math.ceil(Math.log(Math.max(seconds * 1000, smallestMs) / smallestMs) / Math.log(growth));
    const at = Math.min(bucket, buckets - 1);
    this.counts[at] = this.counts[at]! + 1;
    this.total += 1;
  }

  /** The milliseconds within which this share of the events went out; undefined without events. */
  quantileMs(share: number): number | undefined {
    if (this.total === 0) return undefined;
    let seen = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      seen += this.counts[bucket]!;
      if (seen >= share * this.total) return smallestMs * growth ** bucket;
    }
    return smallestMs * growth ** (buckets - 1);
  }
}
