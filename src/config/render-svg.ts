import { edgeTitle, shortType } from './edge-text.js';
import type { GraphEdge, GraphPath, GraphService, MeshGraph } from './graph.js';
import { type Box, type LaidOutEdge, layOut, type Point } from './layout.js';

// Sizes in pixels. Rows are in a monospaced face, because text cannot be measured here.
const margin = 24;
const headPx = 50;
const rowPx = 22;
const rowCharPx = 7.3;
const nameCharPx = 8.6;
const labelCharPx = 6.7;
const legendPx = 34;

const style = `
  .furrow { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12px; }
  .ground { fill: #ffffff; } .card { fill: #f8fafc; stroke: #94a3b8; } .head { fill: #e2e8f0; }
  .name { font-family: system-ui, 'DejaVu Sans', sans-serif; font-size: 14px; font-weight: 600; fill: #0f172a; }
  .quiet { fill: #64748b; } .row { fill: #1e293b; } .out { fill: #0f766e; } .ask { fill: #b45309; }
  .edge { fill: none; stroke: #0f766e; stroke-width: 1.5; } .arg { stroke-dasharray: 6 4; } .request { stroke: #b45309; }
  .tip { fill: #0f766e; } .tip-request { fill: #b45309; } .label { font-size: 11px; fill: #334155; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0f172a; } .card { fill: #1e293b; stroke: #475569; } .head { fill: #334155; }
    .name, .row { fill: #f1f5f9; } .quiet { fill: #94a3b8; } .label { fill: #cbd5e1; }
    .edge { stroke: #2dd4bf; } .out, .tip { fill: #2dd4bf; } .request { stroke: #fbbf24; } .ask, .tip-request { fill: #fbbf24; }
  }`;

/**
 * The graph as an SVG drawing of its own: a card for each service with the paths it publishes (a dot) and answers
 * (a diamond), and an arrow for each edge, solid for subscriptions, dashed for those that stand in args, amber for
 * requests. Follows the reader's light or dark scheme.
 */
