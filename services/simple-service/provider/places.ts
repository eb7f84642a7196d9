import { join, resolve } from 'node:path';

/** Where the programs keep their files. */
export interface Places {
  /** SQLite database of observations. */
  readonly database: string;
  /** Folder that plots are written to. */
  readonly output: string;
  /** Process id of the running daemon. */
  readonly pidFile: string;
  /** What the daemon has to complain about. */
  readonly daemonLog: string;
}

/**
 * `GOLEM_ROOT` (default `/golem`) is the folder with `in`, `out` and `run`; the wrappers in `run` set it to the
 * folder they lie in, so that the programs work wherever the image is unpacked. Everything is kept in `out`, the
 * volume that lives on disk and that files can be fetched from; `SIMPLE_SERVICE_DB` moves the database elsewhere.
 */
export function places(environment: NodeJS.ProcessEnv = process.env): Places {
  const output = join(resolve(environment.GOLEM_ROOT || '/golem'), 'out');
  return {
    database: resolve(environment.SIMPLE_SERVICE_DB || join(output, 'observations.db')),
    output,
    pidFile: join(output, 'simulate_observations.pid'),
    daemonLog: join(output, 'simulate_observations.log'),
  };
}
