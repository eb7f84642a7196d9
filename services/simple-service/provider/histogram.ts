/** One bar: values from `from` up to but not including `to` (the last bar includes it). */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

const mostBins = 60;

/**
 * Bars of equal width on round numbers. The width follows Freedman and Diaconis (twice the interquartile range over
 * the cube root of the count), which neither a few outliers nor many values upset.
 */
export function histogram(values: readonly number[]): Bin[] {
  if (values.length === 0) return [];
  const sorted = Float64Array.from(values).sort();
  const low = sorted[0]!;
  const high = sorted[sorted.length - 1]!;
  // Divided before they are subtracted: the range of extreme values is no finite number.
  const share = high / mostBins - low / mostBins;
  const quartile = (part: number) => sorted[Math.floor(sorted.length * part)]! / Math.cbrt(sorted.length);
  const wanted = Math.min(2 * (quartile(0.75) - quartile(0.25)) || share, 1e307);
  // Not below the distance of neighbouring doubles, nor where a power of ten is 0.
  const least = Math.max(share, Math.abs(low) * 1e-12, Math.abs(high) * 1e-12, 1e-300);
  const width = roundStep(low === high ? Math.max(1, least) : Math.max(wanted, least), least);
  const first = Math.floor(low / width);
  const counts = new Array<number>(Math.floor(high / width) - first + 1).fill(0);
  for (const value of sorted) counts[Math.floor(value / width) - first]! += 1;
  const edge = (index: number) => Math.max(-Number.MAX_VALUE, Math.min((first + index) * width, Number.MAX_VALUE));
  return counts.map((count, index) => ({ from: edge(index), to: edge(index + 1), count }));
}

/** The nearest of 1, 2, 5 times a power of ten that is not below `least`. */
function roundStep(width: number, least: number): number {
  const power = 10 ** Math.floor(Math.log10(width));
  const steps = [1, 2, 5, 10, 20].map((factor) => factor * power).filter((step) => step >= least);
  return steps.reduce((best, step) => (Math.abs(step - width) < Math.abs(best - width) ? step : best));
}
