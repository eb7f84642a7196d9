import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { cut } from './fields.js';
import { canonicalPath } from './paths.js';
import type { MeshConfig, ServiceConfig } from './types.js';

/** A path of a service, as command lines, args and `Mesh` name it: `recorder/start`. */
export interface ServicePath {
  readonly service: ServiceConfig;
  /** With its leading slash; `*` for every path. */
  readonly path: string;
}

/**
 * The entry of a service.
 *
 * @throws MeshError `not-found`, with a suggestion and the names that exist
 */
export function findService(config: MeshConfig, name: string): ServiceConfig {
  const found = config.services.find((service) => service.name === name);
  if (found !== undefined) return found;
  const names = config.services.map((service) => service.name);
  throw new MeshError(
    'not-found',
    `service "${cut(name)}" is not in ${config.file}${suggestion(name, names)} (it has ${listNames(names)})`,
  );
}

/**
 * Splits `SERVICE/path` at the longest service name of the configuration, because names may contain slashes:
 * `oak/1/disparity` is path `/disparity` of `oak/1`. A leading slash is tolerated; `/*` becomes `*`.
 *
 * @throws MeshError `not-found` when it starts with no known name, `invalid-argument` when no path follows the name
 */
export function splitServicePath(config: MeshConfig, text: string): ServicePath {
  const bare = text.replace(/^\/+/, '');
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const name = longestName(byName, bare);
  const service = name === undefined ? undefined : byName.get(name);
  if (service === undefined) {
    const names = [...byName.keys()];
    const first = bare.split('/')[0] ?? '';
    throw new MeshError(
      'not-found',
      `"${cut(text)}" starts with no service of ${config.file}${suggestion(first, names)} (it has ${listNames(names)})`,
    );
  }
  const rest = bare.slice(service.name.length);
  if (rest === '' || rest === '/') {
    const known = [...service.published, ...service.requests].map(({ path }) => `${service.name}${path}`);
    const example = known.length > 0 ? listNames(known) : `for example "${service.name}/health"`;
    throw new MeshError('invalid-argument', `"${cut(text)}" names a service but no path; write ${example}`);
  }
  return { service, path: canonicalPath(rest) };
}

/** The longest of the names that is `text` or stands before a slash of it. */
export function longestName(
  names: { has(name: string): boolean; readonly size: number },
  text: string,
): string | undefined {
  for (let end = text.length; end > 0; end = text.lastIndexOf('/', end - 1)) {
    const name = text.slice(0, end);
    if (names.has(name)) return name;
  }
  return undefined;
}

/** The program that runs a service: its `program=` arg if it has one, else its name without a final `-N`. */
export function programOf(service: ServiceConfig): string {
  return statedProgram(service) ?? service.name.replace(/-\d+$/, '');
}

/** What a `program=`, `--program=` or `--program` arg says. */
export function statedProgram(service: ServiceConfig): string | undefined {
  for (const [index, text] of service.args.entries()) {
    const value =
      /^(?:--)?program=(.*)$/.exec(text)?.[1] ?? (text === '--program' ? service.args[index + 1] : undefined);
    if (value) return value;
  }
  return undefined;
}

function suggestion(name: string, names: readonly string[]): string {
  return name.length > 200 ? '' : didYouMean(name, names);
}
