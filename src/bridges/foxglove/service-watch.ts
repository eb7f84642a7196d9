import { MeshError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { pause } from '../../base/pause.js';
import { parseQuery } from '../../base/query.js';
import type { EventClient } from '../../mesh/event-client.js';
import { serviceOfQuery, type Uri } from '../../messages/uri.js';

/** A path that a service publishes now, and its type. */
export interface ListedPath {
  readonly path: string;
  /** Empty when the service does not say. */
  readonly type: string;
}

export interface ServiceWatchOptions {
  /** Between two looks at what the service publishes. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** What it publishes; `undefined` when it is away. Called again and again, also with what is known. */
  listed(paths: readonly ListedPath[] | undefined): void;
}

const listTimeoutMs = 2000;

/** Looks for as long as the signal allows at whether a service is there and what it publishes. */
export async function watchService(client: EventClient, options: ServiceWatchOptions): Promise<void> {
  const { signal, listed, logger } = options;
  let look = new AbortController();
  let wasAway = false;
  const end = (): void => look.abort();
  signal.addEventListener('abort', end, { once: true });
  const states = client.state$.subscribe(({ status }) => {
    if (status === 'away') listed(undefined);
    if (status === 'connected' && wasAway) look.abort();
    wasAway = status === 'away';
  });
  try {
    for (let failures = 0; !signal.aborted; ) {
      look = new AbortController();
      try {
        const uris = await client.listUris({ timeoutMs: listTimeoutMs, signal });
        failures = 0;
        if (!signal.aborted) listed(pathsOf(client.name, uris));
      } catch (error) {
        if (signal.aborted) return;
        const { code, message } = MeshError.from(error);
        failures += 1;
        logger.debug(`${client.name} does not list its paths: ${message}`);
        // One answer can be late while events still flow.
        if (code === 'unavailable' || failures > 1) listed(undefined);
      }
      await pause(options.pollMs, look.signal);
    }
  } finally {
    states.unsubscribe();
    signal.removeEventListener('abort', end);
  }
}

/** Several services may share a port, which lists the paths of them all. Undefined when it hosts only others. */
function pathsOf(service: string, uris: readonly Uri[]): ListedPath[] | undefined {
  const own = uris.filter(({ query }) => (serviceOfQuery(query) ?? service) === service);
  if (own.length === 0 && uris.length > 0) return undefined;
  return own.map(({ path, query }) => ({ path, type: parseQuery(query).get('type') ?? '' }));
}
