import { didYouMean, listNames } from '../base/suggest.js';
import { isWildcard, matchesPath } from '../messages/uri.js';
import { pathInArg, splitArg } from './arg-path.js';
import { checkPorts } from './check-ports.js';
import { checkTypes } from './check-types.js';
import type { Finding } from './finding.js';
import { healthPath } from './paths.js';
import type { MeshConfig, ServiceConfig, SubscriptionConfig } from './types.js';

/**
 * What is wrong or doubtful with a configuration as a mesh: subscriptions and args that name paths nobody publishes or
 * answers, services that share a port, types that differ, settings without effect. Faults of single entries are
 * `loadConfig`'s. Errors come before warnings, each in the order of the file.
 */
export function checkConfig(config: MeshConfig): readonly Finding[] {
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const places = config.services.map((service, index) => ({ service, at: service.at ?? `configs[${index}]` }));
  const findings = [
    ...places.flatMap(({ service, at }) => [
      ...service.subscriptions.flatMap((subscription, index) =>
        checkSubscription(subscription, subscription.at ?? part(at, 'subscriptions', index), byName),
      ),
      ...service.args.flatMap((text, index) => checkArg(service, text, part(at, 'args', index), byName)),
      ...checkOwn(service, at),
    ]),
    ...checkTypes(places),
    ...checkPorts(places),
  ];
  return [
    ...findings.filter(({ severity }) => severity === 'error'),
    ...findings.filter(({ severity }) => severity === 'warning'),
  ];
}

function checkSubscription(
  { publisher: name, path, qos }: SubscriptionConfig,
  at: string,
  byName: ReadonlyMap<string, ServiceConfig>,
): readonly Finding[] {
  const findings: Finding[] = [];
  const publisher = byName.get(name);
  if (publisher === undefined) {
    const message = `publisher "${name}" is not in the configuration${didYouMean(name, [...byName.keys()])}`;
    findings.push({ severity: 'error', at, message });
  } else if (publisher.port === undefined) {
    const message = `publisher "${name}" has no port, so nobody can subscribe to it; give it one`;
    findings.push({ severity: 'error', at, message });
  } else if (!publishes(publisher, path)) {
    const message = `nobody publishes ${path}: ${whatExists(publisher, path, 'published')}`;
    findings.push({ severity: 'error', at, message });
  }
  if (qos.blockMs !== undefined && qos.overflow !== 'block') {
    findings.push({ severity: 'warning', at, message: 'block_ms has no effect without overflow=block' });
  }
  if (qos.overflow === 'latest' && (qos.depth ?? 1) !== 1) {
    findings.push({
      severity: 'warning',
      at,
      message: `overflow=latest keeps one event; depth=${qos.depth} has no effect`,
    });
  }
  return findings;
}

function checkArg(
  owner: ServiceConfig,
  text: string,
  at: string,
  byName: ReadonlyMap<string, ServiceConfig>,
): readonly Finding[] {
  const found = pathInArg(text, byName);
  if (found === undefined) return checkArgName(text, at, byName);
  const { key, service, path } = found;
  if (service === owner) return [];
  if (service.port === undefined) {
    return [
      { severity: 'error', at, message: `${key} names ${service.name}${path}, but "${service.name}" has no port` },
    ];
  }
  if (publishes(service, path) || service.requests.some((declared) => matchesPath(declared.path, path))) return [];
  const message = `nobody publishes or answers ${service.name}${path}, which ${key} names: ${whatExists(service, path, 'any')}`;
  return [{ severity: 'error', at, message }];
}

/** `residual=storge/residual`: the value of an arg is free, so only a near miss of a name is spoken of. */
function checkArgName(text: string, at: string, byName: ReadonlyMap<string, ServiceConfig>): readonly Finding[] {
  const value = splitArg(text);
  if (value === undefined || value.key === 'program' || !/^[^/.~][^:]*\/./.test(value.value)) return [];
  const names = [...byName.keys()];
  const segments = value.value.split('/');
  for (const slashes of new Set(names.map((name) => name.split('/').length))) {
    const name = segments.slice(0, slashes).join('/');
    const path = `/${segments.slice(slashes).join('/')}`;
    const near = name.length > 200 ? undefined : byName.get(/"(.*)"/.exec(didYouMean(name, names))?.[1] ?? '');
    if (near === undefined || path === '/') continue;
    const known = [...near.published, ...near.requests].some((declared) => matchesPath(declared.path, path));
    const message = `${value.key} names service "${name}", which is not in the configuration; did you mean "${near.name}${path}"?`;
    return [{ severity: known ? 'error' : 'warning', at, message }];
  }
  return [];
}

function checkOwn({ name, port, published, requests }: ServiceConfig, at: string): readonly Finding[] {
  const findings: Finding[] = [];
  if (port === undefined && published.length + requests.length > 0) {
    const message = `"${name}" declares paths but has no port, so nobody reaches them; give it one`;
    findings.push({ severity: 'error', at, message });
  }
  for (const [index, path] of published.entries()) {
    if (path.path !== healthPath) continue;
    const message = `${healthPath} is published by every service by itself; remove it from the uris`;
    findings.push({ severity: 'warning', at: path.at ?? part(at, 'uris', index), message });
  }
  return findings;
}

/** True where the publisher declares nothing: plain farm-ng configurations do not say what is published. */
function publishes(publisher: ServiceConfig, path: string): boolean {
  if (publisher.published.length + publisher.requests.length === 0) return true;
  const exists = [healthPath, ...publisher.published.map((declared) => declared.path)];
  return exists.some((declared) => (isWildcard(path) ? matchesPath(path, declared) : declared === path));
}

function whatExists(service: ServiceConfig, path: string, kind: 'published' | 'any'): string {
  const paths = [...service.published.map((declared) => declared.path), healthPath];
  const answered = service.requests.map((declared) => declared.path);
  const asked = kind === 'published' && answered.some((declared) => matchesPath(declared, path));
  if (asked) return `"${service.name}" answers it as a request, and publishes ${listNames(paths)}`;
  const answers = kind === 'any' && answered.length > 0 ? ` and answers ${listNames(answered)}` : '';
  const near = didYouMean(path, kind === 'any' ? [...paths, ...answered] : paths);
  return `"${service.name}" publishes ${listNames(paths)}${answers}${near}`;
}

function part(at: string, field: string, index: number): string {
  return `${at === '' ? '' : `${at}.`}${field}[${index}]`;
}
