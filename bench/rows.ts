import { cases, latencyRateHz, measures } from './cases.js';
import { formatNumber, formatRatio } from './format.js';
import { detailOf, type Results, timesAsGood } from './results.js';
import { type Subject, subjects } from './subjects.js';

export const columns = [
  'Case',
  'Subject',
  'Median',
  'Min – max',
  'Unit',
  '÷ grpc-js',
  '÷ NATS',
  'CPU µs pub + sub (+ broker)',
  'Bytes',
  'Lost',
] as const;

/** The results as lines of text cells, one for each case and subject; ratios say how many times as good. */
export function rowsOf(results: Results): string[][] {
  return measures.flatMap(({ name }) =>
    subjects.flatMap((subject) => {
      const spread = results.cases[name]?.[subject];
      if (spread === undefined) return [];
      const ratio = (other: Subject): string =>
        other === subject ? '' : formatRatio(timesAsGood(results, name, subject, other));
      return [
        [
          name,
          subject,
          formatNumber(spread.median) + overload(results, name, subject),
          `${formatNumber(spread.min)} – ${formatNumber(spread.max)}`,
          spread.unit,
          ratio('grpc-js'),
          ratio('nats'),
          ...costs(results, caseOf(name), subject),
        ],
      ];
    }),
  );
}

/** The case whose runs give a measure. */
function caseOf(measure: string): string {
  return cases.find((one) => one.measures.some(({ name }) => name === measure))?.measures[0].name ?? measure;
}

/** A latency counts only when the events went out at the rate that was asked. */
function overload(results: Results, measure: string, subject: Subject): string {
  if (!measure.startsWith('latency-')) return '';
  const achieved = detailOf(results, caseOf(measure), subject, `achieved-at-${latencyRateHz}`);
  return achieved === undefined || achieved >= latencyRateHz * 0.98
    ? ''
    : ` (overloaded: ${formatNumber(achieved)} events/s)`;
}

function costs(results: Results, caseName: string, subject: Subject): string[] {
  const detail = (name: string): string | undefined => {
    const value = detailOf(results, caseName, subject, name);
    return value === undefined ? undefined : formatNumber(value);
  };
  const ends = [detail('cpu-publisher'), detail('cpu-subscriber')];
  const broker = detail('cpu-broker');
  return [
    ends[0] === undefined ? '' : `${ends.join(' + ')}${broker === undefined ? '' : ` (+ ${broker})`}`,
    detail('bytes') ?? '',
    // The worst run's, not the median: one lost event is one too many.
    String(results.details[caseName]?.[subject]?.lost?.max ?? ''),
  ];
}
