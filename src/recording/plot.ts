import type { Data, Mark, Spec } from 'vega';
import type { AnalyzedPath, RecordingAnalysis } from './analyze-recording.js';
import { pathKey } from './path-patterns.js';

const font = 'DejaVu Sans';
const blue = '#4477aa';
const gray = '#dddddd';
const darkGray = '#444444';
const width = 960;
const rateHeight = 180;
const rowHeight = 22;
/** Neighbours overlap by so many pixels, or white lines would show between them. */
const seam = 0.5;
/** More rows would make a picture that nobody reads; the busiest are drawn. */
const mostPaths = 60;
/** Columns narrower than this cannot be told apart. */
const mostColumns = 320;

/**
 * A recording as a Vega specification: events a second over time, and below it one row for each path, the darker the
 * more events it has, so that silences are seen.
 */
export function recordingPlot(analysis: RecordingAnalysis): Spec {
  const shown = [...analysis.paths].sort((one, other) => other.count - one.count).slice(0, mostPaths);
  const rows = shown.map((path) => ({ path, key: shorten(pathKey(path)) })).sort(byKey);
  const each = Math.max(1, Math.ceil((analysis.paths[0]?.columns.length ?? 1) / mostColumns));
  const columnS = analysis.columnS * each;
  const total = sumColumns(analysis.paths, each);
  const firstMs = analysis.firstS * 1000;
  const columnMs = Math.max(columnS * 1000, 1);
  const time = (column: number) => firstMs + column * columnMs;
  const perSecond = columnS > 0 ? 1 / columnS : 1;
  const rates = total.map((count, column) => ({ from: time(column), to: time(column + 1), rate: count * perSecond }));
  const cells = rows.flatMap(({ path, key }) => {
    const counts = sumColumns([path], each);
    const most = Math.max(...counts);
    return counts.flatMap((count, column) =>
      count === 0 ? [] : [{ key, from: time(column), to: time(column + 1), part: count / most }],
    );
  });
  const heatHeight = Math.max(1, rows.length) * rowHeight;
  const domain = [time(0), time(total.length)];
  return {
    ...frame(analysis, shown.length),
    data: [
      { name: 'rates', values: rates },
      { name: 'cells', values: cells },
    ] satisfies Data[],
    layout: { columns: 1, padding: 34, align: 'each', bounds: 'full' },
    marks: [
      {
        type: 'group',
        encode: { update: { width: { value: width }, height: { value: rateHeight } } },
        scales: [
          { name: 'x', type: 'utc', range: [0, width], domain },
          { name: 'y', type: 'linear', range: [rateHeight, 0], nice: true, zero: true, domain: extent(rates) },
        ],
        axes: [
          timeAxis(analysis),
          {
            scale: 'y',
            orient: 'left',
            title: 'events/s',
            grid: true,
            gridColor: gray,
            gridWidth: 1,
            zindex: 0,
            tickCount: 5,
          },
        ],
        marks: [bars()],
      },
      {
        type: 'group',
        encode: { update: { width: { value: width }, height: { value: heatHeight } } },
        scales: [
          { name: 'x', type: 'utc', range: [0, width], domain },
          {
            name: 'y',
            type: 'band',
            range: [0, heatHeight],
            domain: rows.map(({ key }) => key),
            paddingInner: 0.15,
          },
          { name: 'opacity', type: 'sqrt', range: [0.25, 1], domain: [0, 1] },
        ],
        axes: [
          { ...timeAxis(analysis), title: timeTitle(analysis) },
          { scale: 'y', orient: 'left', ticks: false, domain: false, labelLimit: 360, labelPadding: 6 },
        ],
        marks: [heat()],
      },
    ],
  };
}

function bars(): Mark {
  return {
    type: 'rect',
    from: { data: 'rates' },
    encode: {
      update: {
        x: { scale: 'x', field: 'from' },
        x2: { scale: 'x', field: 'to', offset: seam },
        y: { scale: 'y', field: 'rate' },
        y2: { scale: 'y', value: 0 },
        fill: { value: blue },
      },
    },
  };
}

function heat(): Mark {
  return {
    type: 'rect',
    from: { data: 'cells' },
    encode: {
      update: {
        x: { scale: 'x', field: 'from' },
        x2: { scale: 'x', field: 'to', offset: seam },
        y: { scale: 'y', field: 'key' },
        height: { scale: 'y', band: 1 },
        fill: { value: blue },
        fillOpacity: { scale: 'opacity', field: 'part' },
      },
    },
  };
}

function frame(analysis: RecordingAnalysis, paths: number): Spec {
  const { count, files, durationS } = analysis;
  const all = analysis.paths.length;
  const drawn = paths < all ? `the ${paths} busiest of ${all} paths` : `${all} ${all === 1 ? 'path' : 'paths'}`;
  const missing = analysis.paths.reduce((sum, path) => sum + path.missing, 0);
  const parts = [`${count.toLocaleString('en')} events`, drawn, `${Number(durationS.toPrecision(4))} s`];
  if (missing > 0) parts.push(`${missing.toLocaleString('en')} missing`);
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    padding: { left: 14, right: 24, top: 12, bottom: 12 },
    autosize: 'pad',
    background: 'white',
    title: {
      text: shorten(files.length > 1 ? `${files[0]} … ${files.at(-1)}` : (files[0] ?? ''), 100),
      subtitle: parts.join(', '),
      anchor: 'start',
      offset: 12,
    },
    config: {
      title: { font, fontSize: 16, subtitleFont: font, subtitleFontSize: 12, subtitleColor: darkGray },
      axis: { labelFont: font, titleFont: font, labelFontSize: 11, titleFontSize: 12, titlePadding: 10 },
    },
  };
}

function timeAxis({ durationS }: RecordingAnalysis) {
  return { scale: 'x', orient: 'bottom', format: timeFormat(durationS), labelOverlap: true, tickCount: 8 } as const;
}

function timeFormat(durationS: number): string {
  if (durationS > 3 * 86_400) return '%b %d';
  if (durationS > 86_400 / 2) return '%b %d %H:%M';
  if (durationS > 600) return '%H:%M';
  return durationS > 8 ? '%H:%M:%S' : '%H:%M:%S.%L';
}

function timeTitle({ firstS, lastS }: RecordingAnalysis): string {
  const from = dayOf(firstS);
  const to = dayOf(lastS);
  return `time (UTC, ${from === to ? from : `${from} to ${to}`})`;
}

function dayOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'no date' : date.toISOString().slice(0, 10);
}

function extent(rates: readonly { readonly rate: number }[]): number[] {
  return [0, Math.max(1e-9, ...rates.map(({ rate }) => rate))];
}

/** Columns of all paths together, `each` of them as one. */
function sumColumns(paths: readonly AnalyzedPath[], each: number): number[] {
  const length = Math.ceil((paths[0]?.columns.length ?? 1) / each);
  const sums = new Array<number>(length).fill(0);
  for (const { columns } of paths) {
    for (let index = 0; index < columns.length; index++) sums[Math.floor(index / each)]! += columns[index]!;
  }
  return sums;
}

function byKey(one: { readonly key: string }, other: { readonly key: string }): number {
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
}

function shorten(text: string, most = 48): string {
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}
