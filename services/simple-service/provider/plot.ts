import type { Spec } from 'vega';
import { histogram } from './histogram.js';
import type { Observation } from './observation-store.js';
import { statistics } from './statistics.js';
import { timeBuckets } from './time-buckets.js';

export const plotKinds = ['time', 'dist'] as const;

export type PlotKind = (typeof plotKinds)[number];

const blue = '#4477aa';
const paleBlue = '#a9c4e0';
const gray = '#dddddd';
/** More columns than this cannot be told apart on 640 pixels. */
const mostColumns = 270;

/** The picture of at least one observation, as a Vega specification of 640 × 480 pixels. */
export function plot(kind: PlotKind, rows: readonly Observation[]): Spec {
  return kind === 'dist' ? distribution(rows) : overTime(rows);
}

function distribution(rows: readonly Observation[]): Spec {
  const values = rows.map(({ val }) => val);
  const bins = histogram(values);
  const width = bins[0]!.to - bins[0]!.from;
  return {
    ...frame(`Distribution of ${counted(rows.length)}`, values),
    data: [{ name: 'bins', values: bins }],
    scales: [
      { name: 'x', type: 'linear', range: 'width', zero: false, domain: [bins[0]!.from, bins.at(-1)!.to] },
      { name: 'y', type: 'linear', range: 'height', nice: true, domain: { data: 'bins', field: 'count' } },
    ],
    axes: [
      { scale: 'x', orient: 'bottom', title: 'Observed value (arbitrary units)', labelOverlap: true, tickCount: 10 },
      {
        scale: 'y',
        orient: 'left',
        title: `Observations (count per bin of ${Number(width.toPrecision(6))})`,
        grid: true,
        gridColor: gray,
        tickMinStep: 1,
        format: ',d',
      },
    ],
    marks: [
      {
        type: 'rect',
        from: { data: 'bins' },
        encode: {
          update: {
            x: { scale: 'x', field: 'from', offset: 0.5 },
            x2: { scale: 'x', field: 'to', offset: -0.5 },
            y: { scale: 'y', field: 'count' },
            y2: { scale: 'y', value: 0 },
            fill: { value: blue },
          },
        },
      },
    ],
  };
}

function overTime(rows: readonly Observation[]): Spec {
  const buckets = timeBuckets(rows, mostColumns);
  const grouped = buckets.length < rows.length;
  const first = buckets[0]!.time;
  const last = buckets.at(-1)!.time;
  const spread = last - first;
  const values = rows.map(({ val }) => val);
  const range = statistics(values);
  const level = range.min === range.max ? [range.min! - 1, range.max! + 1] : [range.min!, range.max!];
  const perColumn = Math.ceil(rows.length / buckets.length).toLocaleString('en');
  const legend = grouped ? [`line: mean of ${perColumn} each, band: lowest to highest`] : [];
  return {
    ...frame(`${capital(counted(rows.length))} over time`, values, legend),
    data: [{ name: 'buckets', values: buckets }],
    scales: [
      {
        name: 'x',
        type: 'utc',
        range: 'width',
        domain: spread === 0 ? [first - 1000, last + 1000] : [first, last],
      },
      { name: 'y', type: 'linear', range: 'height', nice: true, zero: false, domain: level },
    ],
    axes: [
      {
        scale: 'x',
        orient: 'bottom',
        title: `Time added (UTC, ${timeTitle(first, last)})`,
        format: timeFormat(spread),
        labelOverlap: true,
        tickCount: 6,
        ...(spread < 6000 ? { values: wholeSeconds(first, last) } : {}),
      },
      {
        scale: 'y',
        orient: 'left',
        title: `Observed value (arbitrary units)`,
        grid: true,
        gridColor: gray,
      },
    ],
    marks: [
      ...(grouped ? [band()] : []),
      {
        type: 'line',
        from: { data: 'buckets' },
        encode: {
          update: {
            x: { scale: 'x', field: 'time' },
            y: { scale: 'y', field: 'mean' },
            stroke: { value: blue },
            strokeWidth: { value: 1.5 },
          },
        },
      },
      ...(buckets.length <= 60 ? [points()] : []),
    ],
  };
}

function band(): NonNullable<Spec['marks']>[number] {
  return {
    type: 'area',
    from: { data: 'buckets' },
    encode: {
      update: {
        x: { scale: 'x', field: 'time' },
        y: { scale: 'y', field: 'low' },
        y2: { scale: 'y', field: 'high' },
        fill: { value: paleBlue },
      },
    },
  };
}

function points(): NonNullable<Spec['marks']>[number] {
  return {
    type: 'symbol',
    from: { data: 'buckets' },
    encode: {
      update: {
        x: { scale: 'x', field: 'time' },
        y: { scale: 'y', field: 'mean' },
        size: { value: 25 },
        fill: { value: blue },
      },
    },
  };
}

function frame(title: string, values: readonly number[], legend: string[] = []): Spec {
  const { mean, 'std dev': deviation } = statistics(values);
  const font = 'DejaVu Sans';
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    width: 640,
    height: 480,
    padding: { left: 14, right: 18, top: 12, bottom: 12 },
    autosize: { type: 'fit', contains: 'padding' },
    background: 'white',
    title: {
      text: title,
      subtitle: [`mean ${short(mean!)}, standard deviation ${short(deviation!)} (population)`, ...legend],
      anchor: 'start',
      offset: 10,
    },
    config: {
      title: { font, fontSize: 16, subtitleFont: font, subtitleFontSize: 12, subtitleColor: '#444444' },
      axis: { labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 13, titlePadding: 10 },
    },
  };
}

function counted(count: number): string {
  return count === 1 ? 'one observation' : `${count.toLocaleString('en')} observations`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Below a few seconds Vega would put several ticks on one second, all with the same label. */
function wholeSeconds(first: number, last: number): number[] {
  return Array.from({ length: (last - first) / 1000 + 3 }, (_, index) => first + (index - 1) * 1000);
}

const dayMs = 86_400_000;

function timeFormat(spreadMs: number): string {
  if (spreadMs > 3 * dayMs) return '%b %d';
  if (spreadMs > dayMs / 2) return '%b %d %H:%M';
  return spreadMs > 600_000 ? '%H:%M' : '%H:%M:%S';
}

function timeTitle(first: number, last: number): string {
  const from = new Date(first).toISOString().slice(0, 10);
  const to = new Date(last).toISOString().slice(0, 10);
  return from === to ? from : `${from} to ${to}`;
}
