import { element, faint, ink, label, picture } from './svg.js';

export interface Bar {
  readonly label: string;
  readonly colour: string;
  /** Parts laid end to end, each lighter than the one before. */
  readonly parts: readonly number[];
  /** What stands behind the bar. */
  readonly text: string;
  /** Smallest and greatest value, drawn as a line over the bar's end. */
  readonly range?: readonly [number, number];
}

/** Bars of one unit, on a scale of their own. */
export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const width = 780;
const left = 150;
const barWidth = 430;
const barHeight = 18;
const pitch = 25;
const headHeight = 46;
const panelGap = 18;

/** Horizontal bars in panels, one under the other. */
export function barPlot(title: string, panels: readonly Panel[]): string {
  const parts: string[] = [];
  let y = headHeight;
  for (const panel of panels) {
    y += 18;
    parts.push(label(16, y, panel.title, { 'font-weight': 600 }));
    y += 10;
    const top = y;
    const greatest = Math.max(...panel.bars.map((bar) => Math.max(sum(bar.parts), bar.range?.[1] ?? 0)));
    const scale = greatest > 0 ? barWidth / greatest : 0;
    for (const bar of panel.bars) {
      parts.push(drawBar(bar, y, scale));
      y += pitch;
    }
    parts.push(element('line', { x1: left, y1: top - 2, x2: left, y2: y - 4, stroke: faint }));
    y += panelGap;
  }
  return picture(width, y, title, parts);
}

function drawBar({ label: name, colour, parts, text, range }: Bar, y: number, scale: number): string {
  const middle = y + barHeight / 2;
  const drawn = [label(left - 8, middle + 4.5, name, { 'text-anchor': 'end' })];
  let x = left;
  for (const [index, part] of parts.entries()) {
    const length = Math.max(part * scale, index === 0 ? 1 : 0);
    const opacity = [1, 0.6, 0.3][index] ?? 0.2;
    drawn.push(element('rect', { x, y, width: length, height: barHeight, fill: colour, 'fill-opacity': opacity }));
    x += length;
  }
  let end = x;
  if (range !== undefined && range[1] > range[0]) {
    const [low, high] = [left + range[0] * scale, left + range[1] * scale];
    drawn.push(element('line', { x1: low, y1: middle, x2: high, y2: middle, stroke: ink, 'stroke-width': 1.5 }));
    for (const at of [low, high]) {
      drawn.push(element('line', { x1: at, y1: middle - 4, x2: at, y2: middle + 4, stroke: ink, 'stroke-width': 1.5 }));
    }
    end = Math.max(end, high);
  }
  drawn.push(label(end + 8, middle + 4.5, text));
  return drawn.join('\n');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
