import type { Clock } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';
import { healthPath } from '../../config/paths.js';
import type { ServiceConfig } from '../../config/types.js';
import type { EventServer } from '../../mesh/event-server.js';
import { EventService } from '../../mesh/event-service.js';
import { removeStamps } from '../../messages/event-stamps.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { semantics } from '../../messages/timestamp.js';
import { isHeader } from '../event-file-format.js';
import type { RecordedPath } from '../recording.js';

const emptyType = 'google.protobuf.Empty';
// What receiving and recording added.
const addedStamps: readonly string[] = [semantics.clientReceive, semantics.fileWrite];

export interface ReplayedServiceOptions {
  readonly server: EventServer;
  readonly registry: TypeRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Its entry of the mesh's configuration, where it has one: history and latch of its paths, and its requests. */
  readonly entry: ServiceConfig | undefined;
  /** Whether a path keeps its last event for later subscribers. */
  latches(path: RecordedPath): boolean;
}

/** One service of a recording, brought up again. */
export class ReplayedService {
  readonly name: string;
  readonly host: string;
  readonly paths: readonly RecordedPath[];
  /** Requests that were answered for the machine, which is not there to heed them. */
  ignoredRequests = 0;
  private readonly service: EventService;
  /** The event of each header path that was published last. */
  private readonly headers = new Map<string, Buffer>();

  constructor(name: string, paths: readonly RecordedPath[], options: ReplayedServiceOptions) {
    const { server, registry, clock, logger, entry } = options;
    this.name = name;
    this.host = server.host;
    this.paths = paths;
    const declared = new Map(entry?.published.map((published) => [published.path, published]));
    const published = paths.map((recorded) => ({
      path: recorded.path,
      type: recorded.type,
      pb: recorded.pb,
      history: declared.get(recorded.path)?.history ?? 0,
      latch: options.latches(recorded),
    }));
    this.service = new EventService(
      { name, host: server.host, published, subscriptions: [], requests: [], args: [], logLevel: 'notset' },
      {
        server,
        registry,
        clock,
        logger,
        replay: true,
        // Two of them on one path would contradict each other.
        health: !paths.some(({ path }) => path === healthPath),
      },
    );
    this.takeRequests(entry);
  }

  get port(): number {
    return this.service.port;
  }

  get subscriberCount(): number {
    return this.service.subscriberCount;
  }

  start(): Promise<void> {
    return this.service.start();
  }

  /**
   * Publishes a recorded event as it was before it was received and recorded. False: it is a header that stands again
   * at the beginning of a file. Errors: those of `EventService.publishEvent`.
   */
  async publish(event: MeshEvent): Promise<boolean> {
    const sent = event.restamped(removeStamps(event.eventBytes, addedStamps));
    if (isHeader(sent.path) && this.isRepeated(sent)) return false;
    await this.service.publishEvent(sent, event.payload);
    return true;
  }

  /** Begins a new epoch; see `EventService.restart`. */
  async restart(): Promise<void> {
    this.headers.clear();
    await this.service.restart();
  }

  async drain(limitMs: number): Promise<void> {
    await this.service.drain({ limitMs });
  }

  close(): void {
    this.service.close();
  }

  private isRepeated({ path, eventBytes }: MeshEvent): boolean {
    if (this.headers.get(path)?.equals(eventBytes)) return true;
    this.headers.set(path, Buffer.from(eventBytes));
    return false;
  }

  /** A machine that is told something and answers nothing takes it; who asks it for something is refused. */
  private takeRequests(entry: ServiceConfig | undefined): void {
    const { registry } = this.service;
    for (const { path, request, reply } of entry?.requests ?? []) {
      if (reply !== emptyType || (request !== '' && !registry.has(request))) continue;
      const take = (): void => {
        this.ignoredRequests += 1;
      };
      this.service.onRequest(path, take, { ...(request === '' ? {} : { request }), reply });
    }
  }
}
