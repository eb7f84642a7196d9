import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { programOf } from '../../src/config/service.js';
import type { MeshConfig } from '../../src/config/types.js';
import { freePorts, rootDirectory, startService, type TestProcess } from '../process.js';

/** Long enough for six processes to start on a machine that is busy with something else. */
export const patient = { timeoutMs: 45_000 };

const withoutGolem = ['agent-1', 'agent-2', 'agent-3', 'supervisor-1', 'supervisor-2', 'storage'];

/** An entry of a configuration, as JSON. */
interface Entry {
  name: string;
  port: number;
  args?: string[];
  subscriptions?: object[];
  log_level: string;
}

/** What to change in the shipped configuration. */
export interface MeshOptions {
  /** Only these services. Default: the six that run without Golem. */
  readonly services?: readonly string[];
  /** Args by service, in place of the shipped ones of the same key. */
  readonly args?: Readonly<Record<string, readonly string[]>>;
}

/** The shipped configuration on free ports, in a folder of its own, and the processes that run from it. */
export class ProcessMesh implements AsyncDisposable {
  readonly configFile: string;
  readonly config: MeshConfig;
  readonly #folder: string;
  readonly #processes: TestProcess[] = [];

  private constructor(entries: readonly Entry[]) {
    this.#folder = mkdtempSync(join(tmpdir(), 'furrow-e2e-'));
    this.configFile = join(this.#folder, 'service_config.json');
    writeFileSync(this.configFile, JSON.stringify({ configs: entries }, undefined, 2));
    this.config = loadConfig(this.configFile);
  }

  static async make({ services = withoutGolem, args = {} }: MeshOptions = {}): Promise<ProcessMesh> {
    const shipped = JSON.parse(readFileSync(`${rootDirectory}service_config.json`, 'utf8')) as { configs: Entry[] };
    const chosen = shipped.configs.filter(({ name }) => services.includes(name));
    const ports = await freePorts(chosen.length);
    return new ProcessMesh(
      chosen.map((entry, index) => {
        const own = args[entry.name] ?? [];
        const keys = own.map((arg) => arg.split('=')[0]);
        return {
          ...entry,
          port: ports[index]!,
          args: [...(entry.args ?? []).filter((arg) => !keys.includes(arg.split('=')[0])), ...own],
          // Farther publishers than the chosen ones would be a fault of the file.
          subscriptions: (entry.subscriptions ?? []).filter((subscription) =>
            chosen.some(({ name }) => JSON.stringify(subscription).includes(`service_name=${name}"`)),
          ),
        };
      }),
    );
  }

  /** Starts one service from the compiled programs, with more command line if given. */
  start(name: string, args: readonly string[] = []): TestProcess {
    const service = this.config.services.find((candidate) => candidate.name === name)!;
    const started = startService(programOf(service), ['-c', this.configFile, '-n', name, ...args]);
    this.#processes.push(started);
    return started;
  }

  /** Starts all services, in the order of the file. */
  startAll(): Map<string, TestProcess> {
    return new Map(this.config.services.map(({ name }) => [name, this.start(name)]));
  }

  port(name: string): number {
    return this.config.services.find((service) => service.name === name)!.port!;
  }

  /** Kills all that still runs, at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#processes.filter((process) => process.running);
    for (const process of running) process.signal('SIGKILL');
    await Promise.all(running.map((process) => process.exit));
    rmSync(this.#folder, { recursive: true });
  }
}
