import { type ArgSchema, parseArgs } from '../base/args.js';
import { type Clock, systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { findService, programOf } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import { EventServer, type HostedService } from '../mesh/event-server.js';
import { EventService } from '../mesh/event-service.js';
import { Mesh } from '../mesh/mesh.js';
import { TypeRegistry } from '../messages/registry.js';
import type { ServiceProgram } from '../program/service-main.js';

// biome-ignore lint/suspicious/noExplicitAny: programs of different args stand side by side here.
type AnyProgram = ServiceProgram<any>;

export interface StartMeshOptions {
  /** Message types. Default: the well-known ones and furrow's own. */
  readonly registry?: TypeRegistry;
  /** Clock of all services and clients, such as a TestClock. Default: this machine's. */
  readonly clock?: Clock;
  /** Default: none. */
  readonly logger?: Logger;
}

const host = '127.0.0.1';

/**
 * Runs the services of a configuration in this process, each port of the configuration on a free one. A service runs
 * the program of its own name, or the one `furrow up` would start for it (`agent` for `agent-1`); without a program it
 * is started bare, to be driven by the test. Resolves when every service takes calls.
 *
 * Errors: what a program throws before it has started its service.
 */
export async function startMesh(
  config: MeshConfig,
  programs: Readonly<Record<string, AnyProgram>> = {},
  options: StartMeshOptions = {},
): Promise<RunningMesh> {
  const shared = {
    registry: options.registry ?? new TypeRegistry(),
    clock: options.clock ?? systemClock(),
    logger: options.logger ?? silentLogger,
  };
  const ports = await openPorts(config, shared.registry);
  const services = config.services.map((service) => {
    const server = ports.get(portKey(service));
    return server === undefined ? service : { ...service, host, port: server.port };
  });
  const running = new RunningMesh({ ...config, services }, [...ports.values()], shared);
  try {
    await Promise.all(
      config.services.map((service) => {
        const server = ports.get(portKey(service));
        const program = programs[service.name] ?? programs[programOf(service)];
        return server === undefined ? undefined : running.start(service.name, server, program);
      }),
    );
  } catch (error) {
    await running.close().catch(() => undefined);
    throw error;
  }
  return running;
}

/** A mesh that `startMesh` started. Close it, or use `await using`. */
export class RunningMesh implements AsyncDisposable {
  /** The configuration, with the ports that are really used. */
  readonly config: MeshConfig;
  /** Clients of all services. */
  readonly mesh: Mesh;
  /** What the programs printed, each line as `SERVICE: line`. */
  readonly printed: string[] = [];
  private readonly services = new Map<string, EventService>();
  private readonly servers: readonly AnnouncingServer[];
  private readonly shared: Required<StartMeshOptions>;
  private readonly stopping = new AbortController();
  private readonly runs: Promise<void>[] = [];

  constructor(config: MeshConfig, servers: readonly AnnouncingServer[], shared: Required<StartMeshOptions>) {
    this.config = config;
    this.servers = servers;
    this.shared = shared;
    this.mesh = Mesh.from(config, shared);
  }

  /** Errors: `not-found`, with a suggestion; also for an entry without a port. */
  service(name: string): EventService {
    const service = this.services.get(name);
    if (service !== undefined) return service;
    throw new MeshError('not-found', `${findService(this.config, name).name} has no port, so it does not run`);
  }

  /** Runs a service; resolves when it takes calls. `startMesh` does this for all. */
  async start(name: string, server: AnnouncingServer, program: AnyProgram | undefined): Promise<void> {
    const config = findService(this.config, name);
    const service = new EventService(config, { ...this.shared, server });
    this.services.set(name, service);
    if (program === undefined) return service.start();
    const started = server.added(name);
    const run = this.run(program, service, config);
    // Kept for close(), which is where a failure after the start is told.
    run.catch(() => undefined);
    this.runs.push(run);
    await Promise.race([started, run]);
  }

  /** Tells the programs to stop, waits for them, and closes everything. Errors: the first that a program threw. */
  async close(): Promise<void> {
    this.stopping.abort('closed');
    const ended = await Promise.allSettled(this.runs);
    await Promise.all([...this.services.values()].map((service) => service.drain()));
    this.mesh.close();
    for (const server of this.servers) server.close();
    for (const run of ended) if (run.status === 'rejected') throw run.reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async run(program: AnyProgram, service: EventService, config: ServiceConfig): Promise<void> {
    const args = parseArgs(config.args, program.args as ArgSchema, { at: `${this.config.file}: ${config.name}` });
    await program.run({
      service,
      mesh: this.mesh,
      config,
      meshConfig: this.config,
      args,
      logger: this.shared.logger,
      print: (line) => this.printed.push(`${config.name}: ${line}`),
      signal: this.stopping.signal,
    });
  }
}

/** A port that tells when a service has begun to take calls there. */
class AnnouncingServer extends EventServer {
  private readonly listeners = new Map<string, () => void>();

  override add(service: HostedService): void {
    super.add(service);
    this.listeners.get(service.name)?.();
  }

  added(name: string): Promise<void> {
    return new Promise((resolve) => this.listeners.set(name, resolve));
  }
}

/** A server for each port of the configuration, bound to a free one. */
async function openPorts(config: MeshConfig, registry: TypeRegistry): Promise<Map<string, AnnouncingServer>> {
  const servers = new Map<string, AnnouncingServer>();
  for (const service of config.services) {
    const key = portKey(service);
    if (service.port === undefined || servers.has(key)) continue;
    const server = new AnnouncingServer(host, 0, registry);
    await server.listen();
    servers.set(key, server);
  }
  return servers;
}

function portKey({ host: configured, port }: ServiceConfig): string {
  return `${configured}:${port}`;
}
