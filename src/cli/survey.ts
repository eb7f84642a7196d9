import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { parseQuery } from '../base/query.js';
import { healthPath } from '../config/paths.js';
import type { ServiceConfig } from '../config/types.js';
import type { EventClient } from '../mesh/event-client.js';
import { serviceOfQuery, type Uri } from '../messages/uri.js';
import { type PortProbe, probePort, probeText } from './port-probe.js';
import { type Health, type PathHealth, readHealth } from './read-health.js';

/** One path of a service, as it is now. */
export interface SurveyedPath {
  readonly kind: 'published' | 'request';
  readonly path: string;
  /** Type of the events, or of the request. Empty when nobody says it. */
  readonly type: string;
  /** Requests only: type of the reply. */
  readonly reply?: string;
  /** Published paths only, while the service tells. */
  readonly health?: PathHealth;
}

/** A service as it is now. */
export interface SurveyedService {
  readonly name: string;
  /** `host:port`; absent for an entry that is no server. */
  readonly address?: string;
  /**
   * `live`; `away`: no connection; `other`: the port answers, but is not this service; `no-server`: the entry has no
   * port.
   */
  readonly state: 'live' | 'away' | 'other' | 'no-server';
  /** Why it is not live. */
  readonly reason?: string;
  /** `live` only. */
  readonly peer?: 'furrow' | 'farm-ng';
  /** Version of a furrow service. */
  readonly version?: string;
  /** Services that the port hosts, as their URIs say. */
  readonly hosts: readonly string[];
  readonly paths: readonly SurveyedPath[];
}

export interface SurveyOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Asks one service how it is: its URIs and one event of its `/health`. Takes `timeoutMs` at most, and never throws. */
export async function surveyService(
  service: ServiceConfig,
  client: EventClient | undefined,
  options: SurveyOptions,
): Promise<SurveyedService> {
  const { name, host, port } = service;
  if (client === undefined || port === undefined) {
    return {
      name,
      state: 'no-server',
      reason: 'no port: a set of subscriptions',
      hosts: [],
      paths: declared(service, [], undefined),
    };
  }
  const base = { name, address: `${host}:${port}` };
  const health = firstHealth(client, options);
  try {
    const uris = await client.listUris(options);
    const hosts = hostsOf(uris);
    if (hosts.length > 0 && !hosts.includes(name)) {
      health.cancel();
      const reason = `the port answers, but it is ${hosts.join(', ')}`;
      return { ...base, state: 'other', reason, hosts, paths: [] };
    }
    const heard = await health.first;
    const { version, epoch } = client.state;
    const own = uris.filter((uri) => (serviceOfQuery(uri.query) ?? name) === name);
    return {
      ...base,
      state: 'live',
      ...(heard === undefined ? {} : { peer: epoch === undefined ? 'farm-ng' : 'furrow' }),
      ...(version === undefined ? {} : { version }),
      hosts,
      paths: declared(service, own, heard),
    };
  } catch (error) {
    health.cancel();
    return {
      ...base,
      ...(await whyNot(service, port, MeshError.from(error), options)),
      hosts: [],
      paths: declared(service, [], undefined),
    };
  }
}

/** Names of the services that URIs belong to. */
export function hostsOf(uris: readonly Uri[]): string[] {
  return [...new Set(uris.flatMap(({ query }) => serviceOfQuery(query) ?? []))].sort();
}

async function whyNot(
  { host }: ServiceConfig,
  port: number,
  failure: MeshError,
  options: SurveyOptions,
): Promise<Pick<SurveyedService, 'state' | 'reason'>> {
  const probe = await probePort(host, port, options);
  if (probe.speech === undefined) return { state: 'away', reason: probeText(probe) };
  if (failure.code === 'deadline-exceeded' && probe.speech === 'http2') {
    return { state: 'away', reason: `it takes connections, but did not answer in ${options.timeoutMs} ms` };
  }
  return { state: 'other', reason: otherThanService(probe, failure) };
}

/** What a port is that answers, but not as an event service. */
export function otherThanService(probe: PortProbe, failure: MeshError): string {
  if (probe.speech !== 'http2') return probeText(probe);
  if (/not with gRPC/.test(failure.message)) return 'a web server is there (HTTP/2), no event service';
  return failure.code === 'unimplemented' ? 'a gRPC server is there, but no event service' : failure.message;
}

function firstHealth(
  client: EventClient,
  { timeoutMs, signal }: SurveyOptions,
): { readonly first: Promise<Health | undefined>; cancel(): void } {
  const cancelled = new AbortController();
  const read = async (): Promise<Health | undefined> => {
    using deadline = new Deadline(timeoutMs, signal, cancelled.signal);
    try {
      for await (const event of client.events(healthPath, { signal: deadline.signal })) return readHealth(event);
    } catch {
      // A service that refuses the subscription is told of by its paths without rates.
    }
    return undefined;
  };
  return { first: read(), cancel: () => cancelled.abort() };
}

/** What a service declares and what it publishes now, each path once. */
function declared(service: ServiceConfig, uris: readonly Uri[], health: Health | undefined): readonly SurveyedPath[] {
  const types = new Map(service.published.map(({ path, type }) => [path, type]));
  for (const { path, query } of uris) types.set(path, parseQuery(query).get('type') ?? '');
  const published = Array.from(types, ([path, type]): SurveyedPath => {
    const told = health?.paths.get(path);
    return { kind: 'published', path, type, ...(told === undefined ? {} : { health: withoutUs(path, told) }) };
  });
  return [
    ...published,
    ...service.requests.map(({ path, request, reply }) => ({ kind: 'request' as const, path, type: request, reply })),
  ];
}

/** We listen to `/health` ourselves. */
function withoutUs(path: string, health: PathHealth): PathHealth {
  return path === healthPath ? { ...health, clients: Math.max(0, health.clients - 1) } : health;
}
