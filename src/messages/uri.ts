import { parseQuery } from '../base/query.js';

/** farm_ng.core.proto.Uri */
export interface Uri {
  /** `protobuf` on events. */
  readonly scheme: string;
  /** The publishing host's name. */
  readonly authority: string;
  /** The topic, with its leading slash. */
  readonly path: string;
  /** Raw `key=value` parts joined by `&`, never percent-encoded. */
  readonly query: string;
}

/** `*`: every path of a service. */
export const anyPath = '*';

/** The URI of an event: exactly the three query parts that farm-ng peers expect, in their order. */
export function eventUri(host: string, path: string, type: string, pb: string, service: string): Uri {
  return { scheme: 'protobuf', authority: host, path, query: `type=${type}&pb=${pb}&service_name=${service}` };
}

/** The service that a query names: `service_name=`, or the older `service=`; undefined when it names none. */
export function serviceOfQuery(query: string): string | undefined {
  const parts = parseQuery(query);
  return parts.get('service_name') || parts.get('service') || undefined;
}

/** Adds the leading slash that farm-ng users often leave out; `*` stays as it is. */
export function normalizePath(path: string): string {
  return path === anyPath || path.startsWith('/') ? path : `/${path}`;
}

/** Whether a subscription's path is a wildcard: `*`, or a prefix such as `/gps/*`. */
export function isWildcard(pattern: string): boolean {
  return pattern.endsWith('*');
}

/** Whether a subscription's path is a prefix such as `/gps/*`, which farm-ng's programs do not know. */
export function isPrefix(pattern: string): boolean {
  return pattern !== anyPath && isWildcard(pattern);
}

/** Whether `path` is one that `pattern` (exact, `*`, or `/prefix/*`) asks for. */
export function matchesPath(pattern: string, path: string): boolean {
  if (pattern === anyPath || pattern === '/*') return true;
  return isWildcard(pattern) ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
