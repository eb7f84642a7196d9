import { isWildcard, matchesPath } from '../messages/uri.js';
import { pathInArg } from './arg-path.js';
import { healthPath, healthType } from './paths.js';
import type { MeshConfig, ServiceConfig } from './types.js';

/** A service of the graph. */
export interface GraphService {
  readonly name: string;
  /** `host:port`; absent when the entry is no server. */
  readonly address?: string;
}

/** A path that a service declares. The `/health` of every service is left out. */
export interface GraphPath {
  readonly service: string;
  readonly kind: 'published' | 'request';
  readonly path: string;
  /** Type of the events, or of the request; empty when not stated. */
  readonly type: string;
  /** Requests only: type of the reply. */
  readonly reply?: string;
}

/**
 * One line between two services, from the one whose bytes flow to the one they reach.
 * `subscribe`: `to` subscribes to `path` of `from`, as its `subscriptions` say.
 * `arg`: the same, as one of its args says (`residual=storage/residual`).
 * `request`: an arg of `from` names the request path `path` of `to`.
 */
export interface GraphEdge {
  readonly kind: 'subscribe' | 'arg' | 'request';
  readonly from: string;
  readonly to: string;
  /** May be a wildcard. */
  readonly path: string;
  /** Message type of the events or of the request; empty when not stated or, with a wildcard, not one. */
  readonly type: string;
  /** `arg` and `request`: the key of the arg. */
  readonly arg?: string;
}

/** A configuration as a graph. */
export interface MeshGraph {
  readonly services: readonly GraphService[];
  readonly paths: readonly GraphPath[];
  /** Every message type that a path names, sorted, once. */
  readonly types: readonly string[];
  readonly edges: readonly GraphEdge[];
}

/** The graph of a configuration: what each service declares, and who listens to whom. */
export function meshGraph(config: MeshConfig): MeshGraph {
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const paths = config.services.flatMap(declaredPaths);
  const types = new Set(paths.flatMap(({ type, reply }) => [type, reply ?? '']));
  types.delete('');
  return {
    services: config.services.map(({ name, host, port }) =>
      port === undefined ? { name } : { name, address: `${host.includes(':') ? `[${host}]` : host}:${port}` },
    ),
    paths,
    types: [...types].sort(),
    edges: config.services.flatMap((service) => [...subscribed(service, byName), ...fromArgs(service, byName)]),
  };
}

function declaredPaths({ name, published, requests }: ServiceConfig): readonly GraphPath[] {
  return [
    ...published.map(({ path, type }) => ({ service: name, kind: 'published' as const, path, type })),
    ...requests.map(({ path, request, reply }) => ({
      service: name,
      kind: 'request' as const,
      path,
      type: request,
      reply,
    })),
  ];
}

function subscribed(to: ServiceConfig, byName: ReadonlyMap<string, ServiceConfig>): readonly GraphEdge[] {
  return to.subscriptions.map(({ publisher, path, type }) => ({
    kind: 'subscribe',
    from: publisher,
    to: to.name,
    path,
    type: publishedType(byName.get(publisher), path) || type || '',
  }));
}

function fromArgs(owner: ServiceConfig, byName: ReadonlyMap<string, ServiceConfig>): readonly GraphEdge[] {
  return owner.args.flatMap((text): readonly GraphEdge[] => {
    const found = pathInArg(text, byName);
    if (found === undefined || found.service === owner) return [];
    const { key, service, path } = found;
    const request = service.requests.find((declared) => matchesPath(declared.path, path));
    return request === undefined
      ? [{ kind: 'arg', from: service.name, to: owner.name, path, type: publishedType(service, path), arg: key }]
      : [{ kind: 'request', from: owner.name, to: service.name, path, type: request.request, arg: key }];
  });
}

/** The one type of what a path or wildcard means at a publisher; empty when unknown or several. */
function publishedType(publisher: ServiceConfig | undefined, path: string): string {
  if (path === healthPath) return healthType;
  const matching = publisher?.published.filter((declared) => matchesPath(path, declared.path)) ?? [];
  const types = new Set(matching.map(({ type }) => type));
  if (isWildcard(path) && matchesPath(path, healthPath)) types.add(healthType);
  const [type = '', ...others] = types;
  return others.length === 0 ? type : '';
}
