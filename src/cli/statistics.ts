/** What a list of measurements comes to. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  /** Standard deviation. */
  readonly std: number;
  readonly p50: number;
  readonly p99: number;
}

/** The newest `limit` measurements, and what they come to. */
export class Window {
  private readonly values: number[] = [];
  private readonly limit: number;
  private at = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  add(value: number): void {
    this.values[this.at] = value;
    this.at = (this.at + 1) % this.limit;
  }

  get sum(): number {
    return this.values.reduce((total, value) => total + value, 0);
  }

  /** Undefined while there is no measurement. */
  get summary(): Summary | undefined {
    const count = this.values.length;
    if (count === 0) return undefined;
    const sorted = this.values.toSorted((one, other) => one - other);
    const mean = this.sum / count;
    const variance = sorted.reduce((total, value) => total + (value - mean) ** 2, 0) / count;
    const quantile = (share: number): number => sorted[Math.min(count - 1, Math.ceil(share * count) - 1)]!;
    return {
      count,
      min: sorted[0]!,
      mean,
      max: sorted[count - 1]!,
      std: Math.sqrt(variance),
      p50: quantile(0.5),
      p99: quantile(0.99),
    };
  }
}
