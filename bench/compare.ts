import { measures } from './cases.js';
import { formatRatio } from './format.js';
import { type Results, timesAsGood } from './results.js';
import type { Subject } from './subjects.js';

const bases: readonly Subject[] = ['grpc-js', 'nats', 'node-net', 'farm-ng'];

export interface Comparison {
  readonly lines: readonly string[];
  readonly worse: number;
}

/**
 * Holds furrow's ratios to the other subjects against those of an earlier run. Times change with the machine; ratios
 * within one run change much less. A ratio below `1 - tolerance` of the earlier one is worse.
 */
export function compare(now: Results, then: Results, tolerance: number): Comparison {
  const lines: string[] = [];
  let worse = 0;
  for (const { name } of measures) {
    for (const base of bases) {
      const ratio = timesAsGood(now, name, 'furrow', base);
      const before = timesAsGood(then, name, 'furrow', base);
      if (ratio === undefined || before === undefined) continue;
      const change = ratio / before - 1;
      const verdict = change < -tolerance ? 'WORSE' : change > tolerance ? 'better' : 'same';
      if (verdict === 'WORSE') worse += 1;
      const percent = `${change >= 0 ? '+' : ''}${(change * 100).toFixed(0)} %`;
      lines.push(
        `${verdict.padEnd(7)}${name.padEnd(21)}÷ ${base.padEnd(10)}${formatRatio(before).padStart(9)} → ` +
          `${formatRatio(ratio).padStart(8)}  ${percent}`,
      );
    }
  }
  return { lines, worse };
}
