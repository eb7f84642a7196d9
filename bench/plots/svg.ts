import type { Subject } from '../subjects.js';

/** One colour a subject, in every plot; told apart also without red and green. */
export const colours: Readonly<Record<Subject, string>> = {
  furrow: '#00664f',
  'furrow-public-way': '#66b8a0',
  'grpc-js': '#3b6fb6',
  nats: '#e08a1e',
  'node-net': '#7a7a7a',
  'farm-ng': '#a3387a',
};

export const ink = '#222222';
export const faint = '#d4d4d4';

/** An element with escaped attributes; `content` is markup already. */
export function element(name: string, attributes: Readonly<Record<string, string | number>>, content = ''): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === 'number' ? String(Number(value.toFixed(1))) : value)}"`)
    .join('');
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export function label(
  x: number,
  y: number,
  text: string,
  attributes: Readonly<Record<string, string | number>> = {},
): string {
  return element('text', { x, y, fill: ink, 'font-size': 13, ...attributes }, escaped(text));
}

/** A whole picture on white, so that it can be read on a dark page too. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  const font = 'system-ui, "DejaVu Sans", "Helvetica Neue", Arial, sans-serif';
  const open = { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' };
  const content = [
    element('title', {}, escaped(title)),
    element('rect', { width, height, fill: '#ffffff' }),
    label(16, 28, title, { 'font-size': 16, 'font-weight': 600 }),
    ...parts,
  ];
  return `${element('svg', { ...open, 'font-family': font }, `\n${content.join('\n')}\n`)}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
