import { randomUUID } from 'node:crypto';
import { type Observable, Subject } from 'rxjs';
import { type Clock, systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import type { ServiceConfig } from '../config/types.js';
import { encodeEvent } from '../messages/envelope.js';
import type { Event } from '../messages/event.js';
import { MeshEvent } from '../messages/mesh-event.js';
import { TypeRegistry } from '../messages/registry.js';
import { normalizePath, type Uri } from '../messages/uri.js';
import type { EncodedEvent } from './encoded-event.js';
import { EventServer, type HostedService, type RoutedRequest, type RoutedSubscription } from './event-server.js';
import type { EventServiceOptions } from './event-service-options.js';
import { healthPath, healthType, startHealth } from './health.js';
import { PublishedPaths } from './published-paths.js';
import { RequestHandlers } from './request-handlers.js';
import { SubscriberSet } from './subscriber-set.js';
import type { Delivery } from './topic.js';
import { TurnLimit } from './turn-limit.js';
import type {
  AnyTypes,
  PublishedPathOf,
  PublishedValue,
  PublishOptions,
  PublishResult,
  ReplyValue,
  RequestHandler,
  RequestHandlerOptions,
  RequestPathOf,
  RequestValue,
  ServiceTypes,
} from './types.js';
import { furrowVersion } from './version.js';

// Fewer than the default depth of a queue, so that a publisher in a loop does not overflow readers that keep up.
const eventsPerTurn = 64;

/** A process of the mesh: it publishes paths, answers requests, and says how it is on `/health`. */
export class EventService<T extends ServiceTypes = AnyTypes> implements AsyncDisposable {
  readonly name: string;
  readonly config: ServiceConfig;
  readonly registry: TypeRegistry;
  readonly clock: Clock;
  private readonly logger: Logger;
  private readonly server: EventServer;
  private readonly ownsServer: boolean;
  private readonly paths: PublishedPaths;
  private readonly subscribers: SubscriberSet;
  private readonly handlers: RequestHandlers;
  private readonly published = new Subject<MeshEvent>();
  private readonly hosted: HostedService;
  private readonly turns = new TurnLimit(eventsPerTurn);
  private readonly publishesHealth: boolean;
  private stopHealth: () => void = () => undefined;
  private drained: Promise<void> | undefined;
  private state: 'new' | 'started' | 'draining' | 'closed' = 'new';

  /** Errors: `failed-precondition` when the configuration's entry has no port and so is no server. */
  constructor(config: ServiceConfig, options: EventServiceOptions = {}) {
    this.name = config.name;
    this.config = config;
    this.registry = options.registry ?? new TypeRegistry();
    this.clock = options.clock ?? systemClock();
    this.logger = options.logger ?? silentLogger;
    this.ownsServer = options.server === undefined;
    this.server = options.server ?? this.makeServer(config, options);
    const maxQueuedBytes = options.maxQueuedBytes ?? 256 * 1024 * 1024;
    this.paths = new PublishedPaths(config, this.registry, this.clock, maxQueuedBytes);
    this.subscribers = new SubscriberSet({
      service: config.name,
      epoch: randomUUID(),
      replay: options.replay ?? false,
      version: furrowVersion(),
      maxSubscribers: options.maxSubscribers ?? 10_000,
      maxBlockMs: options.maxBlockMs ?? 10_000,
      maxSubscriberBytes: options.maxSubscriberBytes ?? 16 * 1024 * 1024,
      maxQueuedBytes,
      logger: this.logger,
    });
    this.handlers = new RequestHandlers(config, this.registry, this.clock, this.logger);
    this.publishesHealth = options.health ?? true;
    this.hosted = {
      name: config.name,
      uris: () => this.listUris(),
      request: (request: RoutedRequest) => this.answer(request),
      subscribe: (subscription: RoutedSubscription) => this.subscribers.add(subscription, this.paths),
    };
  }

  /** Where it listens; the configured port until `start`. */
  get port(): number {
    return this.server.port;
  }

  /** Subscriptions that the service has now. */
  get subscriberCount(): number {
    return this.subscribers.size;
  }

  /** Every event published from now on, as subscribers get it. Hot; completes on close. */
  get published$(): Observable<MeshEvent> {
    return this.published;
  }

  /**
   * Binds the port, takes calls, and publishes `/health` once a second, unless `health` is false. Errors:
   * `already-exists` for a port in use, `failed-precondition` when plain text would leave the machine or the service
   * was closed before.
   */
  async start(): Promise<void> {
    if (this.state !== 'new') throw this.notOpen('start');
    this.server.add(this.hosted);
    this.state = 'started';
    if (this.publishesHealth) this.paths.forMessage(healthPath, healthType);
    try {
      await this.server.listen();
    } catch (error) {
      if ((this.state as string) !== 'started') return;
      this.state = 'closed';
      this.server.remove(this.hosted);
      throw error;
    }
    // A drain or close may have come while the port was being bound.
    if ((this.state as string) !== 'started' || !this.publishesHealth) return;
    this.stopHealth = startHealth(this.paths, this.subscribers, (health) =>
      this.publishMessage(healthPath, health, { type: healthType }),
    );
  }

  /**
   * Publishes a message: encoded once, stamped, counted, and offered to every subscriber's queue. The promise
   * resolves at once, unless a subscriber with `overflow=block` has no room; publishers that await it are
   * slowed to that subscriber's pace, by `block_ms` an event at most.
   *
   * Errors: `invalid-argument` when the message does not fit the path's type or the path carries another one;
   * `not-found` when the type is not known; `resource-exhausted` for an event over `maxMessageBytes`;
   * `failed-precondition` after `drain` or `close`.
   */
  publish<P extends PublishedPathOf<T>>(
    path: P,
    message: PublishedValue<T, P>,
    options: PublishOptions = {},
  ): Promise<PublishResult> {
    return this.publishMessage(path, message, options);
  }

  /**
   * Publishes an event as it is, for recordings and bridges: nothing is stamped or counted, and its bytes stay
   * the same when it is a MeshEvent. The path's next own sequence follows the event's.
   *
   * Errors: `invalid-argument` when the payload is not `payloadLength` long, the path carries another type or is none;
   * otherwise as `publish`.
   */
  async publishEvent(event: Event, payload: Uint8Array, options: { latch?: boolean } = {}): Promise<PublishResult> {
    if (this.state === 'closed' || this.state === 'draining') throw this.notOpen('publish');
    if (event.payloadLength !== payload.length) {
      throw new MeshError(
        'invalid-argument',
        `${this.name}${event.uri.path}: the event says ${event.payloadLength} bytes of payload; ${payload.length} were given`,
      );
    }
    const topic = this.paths.forEvent(event.uri);
    const eventBytes = event instanceof MeshEvent ? event.eventBytes : encodeEvent(event);
    const encoded = topic.adopt(event.sequence, eventBytes, payload);
    this.paths.checkSize(encoded, this.server.maxMessageBytes);
    this.subscribers.listenTo(topic);
    const delivery = topic.publish(encoded, options.latch ?? false);
    this.tell(encoded);
    return this.result(event.sequence, delivery);
  }

  /**
   * Answers requests on a path; `/prefix/*` answers every path below. A handler that throws a MeshError gives
   * its caller that code and message; any other error becomes `unknown` with its message, and a log line here.
   *
   * Errors: `already-exists` when the path has a handler, `not-found` for a type that is not known.
   */
  onRequest<P extends RequestPathOf<T>>(
    path: P,
    handler: RequestHandler<RequestValue<T, P>, ReplyValue<T, P>>,
    options: RequestHandlerOptions = {},
  ): void {
    this.handlers.add(normalizePath(path), handler as RequestHandler, options);
  }

  /**
   * Goes on as if it had been stopped and started again: a new epoch, sequences from 0, nothing held or latched.
   * Subscribers get what is queued for them, within `limitMs` (default 1000), then their streams end, and they come
   * back by themselves. For a recording that is played again, or from another place.
   *
   * Errors: `failed-precondition` before `start` and after `drain` or `close`.
   */
  async restart({ limitMs = 1000 }: { limitMs?: number } = {}): Promise<void> {
    if (this.state !== 'started') throw this.notOpen('restart');
    for (const topic of this.paths.topics()) topic.restart();
    await this.subscribers.restart(randomUUID(), limitMs);
  }

  /** The URIs of the paths published. */
  listUris(): Uri[] {
    return this.paths.topics().map(({ uri }) => uri);
  }

  /**
   * Stops well: publishes no more, lets every subscriber have what is queued for it, ends their streams, lets
   * requests finish, and closes; all within `limitMs` (default 5000). Can be called twice.
   */
  drain({ limitMs = 5000 }: { limitMs?: number } = {}): Promise<void> {
    this.drained ??= this.finish(limitMs);
    return this.drained;
  }

  private async finish(limitMs: number): Promise<void> {
    if (this.state === 'closed') return;
    this.state = 'draining';
    this.stopHealth();
    if (this.ownsServer) this.server.refuseSoon();
    const deadlineMs = performance.now() + limitMs;
    await this.subscribers.drain(limitMs);
    if (this.ownsServer) await this.server.drain(Math.max(0, deadlineMs - performance.now()));
    this.close();
  }

  /** Stops at once: queued events are lost, calls end. Can be called twice. */
  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.stopHealth();
    this.subscribers.close(new MeshError('unavailable', `service ${this.name} was closed`));
    this.server.remove(this.hosted);
    if (this.ownsServer) this.server.close();
    this.published.complete();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  private publishMessage(path: string, message: unknown, options: PublishOptions): Promise<PublishResult> {
    try {
      if (this.state === 'closed' || this.state === 'draining') throw this.notOpen('publish');
      const topic = this.paths.forMessage(path, options.type);
      this.subscribers.listenTo(topic);
      const payload = this.paths.encode(topic, message, options);
      const event = topic.encode(payload, options.timestamps);
      this.paths.checkSize(event, this.server.maxMessageBytes);
      const delivery = topic.publish(event, options.latch ?? false);
      // Behind the publishing: an observer that publishes here in turn must get the next sequence.
      this.tell(event);
      return this.result(event.sequence, delivery);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private result(sequence: number, delivery: Delivery | Promise<Delivery>): Promise<PublishResult> {
    const turn = this.turns.take();
    if (turn !== undefined || delivery instanceof Promise) return this.laterResult(sequence, delivery, turn);
    const { subscribers, dropped } = delivery;
    return Promise.resolve({ sequence, subscribers, dropped });
  }

  private async laterResult(
    sequence: number,
    delivery: Delivery | Promise<Delivery>,
    turn: Promise<void> | undefined,
  ): Promise<PublishResult> {
    await turn;
    return { sequence, ...(await delivery) };
  }

  private tell(event: EncodedEvent): void {
    if (!this.published.observed) return;
    const decoder = { registry: this.registry, unknownType: () => undefined };
    this.published.next(MeshEvent.fromEnvelope(event.envelope, decoder, { publisher: this.name }));
  }

  private answer(request: RoutedRequest): Uint8Array | Promise<Uint8Array> {
    if (this.state !== 'started') throw new MeshError('unavailable', `service ${this.name} is shutting down`);
    return this.handlers.answer(request);
  }

  private makeServer(config: ServiceConfig, options: EventServiceOptions): EventServer {
    if (config.port === undefined) {
      throw new MeshError(
        'failed-precondition',
        `"${config.name}" has no port: it is a set of subscriptions, not a server`,
      );
    }
    return new EventServer(config.host, config.port, this.registry, options);
  }

  private notOpen(what: string): MeshError {
    return new MeshError('failed-precondition', `cannot ${what}: service ${this.name} is ${this.state}`);
  }
}
