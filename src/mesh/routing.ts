import { MeshError } from '../base/errors.js';
import { listNames } from '../base/suggest.js';
import { normalizePath, serviceOfQuery, type Uri } from '../messages/uri.js';

/** Which service of a port an incoming call means, and the path there. */
export interface Route {
  readonly service: string;
  readonly path: string;
}

// Long enough for any real topic; a longer one is an attack on whoever logs it.
const maxPathLength = 1024;

/**
 * The rule of the wire contract: the service that the query names, if it is hosted here; else the longest hosted
 * name that prefixes the path; else the only service of the port. Errors: `invalid-argument` for a path that is
 * missing or too long, `not-found` listing the names when the rule finds none.
 */
export function routeCall(hosted: readonly string[], uri: Pick<Uri, 'path' | 'query'>): Route {
  if (uri.path.length > maxPathLength) {
    throw new MeshError(
      'invalid-argument',
      `the path "${uri.path.slice(0, 60)}…" has ${uri.path.length} characters; at most ${maxPathLength} are allowed`,
    );
  }
  if (uri.path === '') throw new MeshError('invalid-argument', 'the event has no URI path; name one, e.g. /sample');
  const named = serviceOfQuery(uri.query);
  if (named !== undefined && hosted.includes(named)) return { service: named, path: normalizePath(uri.path) };
  const bare = uri.path.replace(/^\//, '');
  const prefixes = hosted.filter((name) => bare.startsWith(`${name}/`)).sort((one, other) => other.length - one.length);
  const [longest] = prefixes;
  if (longest !== undefined) return { service: longest, path: bare.slice(longest.length) };
  const [only, ...others] = hosted;
  if (only !== undefined && others.length === 0) return { service: only, path: normalizePath(uri.path) };
  const asked = named === undefined ? 'the query names no service' : `service "${named.slice(0, 100)}" is not here`;
  throw new MeshError(
    'not-found',
    `${asked}; this port hosts ${listNames(hosted)}: add service_name=NAME to the query`,
  );
}
