import { Graph, layout } from '@dagrejs/dagre';

/** A place in the drawing, in pixels from its top left corner. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle by its middle. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface LayoutNode {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface LayoutEdge {
  readonly from: string;
  readonly to: string;
  /** Size of the label, which lies on the edge. */
  readonly width: number;
  readonly height: number;
}

export interface LaidOutEdge {
  /** From the border of one box to that of the other, around what lies between. */
  readonly points: readonly Point[];
  /** Middle of the label. */
  readonly label: Point;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<string, Box>;
  /** In the order the edges were given. */
  readonly edges: readonly LaidOutEdge[];
}

/** Layers boxes from left to right along their edges, with few crossings. Cycles are fine. Pure and repeatable. */
export function layOut(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], marginPx: number): Layout {
  const numbered = edges.map((edge, index) => ({ ...edge, name: String(index) }));
  // dagre's result depends on the order it is given; of two orders the one with the shorter edges crosses less.
  const asGiven = runDagre(nodes, numbered, marginPx);
  const reversed = runDagre(nodes, [...numbered].reverse(), marginPx);
  return lengthOf(reversed) < lengthOf(asGiven) ? reversed : asGiven;
}

function runDagre(
  nodes: readonly LayoutNode[],
  edges: readonly (LayoutEdge & { readonly name: string })[],
  marginPx: number,
): Layout {
  const graph: DagreGraph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 28, edgesep: 18, ranksep: 56, marginx: marginPx, marginy: marginPx });
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const { from, to, width, height, name } of edges) {
    graph.setEdge(from, to, { width, height, labelpos: 'c' }, name);
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  return {
    width,
    height,
    boxes: new Map(nodes.map(({ id }) => [id, graph.node(id)])),
    edges: [...edges]
      .sort((a, b) => Number(a.name) - Number(b.name))
      .map(({ from, to, name }) => {
        const { points, x, y } = graph.edge(from, to, name);
        return { points, label: { x, y } };
      }),
  };
}

function lengthOf({ edges }: Layout): number {
  let length = 0;
  for (const { points } of edges) {
    for (const [index, { x, y }] of points.entries()) {
      const next = points[index + 1];
      if (next !== undefined) length += Math.hypot(next.x - x, next.y - y);
    }
  }
  return length;
}

/** The part of dagre's graph that is used. Its own types do not resolve as ES modules. */
interface DagreGraph {
  setGraph(options: object): unknown;
  setNode(id: string, size: object): unknown;
  setEdge(from: string, to: string, label: object, name: string): unknown;
  graph(): { readonly width?: number; readonly height?: number };
  node(id: string): Box;
  edge(from: string, to: string, name: string): Point & { readonly points: readonly Point[] };
}
