import { canonicalPath } from './paths.js';
import { longestName } from './service.js';
import type { ServiceConfig } from './types.js';

/** An arg whose value names a path of a service of the file. */
export interface ArgPath {
  /** The arg's key, without leading dashes. */
  readonly key: string;
  readonly service: ServiceConfig;
  readonly path: string;
}

/** Key and value of an arg in one string, `key=value` or `--key=value`. */
export function splitArg(text: string): { readonly key: string; readonly value: string } | undefined {
  const [, key, value] = /^-{0,2}([^=]+)=(.*)$/s.exec(text) ?? [];
  return key === undefined || value === undefined ? undefined : { key, value };
}

/**
 * Reads `residual=storage/residual`: an edge that stands in the args, because farm-ng's programs would misread it among
 * the subscriptions. Undefined when the value does not start with the name of a known service and a slash.
 */
export function pathInArg(text: string, byName: ReadonlyMap<string, ServiceConfig>): ArgPath | undefined {
  const arg = splitArg(text);
  // A program may well lie in a folder that is called like a service.
  if (arg === undefined || arg.key === 'program') return undefined;
  const service = byName.get(longestName(byName, arg.value) ?? '');
  const rest = service === undefined ? '' : arg.value.slice(service.name.length);
  return service === undefined || rest.length < 2 ? undefined : { key: arg.key, service, path: canonicalPath(rest) };
}
