import { formatNumber } from '../format.js';
import { element, faint, label, picture } from './svg.js';

export interface Line {
  readonly label: string;
  readonly colour: string;
  readonly dashed: boolean;
  readonly points: readonly (readonly [number, number])[];
}

export interface Axes {
  /** Both with their unit. */
  readonly x: string;
  readonly y: string;
}

const width = 780;
const height = 420;
const plot = { left: 86, right: 590, top: 56, bottom: 356 };

/** Lines over two logarithmic axes; the ticks of x are the values that were measured. */
export function linePlot(title: string, axes: Axes, lines: readonly Line[]): string {
  if (lines.length === 0) {
    const nothing = 'No subject could keep the rate: the machine was too busy.';
    return picture(width, 100, title, [label(16, 64, nothing)]);
  }
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((one, other) => one - other);
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const x = logScale(xs[0] ?? 1, xs.at(-1) ?? 10, plot.left + 14, plot.right - 14);
  const low = 10 ** Math.floor(Math.log10(Math.min(...ys)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...ys)) + 1e-9);
  const y = logScale(low, high, plot.bottom, plot.top);
  const parts: string[] = [];
  for (const tick of decades(low, high)) {
    parts.push(element('line', { x1: plot.left, x2: plot.right, y1: y(tick), y2: y(tick), stroke: faint }));
    parts.push(label(plot.left - 8, y(tick) + 4.5, formatNumber(tick), { 'text-anchor': 'end' }));
  }
  for (const tick of xs) {
    parts.push(element('line', { x1: x(tick), x2: x(tick), y1: plot.bottom, y2: plot.bottom + 5, stroke: '#222222' }));
    parts.push(label(x(tick), plot.bottom + 20, formatNumber(tick), { 'text-anchor': 'middle' }));
  }
  parts.push(element('line', { x1: plot.left, x2: plot.right, y1: plot.bottom, y2: plot.bottom, stroke: '#222222' }));
  parts.push(label((plot.left + plot.right) / 2, height - 18, axes.x, { 'text-anchor': 'middle' }));
  const turn = `rotate(-90 22 ${(plot.top + plot.bottom) / 2})`;
  parts.push(label(22, (plot.top + plot.bottom) / 2, axes.y, { 'text-anchor': 'middle', transform: turn }));
  for (const [index, line] of lines.entries()) parts.push(drawLine(line, x, y), legend(line, index));
  return picture(width, height, title, parts);
}

function drawLine(
  { points, colour, dashed }: Line,
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  const dash: Record<string, string> = dashed ? { 'stroke-dasharray': '6 4' } : {};
  const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
  const drawn = [element('polyline', { points: path, fill: 'none', stroke: colour, 'stroke-width': 2, ...dash })];
  for (const [px, py] of points) {
    drawn.push(element('circle', { cx: x(px), cy: y(py), r: 3.5, fill: dashed ? '#ffffff' : colour, stroke: colour }));
  }
  return drawn.join('\n');
}

function legend({ label: name, colour, dashed }: Line, index: number): string {
  const y = plot.top + 8 + index * 22;
  const dash: Record<string, string> = dashed ? { 'stroke-dasharray': '6 4' } : {};
  return [
    element('line', { x1: 606, x2: 634, y1: y, y2: y, stroke: colour, 'stroke-width': 2, ...dash }),
    label(642, y + 4.5, name),
  ].join('\n');
}

function logScale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = Math.log(high / low) || 1;
  return (value) => from + (Math.log(value / low) / span) * (to - from);
}

function decades(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let tick = low; tick <= high * 1.001; tick *= 10) ticks.push(Number(tick.toPrecision(3)));
  return ticks;
}
