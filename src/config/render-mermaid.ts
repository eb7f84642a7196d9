import { shortType } from './edge-text.js';
import type { GraphEdge, MeshGraph } from './graph.js';

/**
 * The graph as a Mermaid flowchart, for Markdown. Solid arrows are subscriptions, dashed ones stand in args, thick
 * ones are requests.
 */
export function renderMermaid(graph: MeshGraph): string {
  const ids = new Map(graph.services.map(({ name }, index) => [name, `s${index}`]));
  const lines = [
    'flowchart LR',
    ...graph.services.map(({ name, address }) => {
      const text = [`<b>${quote(name)}</b>`, ...(address === undefined ? [] : [quote(address)])].join('<br/>');
      return `  ${ids.get(name)}["${text}"]`;
    }),
    ...graph.edges.map((edge) => {
      const type = edge.type === '' ? '' : `<br/>${quote(shortType(edge.type))}`;
      return `  ${ids.get(edge.from)} ${arrows[edge.kind]}|"${quote(edge.path)}${type}"| ${ids.get(edge.to)}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

const arrows: Readonly<Record<GraphEdge['kind'], string>> = { subscribe: '-->', arg: '-.->', request: '==>' };

/** Mermaid's own entities: a `#` with the character's number. */
function quote(text: string): string {
  return text.replace(/["#<>&*_`|\\]/g, (character) => `#${character.charCodeAt(0)};`);
}
