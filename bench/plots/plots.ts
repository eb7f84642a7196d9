import { measures } from '../cases.js';
import { formatNumber } from '../format.js';
import { detailOf, type Results } from '../results.js';
import { type Subject, subjects } from '../subjects.js';
import { type Bar, barPlot, type Panel } from './bars.js';
import { type Line, linePlot } from './lines.js';
import { colours } from './svg.js';

/** A group of cases in the report: its heading, its figures, its picture's file name. */
export interface PlotGroup {
  readonly heading: string;
  readonly file: string;
  readonly measures: readonly string[];
  draw(results: Results): string;
}

const fanouts = [
  ['one-to-one', 1],
  ['fanout-16', 16],
  ['fanout-64', 64],
  ['fanout-1000', 1_000],
] as const;

/** Every picture that a report shows, in its order. */
export const plotGroups: readonly PlotGroup[] = [
  {
    heading: 'Events over subscribers',
    file: 'fanout.svg',
    measures: fanouts.map(([name]) => name),
    draw: (results) =>
      linePlot('Deliveries a second over subscribers', { x: 'subscribers', y: 'deliveries/s' }, fanoutLines(results)),
  },
  bars('One to one, decoded payloads, TLS', 'streams.svg', ['one-to-one-iterator', 'struct-decoded', 'tls']),
  bars('Requests', 'requests.svg', ['request-50', 'request-1', 'request-alone']),
  {
    heading: 'Latency under a steady load',
    file: 'latency.svg',
    measures: ['latency-p50', 'latency-p99'],
    draw: (results) =>
      linePlot(
        'Latency over rate, 10 subscribers',
        { x: 'events/s published', y: 'ms from publisher to subscriber' },
        latencyLines(results),
      ),
  },
  bars('Large payloads', 'payloads.svg', ['payload-64k', 'payload-1m', 'payload-1m-kept']),
  bars('Memory and start', 'memory.svg', ['memory-stalled', 'memory-idle', 'startup']),
  {
    heading: 'CPU',
    file: 'cpu.svg',
    measures: [],
    draw: (results) =>
      barPlot(
        'CPU for each delivery: publisher, subscriber, broker',
        fanouts.flatMap(([name]) => cpuPanel(results, name)),
      ),
  },
];

function bars(heading: string, file: string, names: readonly string[]): PlotGroup {
  return {
    heading,
    file,
    measures: names,
    draw: (results) =>
      barPlot(
        heading,
        names.flatMap((name) => measurePanel(results, name)),
      ),
  };
}

function measurePanel(results: Results, name: string): Panel[] {
  const measure = measures.find((one) => one.name === name);
  const drawn = subjects.flatMap((subject): Bar[] => {
    const spread = results.cases[name]?.[subject];
    if (spread === undefined) return [];
    const { median, min, max, unit } = spread;
    const text = `${formatNumber(median)} ${unit}`;
    return [{ label: subject, colour: colours[subject], parts: [median], text, range: [min, max] }];
  });
  if (measure === undefined || drawn.length === 0) return [];
  return [{ title: `${name}, ${measure.unit}, ${measure.better} is better`, bars: drawn }];
}

function cpuPanel(results: Results, name: string): Panel[] {
  const drawn = subjects.flatMap((subject): Bar[] => {
    const parts = ['cpu-publisher', 'cpu-subscriber', 'cpu-broker'].flatMap(
      (detail) => detailOf(results, name, subject, detail) ?? [],
    );
    if (parts.length === 0) return [];
    return [{ label: subject, colour: colours[subject], parts, text: `${parts.map(formatNumber).join(' + ')} µs` }];
  });
  return drawn.length === 0 ? [] : [{ title: `${name}, µs/delivery, less is better`, bars: drawn }];
}

function fanoutLines(results: Results): Line[] {
  return lines((subject) =>
    fanouts.flatMap(([name, subscribers]) => {
      const rate = results.cases[name]?.[subject]?.median;
      return rate === undefined ? [] : [[subscribers, rate] as const];
    }),
  );
}

function latencyLines(results: Results): Line[] {
  return (['p50', 'p99'] as const).flatMap((percentile) => {
    const at = (subject: Subject): (readonly [number, number])[] =>
      Object.entries(results.details['latency-p50']?.[subject] ?? {}).flatMap(([name, { median }]) => {
        const rate = name.startsWith(`${percentile}-at-`) ? Number(name.slice(percentile.length + 4)) : 0;
        // Where the events did not go out at the rate, their latency is that of another rate.
        const achieved = detailOf(results, 'latency-p50', subject, `achieved-at-${rate}`) ?? 0;
        return rate > 0 && achieved >= rate * 0.98 ? [[rate, median] as const] : [];
      });
    return lines(at).map((line) => ({ ...line, label: `${line.label} ${percentile}`, dashed: percentile === 'p99' }));
  });
}

function lines(pointsOf: (subject: Subject) => readonly (readonly [number, number])[]): Line[] {
  return subjects.flatMap((subject) => {
    const points = pointsOf(subject);
    return points.length === 0 ? [] : [{ label: subject, colour: colours[subject], dashed: false, points }];
  });
}
