import type { GraphEdge } from './graph.js';

/** The last part of a message name: `Struct` of `google.protobuf.Struct`. */
export function shortType(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

/** What an edge carries, for people: `/sample, google.protobuf.Struct`. */
export function edgeTitle({ kind, from, to, path, type, arg }: GraphEdge): string {
  const what = `${path === '*' ? 'every path' : path}${type === '' ? '' : `, ${type}`}`;
  switch (kind) {
    case 'subscribe':
      return `${to} subscribes to ${from}: ${what}`;
    case 'arg':
      return `${to} listens to ${from}: ${what} (arg ${arg})`;
    case 'request':
      return `${from} asks ${to}: ${what} (arg ${arg})`;
  }
}
