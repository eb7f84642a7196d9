import { edgeTitle, shortType } from './edge-text.js';
import type { GraphEdge, MeshGraph } from './graph.js';

/** The graph in Graphviz's DOT. Solid arrows are subscriptions, dashed ones stand in args, bold ones are requests. */
export function renderDot(graph: MeshGraph): string {
  const lines = [
    'digraph mesh {',
    '  rankdir=LR;',
    '  node [shape=box, style="rounded,filled", fillcolor="#f8fafc", color="#94a3b8", fontname="Helvetica"];',
    '  edge [color="#475569", fontname="Helvetica", fontsize=10];',
    ...graph.services.map(({ name, address }) => {
      const declared = graph.paths
        .filter(({ service }) => service === name)
        .map(({ kind, path, type, reply }) =>
          kind === 'published'
            ? `${path}  ${shortType(type)}`
            : `${path}  ${shortType(type)} → ${shortType(reply ?? '')}`,
        );
      return `  ${quote(name)} [label=${quote([name, ...(address === undefined ? [] : [address]), ...declared].join('\n'))}];`;
    }),
    ...graph.edges.map((edge) => {
      const label = [edge.path, ...(edge.type === '' ? [] : [shortType(edge.type)])].join('\n');
      const look = `label=${quote(label)}, tooltip=${quote(edgeTitle(edge))}, style=${styles[edge.kind]}`;
      return `  ${quote(edge.from)} -> ${quote(edge.to)} [${look}];`;
    }),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

const styles: Readonly<Record<GraphEdge['kind'], string>> = { subscribe: 'solid', arg: 'dashed', request: 'bold' };

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}
