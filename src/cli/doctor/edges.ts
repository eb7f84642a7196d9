import { meshGraph } from '../../config/graph.js';
import { healthPath } from '../../config/paths.js';
import type { MeshConfig } from '../../config/types.js';
import type { Edge } from './finding.js';

/** Every edge that a configuration states, or the `/health` of every service where it states none. */
export function edgesOf(config: MeshConfig): readonly Edge[] {
  const subscribed = config.services.flatMap(({ name, subscriptions }) =>
    subscriptions.map(
      ({ publisher, path, everyN, qos, type }): Edge => ({
        kind: 'events',
        service: publisher,
        path,
        subscriber: name,
        everyN,
        ...(qos.depth === undefined ? {} : { depth: qos.depth }),
        ...(type === undefined ? {} : { type }),
      }),
    ),
  );
  const fromArgs = meshGraph(config).edges.flatMap(({ kind, from, to, path }): Edge[] => {
    if (kind === 'arg') return [{ kind: 'events', service: from, path, subscriber: to, everyN: 0 }];
    return kind === 'request' ? [{ kind: 'request', service: to, path, subscriber: from, everyN: 0 }] : [];
  });
  const edges = [...subscribed, ...fromArgs];
  if (edges.length > 0) return edges;
  const servers = config.services.filter(({ port }) => port !== undefined);
  return servers.map(({ name }) => ({ kind: 'events', service: name, path: healthPath, everyN: 0 }));
}

/** `supervisor-1 ← agent-1/sample`, or only the path. */
export function edgeTitle({ service, path, subscriber, kind }: Edge): string {
  const at = `${service}${path === '*' ? '/*' : path}`;
  if (subscriber === undefined) return at;
  return kind === 'request' ? `${subscriber} → ${at}` : `${at} → ${subscriber}`;
}
