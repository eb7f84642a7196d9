import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { healthPath } from '../config/paths.js';
import { splitServicePath } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import type { EventClient } from '../mesh/event-client.js';
import type { Mesh } from '../mesh/mesh.js';
import { matchesPath, serviceOfQuery } from '../messages/uri.js';

/** A published path, and the client of its service. */
export interface TopicTarget {
  readonly service: ServiceConfig;
  /** May be a wildcard. */
  readonly path: string;
  readonly client: EventClient;
  /** `SERVICE/path`, for messages. */
  readonly title: string;
}

export interface FindTopicOptions {
  readonly signal: AbortSignal;
  /** Accept a path that nobody publishes: its first event may make it. */
  readonly wait: boolean;
}

// The question is only whether a name is mistyped; a service that takes longer is taken at its configuration's word.
const listTimeoutMs = 2000;

/**
 * What `SERVICE/path` means. A path that the configuration does not declare must be published by the live service.
 *
 * Errors: `not-found` for an unknown service and for a path that is neither declared nor live, with a suggestion;
 * `failed-precondition` for a service without a port.
 */
export async function findTopic(
  { config, mesh }: { readonly config: MeshConfig; readonly mesh: Mesh },
  text: string,
  { signal, wait }: FindTopicOptions,
): Promise<TopicTarget> {
  const { service, path } = splitServicePath(config, text);
  const client = mesh.client(service.name);
  const title = `${service.name}${path === '*' ? '/*' : path}`;
  const declared = service.published.map((entry) => entry.path);
  const isKnown = (paths: readonly string[]): boolean => paths.some((known) => matchesPath(path, known));
  if (!wait && !isKnown([healthPath, ...declared])) {
    const live = await livePaths(client, service.name, signal);
    const known = [...new Set([...declared, ...(live ?? [])])];
    if (known.length > 0 && !isKnown(known)) throw unpublished(service, path, [...new Set([...known, healthPath])]);
  }
  return { service, path, client, title };
}

/** The paths that a service publishes now; undefined when it does not answer. */
async function livePaths(client: EventClient, name: string, signal: AbortSignal): Promise<string[] | undefined> {
  try {
    const uris = await client.listUris({ timeoutMs: listTimeoutMs, signal });
    return uris.filter(({ query }) => (serviceOfQuery(query) ?? name) === name).map(({ path }) => path);
  } catch {
    return undefined;
  }
}

function unpublished(service: ServiceConfig, path: string, known: readonly string[]): MeshError {
  if (service.requests.some((declared) => matchesPath(declared.path, path))) {
    const advice = `ask it with: furrow req ${service.name}${path}`;
    return new MeshError('not-found', `${service.name}${path} is a request path, nobody publishes it; ${advice}`);
  }
  return new MeshError(
    'not-found',
    `${service.name} does not publish ${path}${didYouMean(path, known)}; it publishes ${listNames(known)} ` +
      '(--wait waits for it all the same)',
  );
}
