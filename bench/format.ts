/** Three digits that count, with a thousands separator: `418,000`, `12.4`, `0.0531`. */
export function formatNumber(value: number): string {
  if (value === 0) return '0';
  const short = Number(value.toPrecision(3));
  return Math.abs(short) >= 1000
    ? short.toLocaleString('en-US', { maximumFractionDigits: 0 })
    : String(Number(short.toPrecision(3)));
}

/** `12.4×`, or a dash where there is nothing to compare with. */
export function formatRatio(ratio: number | undefined): string {
  return ratio === undefined ? '–' : `${ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}×`;
}
