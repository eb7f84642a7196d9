import { type Clock, systemClock } from '../../base/clock.js';
import { Deadline } from '../../base/deadline.js';
import { MeshError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { pause } from '../../base/pause.js';
import type { MeshConfig, ServiceConfig } from '../../config/types.js';
import { EventServer } from '../../mesh/event-server.js';
import type { TypeRegistry } from '../../messages/registry.js';
import type { TlsFiles } from '../../wire/credentials.js';
import type { RecordedPath } from '../recording.js';
import { latchRule } from './latched-events.js';
import { ReplayedService } from './replayed-service.js';

export interface StageOptions {
  /** Ports, histories, latched paths and requests of the services that it names. Default: none, all ports are free ones. */
  readonly config?: MeshConfig;
  /** Where services listen that the configuration does not name. Default `localhost`. */
  readonly host?: string;
  /** More paths that keep their last event, as patterns over `service/path`. Default: none. */
  readonly latch?: readonly string[];
  /** Longest event, in bytes. Default 64 MiB: what was published once is published again. */
  readonly maxMessageBytes?: number;
  /** Default: none, plain text. */
  readonly tls?: TlsFiles;
  /** Serve plain text to other machines, too. Default false. */
  readonly allowInsecure?: boolean;
  readonly logger?: Logger;
}

// Between two looks at who has subscribed.
const pollMs = 10;

// Clients of ours come back within 200 ms; others are not waited for any longer than this.
const returnLimitMs = 2000;
const defaultMaxMessageBytes = 64 * 1024 * 1024;

/** The ports and services that a recording is played on, and a port for the player itself. */
export class Stage {
  readonly services: readonly ReplayedService[];
  /** Paths that keep their last event. */
  readonly latching: readonly RecordedPath[];
  private readonly byName: ReadonlyMap<string, ReplayedService>;
  private readonly servers = new Map<string, EventServer>();
  readonly registry: TypeRegistry;
  private readonly options: StageOptions;

  /** @param hosts The machine that each service ran on, as its events name it. */
  constructor(
    paths: readonly RecordedPath[],
    registry: TypeRegistry,
    { hosts, ...options }: StageOptions & { readonly hosts: ReadonlyMap<string, string> },
  ) {
    this.registry = registry;
    this.options = options;
    const latches = latchRule(options.config, options.latch ?? []);
    this.latching = paths.filter(latches);
    const names = [...new Set(paths.map(({ service }) => service))];
    this.services = names.map((name) => {
      const entry = this.entry(name);
      return new ReplayedService(
        name,
        paths.filter(({ service }) => service === name),
        {
          server: this.server(name),
          registry,
          clock: clockOf(hosts.get(name)),
          logger: options.logger ?? silentLogger,
          entry,
          latches,
        },
      );
    });
    this.byName = new Map(this.services.map((service) => [service.name, service]));
  }

  /** The service of a recorded event; undefined for one that the recording's summary does not have. */
  service(name: string): ReplayedService | undefined {
    return this.byName.get(name);
  }

  /**
   * The port that the configuration gives a service, shared with others that have the same one; else a port of its own,
   * a free one unless `port` says which.
   */
  server(name: string, port = 0): EventServer {
    const entry = this.entry(name);
    const { maxMessageBytes = defaultMaxMessageBytes, tls, allowInsecure = false, logger, host } = this.options;
    const key = entry?.port === undefined ? `free ${name}` : `${entry.host}:${entry.port}`;
    let server = this.servers.get(key);
    if (server === undefined) {
      server = new EventServer(
        entry?.port === undefined ? (host ?? 'localhost') : entry.host,
        entry?.port ?? port,
        this.registry,
        {
          maxMessageBytes,
          allowInsecure,
          ...(tls === undefined ? {} : { tls }),
          ...(logger === undefined ? {} : { logger }),
        },
      );
      this.servers.set(key, server);
    }
    return server;
  }

  get subscriberCount(): number {
    return this.services.reduce((sum, { subscriberCount }) => sum + subscriberCount, 0);
  }

  /** Requests that were answered for machines that are not there. */
  get ignoredRequests(): number {
    return this.services.reduce((sum, { ignoredRequests }) => sum + ignoredRequests, 0);
  }

  /** Takes calls on all ports, those of `others` too. Errors: `already-exists` for a port in use; then none is left open. */
  async start(others: readonly { start(): Promise<void> }[] = []): Promise<void> {
    try {
      for (const service of [...this.services, ...others]) await service.start();
    } catch (error) {
      this.close();
      const failure = MeshError.from(error);
      if (failure.code !== 'already-exists') throw failure;
      const advice = 'is the machine itself running? Stop it, or play on free ports';
      throw new MeshError(failure.code, `${failure.message}: ${advice}`, { cause: error });
    }
  }

  /** Resolves when there are so many subscriptions. */
  async waitForSubscribers(count: number, signal: AbortSignal): Promise<void> {
    while (this.subscriberCount < count && !signal.aborted) await pause(pollMs, signal);
  }

  /** Begins a new epoch, and waits a little for the subscribers of the former one to come back. */
  async restart(signal: AbortSignal): Promise<void> {
    const before = this.services.map(({ subscriberCount }) => subscriberCount);
    await Promise.all(this.services.map((service) => service.restart()));
    using limit = new Deadline(returnLimitMs, signal);
    const areBack = () => this.services.every(({ subscriberCount }, index) => subscriberCount >= before[index]!);
    while (!areBack() && !limit.signal.aborted) await pause(pollMs, limit.signal);
  }

  /** Lets subscribers have what is queued for them, and closes all ports. */
  async drain(limitMs: number): Promise<void> {
    await Promise.all(this.services.map((service) => service.drain(limitMs)));
    await Promise.all([...this.servers.values()].map((server) => server.drain(limitMs)));
    this.close();
  }

  close(): void {
    for (const service of this.services) service.close();
    for (const server of this.servers.values()) server.close();
  }

  private entry(name: string): ServiceConfig | undefined {
    return this.options.config?.services.find((service) => service.name === name);
  }
}

/** Our clocks under the name of the machine that was recorded, which its URIs bear. */
function clockOf(host: string | undefined): Clock {
  const clock = systemClock();
  return host === undefined ? clock : { ...clock, host };
}
