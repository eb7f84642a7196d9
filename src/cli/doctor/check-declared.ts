import { MeshError } from '../../base/errors.js';
import { parseQuery } from '../../base/query.js';
import { didYouMean, listNames } from '../../base/suggest.js';
import { healthPath, healthType } from '../../config/paths.js';
import type { ServiceConfig } from '../../config/types.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { isWildcard, matchesPath, serviceOfQuery, type Uri } from '../../messages/uri.js';
import { hostsOf } from '../survey.js';
import { type Check, type Edge, note, ok, wrong } from './finding.js';

/** Whether the port hosts the service, and the service publishes the path. `uris`: all that the port lists. */
export function checkPath(edge: Edge, service: ServiceConfig, uris: readonly Uri[]): Check[] {
  const hosts = hostsOf(uris);
  if (hosts.length > 0 && !hosts.includes(edge.service)) {
    const found = `the port hosts ${listNames(hosts)}, not "${edge.service}"`;
    return [
      wrong(
        'service',
        found,
        `another service took the port; correct the port or the name in the configuration${didYouMean(edge.service, hosts)}`,
      ),
    ];
  }
  const hosted = ok('service', hosts.length > 1 ? `hosted there, beside ${hosts.length - 1} others` : 'it is the one');
  const paths = ownUris(edge, uris).map(({ path }) => path);
  if (edge.kind === 'request') {
    const answered = service.requests.map(({ path }) => path);
    if (answered.some((path) => matchesPath(path, edge.path))) return [hosted, ok('path', `${edge.path} is declared`)];
    const found = `${edge.path} is not declared; ${edge.service} answers ${listNames(answered)}`;
    return [hosted, wrong('path', found, nearest(edge.path, answered) || 'correct the arg that names it')];
  }
  if (edge.path === healthPath || paths.some((path) => path !== healthPath && matchesPath(edge.path, path))) {
    return [hosted, ok('path', `${edge.path} is published`)];
  }
  if (service.requests.some((declared) => matchesPath(declared.path, edge.path))) {
    return [
      hosted,
      wrong(
        'path',
        `${edge.path} is a request path: it is asked, not listened to`,
        `furrow req ${edge.service}${edge.path}`,
      ),
    ];
  }
  const found = `${edge.path} is not published; ${paths.length === 0 ? 'nothing is' : `published are ${listNames(paths)}`}`;
  const advice = 'paths match exactly; correct the subscription, or wait for the first event';
  return [hosted, wrong('path', found, nearest(edge.path, paths) || advice)];
}

function nearest(path: string, known: readonly string[]): string {
  return didYouMean(path, known).replace(/^; /, '');
}

/** Whether the types that the wire, the configuration and the subscriber name are one, and known here. */
export function checkType(edge: Edge, service: ServiceConfig, uris: readonly Uri[], registry: TypeRegistry): Check[] {
  const types = new Map(ownUris(edge, uris).map(({ path, query }) => [path, parseQuery(query).get('type') ?? '']));
  const matching = [...types].filter(([path]) => matchesPath(edge.path, path));
  const checks = matching.flatMap(([path, type]): Check[] => {
    const declared = path === healthPath ? healthType : service.published.find((entry) => entry.path === path)?.type;
    const at = isWildcard(edge.path) ? `${path} ` : '';
    if (type === '') return [note('type', `${at}names no message type, so its bytes stay bytes`)];
    if (declared && declared !== type) {
      return [
        wrong(
          'type',
          `${at}carries ${type}, but the configuration declares ${declared}`,
          'correct the configuration, or start the service again with it',
        ),
      ];
    }
    if (edge.type !== undefined && edge.type !== type && !isWildcard(edge.path)) {
      return [
        wrong(
          'type',
          `${at}carries ${type}, but ${edge.subscriber ?? 'the subscription'} expects ${edge.type}`,
          'correct the type= of the subscription',
        ),
      ];
    }
    if (!registry.has(type)) {
      return [
        note(
          'type',
          `${at}carries ${type}, which is not known here: events come as bytes`,
          unknownAdvice(registry, type),
        ),
      ];
    }
    return [];
  });
  if (checks.length > 0) return checks;
  const names = [...new Set(matching.map(([, type]) => type))];
  return names.length === 0 ? [] : [ok('type', names.join(', '))];
}

function unknownAdvice(registry: TypeRegistry, type: string): string {
  try {
    registry.fileOf(type);
    return '';
  } catch (error) {
    return `${MeshError.from(error).message} with --protos`;
  }
}

function ownUris(edge: Edge, uris: readonly Uri[]): readonly Uri[] {
  return uris.filter(({ query }) => (serviceOfQuery(query) ?? edge.service) === edge.service);
}
