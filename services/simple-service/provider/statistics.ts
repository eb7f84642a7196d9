/** What `--stats` prints. Variance and deviation are the population's; all but `size` are null without values. */
export interface Statistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly median: number | null;
  readonly mean: number | null;
  readonly variance: number | null;
  readonly 'std dev': number | null;
  readonly size: number;
}

export function statistics(values: readonly number[]): Statistics {
  const size = values.length;
  if (size === 0) {
    return { min: null, max: null, median: null, mean: null, variance: null, 'std dev': null, size };
  }
  const sorted = Float64Array.from(values).sort();
  // Welford's running mean: a sum of squares would lose all digits for values far from zero.
  let mean = 0;
  let squares = 0;
  for (const [index, value] of values.entries()) {
    const before = value - mean;
    mean += before / (index + 1);
    squares += before * (value - mean);
  }
  const variance = squares / size;
  const upper = sorted[size >> 1]!;
  return {
    min: sorted[0]!,
    max: sorted[size - 1]!,
    median: size % 2 === 1 ? upper : sorted[(size >> 1) - 1]! / 2 + upper / 2,
    mean,
    variance,
    'std dev': Math.sqrt(variance),
    size,
  };
}
