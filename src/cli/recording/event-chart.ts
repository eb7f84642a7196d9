import type { RecordingAnalysis } from '../../recording/analyze-recording.js';
import { pathKey } from '../../recording/path-patterns.js';
import { colors } from '../colors.js';

const heightRows = 8;
const blocks = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;
/** More lines than this scroll away what matters. */
const mostPaths = 40;
const mostKey = 40;

/** How many events came when, as lines of text: bars for all of them, and a line for each path. */
export function eventChart(analysis: RecordingAnalysis, widthColumns: number): string[] {
  const { paths, firstS, durationS } = analysis;
  const shown = [...paths].sort((one, other) => other.count - one.count).slice(0, mostPaths);
  const names = new Map(shown.map((path) => [path, shorten(pathKey(path))]));
  const indent = Math.max(10, ...[...names.values()].map((name) => name.length));
  const columns = Math.max(20, Math.min(100, widthColumns - indent - 3));
  const columnS = durationS / columns;
  const total = joined(
    paths.map((path) => path.columns),
    columns,
  );
  const most = Math.max(...total, 1);
  const lines: string[] = [];
  for (let row = heightRows - 1; row >= 0; row--) {
    const label = row === heightRows - 1 ? rateLabel(most, columnS) : row === 0 ? '0' : '';
    const bars = total.map((count) => blocks[level((count / most) * heightRows - row, count > 0 && row === 0)]);
    lines.push(`${label.padStart(indent)} ┤${colors.cyan(bars.join('').trimEnd())}`);
  }
  lines.push(`${' '.repeat(indent)} └${'─'.repeat(columns)}`);
  lines.push(`${' '.repeat(indent + 2)}${timeLabels(firstS, durationS, columns)}`);
  for (const path of paths) {
    const name = names.get(path);
    if (name === undefined) continue;
    const counts = joined([path.columns], columns);
    const highest = Math.max(...counts);
    const strip = counts.map((count) => blocks[level(count / highest, count > 0)]).join('');
    lines.push(`${name.padStart(indent)} │${colors.cyan(strip.trimEnd())}`);
  }
  if (paths.length > shown.length) lines.push(`${' '.repeat(indent)} and ${paths.length - shown.length} more paths`);
  return lines;
}

/** The block for a bar that fills `part` of its row; what is there at all is seen. */
function level(part: number, isThere: boolean): number {
  const eighths = Math.round(Math.max(0, Math.min(1, part)) * 8);
  return isThere ? Math.max(1, eighths) : eighths;
}

/** Sums of all rows over so many columns. What lies across two of them is divided, or else they would flicker. */
function joined(rows: readonly (readonly number[])[], columns: number): number[] {
  const sums = new Array<number>(columns).fill(0);
  for (const row of rows) {
    const scale = columns / row.length;
    for (const [index, count] of row.entries()) {
      if (count === 0) continue;
      const from = index * scale;
      const to = from + scale;
      for (let column = Math.floor(from); column < to && column < columns; column++) {
        const part = Math.min(to, column + 1) - Math.max(from, column);
        sums[column]! += (count * part) / scale;
      }
    }
  }
  return sums;
}

function rateLabel(count: number, columnS: number): string {
  if (columnS === 0) return String(count);
  const rate = count / columnS;
  const text = rate >= 1000 ? `${(rate / 1000).toPrecision(3)}k` : rate.toPrecision(3);
  return `${text}/s`;
}

function timeLabels(firstS: number, durationS: number, columns: number): string {
  const width = 12;
  const count = Math.max(2, Math.floor(columns / 25));
  let line = '';
  for (let index = 0; index < count; index++) {
    const part = index / (count - 1);
    const label = showClock(firstS + part * durationS, durationS);
    const at = Math.round(part * (columns - width));
    line = `${line.padEnd(at)}${label}`;
  }
  return colors.dim(line);
}

function showClock(seconds: number, durationS: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return '';
  const text = date.toISOString();
  if (durationS > 86_400) return text.slice(5, 16).replace('T', ' ');
  return durationS > 60 ? text.slice(11, 19) : text.slice(11, 23);
}

function shorten(text: string): string {
  return text.length > mostKey ? `…${text.slice(1 - mostKey)}` : text;
}