export function renderSvg(graph: MeshGraph): string {
  const cards = new Map(graph.services.map((service) => [service.name, card(service, graph.paths)]));
  const { boxes, edges, ...size } = layOut(
    [...cards].map(([id, { width, height }]) => ({ id, width, height })),
    graph.edges.map(({ from, to, path }) => ({ from, to, width: path.length * labelCharPx + 12, height: 18 })),
    margin,
  );
  const width = Math.ceil(Math.max(size.width, 440));
  const height = Math.ceil(size.height + legendPx);
  const ends = arrivals(graph.edges, edges, boxes);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" class="furrow" role="img" aria-label="The services of the mesh and their subscriptions">`,
    `<style>${style}\n</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...graph.edges.map((edge, index) => drawEdge(edge, route(edge, edges[index], boxes, cards, ends[index]))),
    ...[...cards].map(([name, { draw }]) => draw(boxes.get(name) ?? { x: 0, y: 0, width: 0, height: 0 })),
    ...graph.edges.map((edge, index) => drawLabel(edge, edges[index]?.label)),
    legend(graph.edges, height - legendPx / 2),
    '</svg>',
    '',
  ].join('\n');
}

interface Card {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly GraphPath[];
  draw(box: Box): string;
}

function card({ name, address = 'no server' }: GraphService, paths: readonly GraphPath[]): Card {
  const rows = paths.filter(({ service }) => service === name);
  const widest = Math.max(...rows.map((row) => (row.path.length + typeText(row).length + 3) * rowCharPx), 0);
  const width = Math.ceil(Math.max(name.length * nameCharPx, address.length * rowCharPx, widest + 14, 110) + 24);
  const height = headPx + (rows.length === 0 ? 0 : rows.length * rowPx + 8);
  const draw = ({ x, y }: Box) => {
    const [left, top] = [x - width / 2, y - height / 2];
    // A second, square rectangle hides the lower round corners of the head where rows follow.
    const square = rows.length === 0 ? '' : rect('head', left + 0.5, top + headPx - 8, width - 1, 8, 0);
    return [
      `<g><title>${xml(name)}</title>`,
      rect('card', left, top, width, height, 8),
      rect('head', left + 0.5, top + 0.5, width - 1, headPx - 1, 7.5),
      square,
      text('name', left + 12, top + 22, name),
      text('quiet', left + 12, top + 40, address),
      ...rows.map((row, index) => drawRow(row, left, top + headPx + 4 + index * rowPx + rowPx / 2, width)),
      '</g>',
    ].join('');
  };
  return { width, height, rows, draw };
}

function drawRow(row: GraphPath, left: number, middle: number, width: number): string {
  const mark =
    row.kind === 'published'
      ? `<circle class="out" cx="${at(left + 16)}" cy="${at(middle)}" r="3.5"/>`
      : `<path class="ask" d="M${at(left + 11.5)} ${at(middle)}l4.5 -4.5 4.5 4.5 -4.5 4.5z"/>`;
  const type = typeText(row);
  const typeLeft = left + width - 12;
  return `${mark}${text('row', left + 26, middle + 4, row.path)}${text('quiet', typeLeft, middle + 4, type, 'end')}`;
}

function typeText({ kind, type, reply = '' }: GraphPath): string {
  if (kind === 'published') return shortType(type);
  return type === '' && reply === '' ? '' : `${shortType(type)} → ${shortType(reply)}`;
}

/** Where each edge reaches its card: spread over the card's height, in the order the edges come in. */
function arrivals(
  edges: readonly GraphEdge[],
  laidOut: readonly LaidOutEdge[],
  boxes: ReadonlyMap<string, Box>,
): readonly number[] {
  return edges.map(({ to }, index) => {
    const box = boxes.get(to);
    const height = (of: number) => laidOut[of]?.points.at(-2)?.y ?? 0;
    const before = edges
      .flatMap((other, of) => (other.to === to ? [of] : []))
      .sort((a, b) => height(a) - height(b) || a - b);
    if (box === undefined) return 0;
    return box.y - box.height / 2 + (box.height * (before.indexOf(index) + 1)) / (before.length + 1);
  });
}

/** From the row of the path, where the publisher has one, around other cards to the place of arrival. */
function route(
  edge: GraphEdge,
  laidOut: LaidOutEdge | undefined,
  boxes: ReadonlyMap<string, Box>,
  cards: ReadonlyMap<string, Card>,
  arrival: number | undefined,
): readonly Point[] {
  const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
  const points = laidOut?.points ?? [];
  if (from === undefined || to === undefined || arrival === undefined || edge.from === edge.to) return points;
  const inner = points.slice(1, -1);
  const [first = to, last = from] = [inner[0], inner.at(-1)];
  const row = rowOffset(cards.get(edge.from), edge.kind === 'request' ? undefined : edge.path);
  const asked = rowOffset(cards.get(edge.to), edge.kind === 'request' ? edge.path : undefined);
  return [
    { x: side(from, first), y: from.y - from.height / 2 + (row ?? headPx / 2) },
    ...inner,
    { x: side(to, last), y: asked === undefined ? arrival : to.y - to.height / 2 + asked },
  ];
}

function rowOffset(own: Card | undefined, path: string | undefined): number | undefined {
  const index = own?.rows.findIndex((row) => row.path === path) ?? -1;
  return index < 0 ? undefined : headPx + 4 + index * rowPx + rowPx / 2;
}

function side({ x, width }: Box, towards: Point): number {
  return towards.x >= x ? x + width / 2 : x - width / 2;
}

function drawEdge(edge: GraphEdge, points: readonly Point[]): string {
  const [start, ...rest] = points;
  const end = points.at(-1);
  if (start === undefined || end === undefined) return '';
  let previous = start;
  const curves = rest.map((point) => {
    const middle = at((previous.x + point.x) / 2);
    const curve = `C${middle} ${at(previous.y)} ${middle} ${at(point.y)} ${at(point.x)} ${at(point.y)}`;
    previous = point;
    return curve;
  });
  const leftward = (points.at(-2)?.x ?? 0) > end.x;
  const tip = `M${at(end.x)} ${at(end.y)}l${leftward ? 8 : -8} -4.5v9z`;
  const request = edge.kind === 'request';
  return [
    `<g><title>${xml(edgeTitle(edge))}</title>`,
    `<path class="edge${edge.kind === 'subscribe' ? '' : ` ${edge.kind}`}" d="M${at(start.x)} ${at(start.y)}${curves.join('')}"/>`,
    `<path class="${request ? 'tip-request' : 'tip'}" d="${tip}"/></g>`,
  ].join('');
}

function drawLabel({ path }: GraphEdge, middle: Point | undefined): string {
  if (middle === undefined) return '';
  const width = path.length * labelCharPx + 10;
  return `${rect('ground', middle.x - width / 2, middle.y - 9, width, 18, 4)}${text('label', middle.x, middle.y + 4, path, 'middle')}`;
}

/** Of the kinds of edges that occur. */
function legend(edges: readonly GraphEdge[], middle: number): string {
  const kinds = new Set(edges.map(({ kind }) => kind));
  const entries = legendTexts.filter(([kind]) => kinds.has(kind));
  return entries
    .map(([kind, words], index) => {
      const left = margin + index * 150;
      const line = `<path class="edge ${kind}" d="M${left} ${at(middle)}h28"/>`;
      return `${line}${text('label', left + 36, middle + 4, words)}`;
    })
    .join('');
}

const legendTexts: readonly (readonly [kind: GraphEdge['kind'], words: string])[] = [
  ['subscribe', 'subscription'],
  ['arg', 'stated in args'],
  ['request', 'request'],
];

function rect(kind: string, x: number, y: number, width: number, height: number, radius: number): string {
  return `<rect class="${kind}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="${radius}"/>`;
}

function text(kind: string, x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text class="${kind}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${xml(words)}</text>`;
}

function at(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

function xml(words: string): string {
  return words.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
