import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The provider's programs, run from their wrappers against a folder of their own. */
export class Programs {
  readonly root = mkdtempSync(join(tmpdir(), 'simple-service-'));
  readonly database = join(this.root, 'out', 'observations.db');
  readonly pidFile = join(this.root, 'out', 'simulate_observations.pid');

  readonly #home = fileURLToPath(new URL('../../dist/services/simple-service', import.meta.url));
  readonly #wrappers = fileURLToPath(new URL('../../services/simple-service/provider/run', import.meta.url));

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, GOLEM_ROOT: this.root, SIMPLE_SERVICE_HOME: this.#home };
  }

  wrapper(program: string): string {
    return join(this.#wrappers, program);
  }

  run(program: string, ...args: string[]): Promise<Outcome> {
    return run(this.wrapper(program), args, this.environment);
  }

  service(...args: string[]): Promise<Outcome> {
    return this.run('simple_service', ...args);
  }

  /** Starts and stops the daemon. */
  ctl(...args: string[]): Promise<Outcome> {
    return this.run('simulate_observations_ctl', ...args);
  }

  /** Runs a shell command with the programs' environment; `$SERVICE` is the service's wrapper. */
  shell(script: string): Promise<Outcome> {
    return run('/bin/sh', ['-c', script], { ...this.environment, SERVICE: this.wrapper('simple_service') });
  }

  /** Starts a program in a process group of its own, so that a kill reaches all of it. */
  spawn(program: string, ...args: string[]) {
    return spawn(this.wrapper(program), args, { env: this.environment, detached: true, stdio: 'ignore' });
  }

  async rows(): Promise<{ val: number; time_added: string }[]> {
    return JSON.parse((await this.service('--dump')).stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (existsSync(this.pidFile)) await this.run('simulate_observations_ctl', '--stop');
    rmSync(this.root, { recursive: true, force: true });
  }
}

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { env, maxBuffer: 64 << 20 }, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}
