import type { Clock } from '../../base/clock.js';
import { MeshError } from '../../base/errors.js';
import type { MeshConfig, ServiceConfig } from '../../config/types.js';
import type { ConnectionState } from '../../mesh/connection.js';
import type { EventClient } from '../../mesh/event-client.js';
import { furrowVersion } from '../../mesh/version.js';
import type { TypeRegistry } from '../../messages/registry.js';
import type { Uri } from '../../messages/uri.js';
import type { TlsFiles } from '../../wire/credentials.js';
import { probePort } from '../port-probe.js';
import { otherThanService } from '../survey.js';
import { checkPath, checkType } from './check-declared.js';
import { checkLink } from './check-link.js';
import { away, type Check, type Diagnosis, diagnosis, type Edge, note, ok, wrong } from './finding.js';
import { type Flow, watchFlow } from './flow.js';
import { judgeFlow } from './judge-flow.js';

export interface DiagnoseOptions {
  readonly config: MeshConfig;
  /** Entry of the edge's service, and the client to it. */
  readonly service: ServiceConfig;
  readonly client: EventClient;
  readonly registry: TypeRegistry;
  readonly clock: Clock;
  readonly tls?: TlsFiles;
  /** How long to wait for a connection, and for data. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Looks at everything between a publisher and a subscriber, from the name of the host to the events, and stops where
 * going on says nothing more. Never throws.
 */
export async function diagnose(edge: Edge, options: DiagnoseOptions): Promise<Diagnosis> {
  const { service, client, registry } = options;
  const { name, host, port = 0 } = service;
  const link = await checkLink(name, host, port, options);
  if (link.some(({ status }) => status !== 'ok')) return diagnosis(edge, link);
  let uris: readonly Uri[];
  try {
    uris = await client.listUris(options);
  } catch (error) {
    return diagnosis(edge, [...link, await protocolFault(MeshError.from(error), options)]);
  }
  const reached = [...link, ok('protocol', 'it is an event service')];
  const path = checkPath(edge, service, uris);
  const isSettled = edge.kind === 'request' || path.some(({ status }) => status === 'wrong');
  if (isSettled) return diagnosis(edge, [...reached, ...path]);
  const flow = await watchFlow(client, edge, options);
  const latch = service.published.some((declared) => declared.path === edge.path && declared.latch);
  return diagnosis(edge, [
    ...reached,
    ...path,
    ...checkType(edge, service, uris, registry),
    ...judgeFlow(edge, flow, { latch }),
    ...(await checkSubscriber(edge, flow, options)),
    checkVersion(client.state),
  ]);
}

async function protocolFault(failure: MeshError, { service, tls, timeoutMs, signal }: DiagnoseOptions): Promise<Check> {
  const { host, port = 0 } = service;
  if (failure.code === 'deadline-exceeded') {
    const found = `it takes connections, but did not list its paths in ${timeoutMs} ms`;
    return wrong('protocol', found, 'the service hangs or is overloaded: look at its log, or start it again');
  }
  if (tls !== undefined) {
    const advice =
      tls.cert === undefined
        ? 'it may ask for a certificate of ours: give --tls-cert and --tls-key'
        : 'compare the authorities that both sides trust';
    return wrong('tls', failure.message, advice);
  }
  const probe = await probePort(host, port, { timeoutMs, signal });
  return wrong(
    'protocol',
    otherThanService(probe, failure),
    'another program took the port, or the port in the configuration is wrong',
  );
}

/** Whether the one who should subscribe is there and does, as far as the publisher's count of subscribers tells. */
async function checkSubscriber(edge: Edge, { after }: Flow, options: DiagnoseOptions): Promise<Check[]> {
  const { config, timeoutMs, signal } = options;
  const entry = config.services.find(({ name }) => name === edge.subscriber);
  if (entry === undefined || after === undefined) return [];
  const { name, host, port } = entry;
  const count = `${after.clients} subscriber${after.clients === 1 ? '' : 's'} beside this doctor`;
  if (port !== undefined) {
    const probe = await probePort(host, port, { timeoutMs, signal });
    if (probe.speech === undefined)
      return [away('subscriber', `${name} is away; ${count}`, `start it: furrow run ${name}`)];
  }
  if (after.clients > 0) return [ok('subscriber', count)];
  if (port === undefined) return [note('subscriber', `${count}; ${name} is no server, so nobody can ask it`)];
  const advice = 'was it started with this configuration? look at its log';
  return [wrong('subscriber', `${name} runs, and is not subscribed: ${count}`, advice)];
}

function checkVersion({ version, epoch }: ConnectionState): Check {
  const ours = furrowVersion();
  if (epoch === undefined)
    return ok('version', `a farm-ng service: no history, no quality of service; we are furrow ${ours}`);
  if (version === undefined || series(version) === series(ours)) return ok('version', `both are furrow ${ours}`);
  return note('version', `it is furrow ${version}, we are ${ours}`, 'update the older one');
}

/** What must be equal for two versions to fit: `0.1` of `0.1.4`, `2` of `2.3.0`. */
function series(version: string): string {
  const [major = '', minor = ''] = version.split('.');
  return major === '0' ? `0.${minor}` : major;
}
