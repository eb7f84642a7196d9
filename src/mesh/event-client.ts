import { setMaxListeners } from 'node:events';
import { Observable } from 'rxjs';
import { type Clock, systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { listNames } from '../base/suggest.js';
import type { RequestPath, ServiceConfig, SubscriptionConfig } from '../config/types.js';
import { EnvelopeReader } from '../messages/envelope-reader.js';
import { EnvelopeTemplate } from '../messages/envelope-template.js';
import { EventMemo } from '../messages/event-memo.js';
import { type EventDecoder, MeshEvent } from '../messages/mesh-event.js';
import { MessageCache } from '../messages/message-cache.js';
import { TypeRegistry } from '../messages/registry.js';
import { semantics } from '../messages/timestamp.js';
import { eventUri, matchesPath, normalizePath, type Uri } from '../messages/uri.js';
import type { TlsFiles } from '../wire/credentials.js';
import { Connection, type ConnectionState } from './connection.js';
import { defaultMaxMessageBytes } from './event-server.js';
import { EventStream } from './event-stream.js';
import { versionHeaders } from './protocol.js';
import { RecentEvents } from './recent-events.js';
import type { SubscribeRequest } from './subscribe-request.js';
import type {
  AnyTypes,
  PublishedPathOf,
  PublishedValue,
  ReplyValue,
  RequestPathOf,
  RequestValue,
  ServiceTypes,
} from './types.js';
import { furrowVersion } from './version.js';

/** The service a client speaks to: an entry of a configuration, or just its name and place. */
export type ClientTarget = Pick<ServiceConfig, 'name' | 'host'> & Partial<ServiceConfig>;

export interface EventClientOptions {
  /** Message types. Default: the well-known ones and furrow's own. */
  readonly registry?: TypeRegistry;
  /** Default: this machine's clocks and name. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Default: none, plain text. */
  readonly tls?: TlsFiles;
  /** Longest message taken, in bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** A link silent for this long, in ms, is asked for a sign of life, and replaced if none comes. Default 10,000. */
  readonly keepaliveMs?: number;
}

export interface RequestOptions {
  /** Full message name of the request; needed only for a path whose type the configuration does not declare. */
  readonly type?: string;
  /** Milliseconds until the request fails with `deadline-exceeded`. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Wait for an absent service, within the deadline, instead of failing at once. Default false. */
  readonly waitForReady?: boolean;
}

/** Speaks to one service of the mesh. Connects when first used, and again for as long as somebody listens. */
export class EventClient<T extends ServiceTypes = AnyTypes> implements AsyncDisposable {
  readonly name: string;
  private readonly target: ClientTarget;
  private readonly registry: TypeRegistry;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly connection: Connection;
  private readonly cache = new MessageCache();
  /** One for all streams: it is only looked at while one of them is read. */
  private readonly reader = new EnvelopeReader();
  /** By path. */
  private readonly recent = new Map<string, RecentEvents>();
  private readonly decoder: EventDecoder;
  private readonly version = furrowVersion();
  private readonly templates = new Map<string, { template: EnvelopeTemplate; sequence: number }>();
  private readonly unknownTypes = new Set<string>();
  private readonly closing = new AbortController();
  private saidFarmNg = false;

  /** Errors: `failed-precondition` when the target has no port and so is no server. */
  constructor(target: ClientTarget, options: EventClientOptions = {}) {
    if (target.port === undefined) {
      throw new MeshError(
        'failed-precondition',
        `"${target.name}" has no port: it is a set of subscriptions, not a server`,
      );
    }
    // Every stream of this client listens to it.
    setMaxListeners(0, this.closing.signal);
    this.name = target.name;
    this.target = target;
    this.registry = options.registry ?? new TypeRegistry();
    this.clock = options.clock ?? systemClock();
    this.logger = options.logger ?? silentLogger;
    this.decoder = {
      registry: this.registry,
      unknownType: (type) => this.sayUnknown(type),
      memo: new EventMemo(),
    };
    this.connection = new Connection(target.name, target.host, target.port, {
      maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
      keepaliveMs: options.keepaliveMs ?? 10_000,
      logger: this.logger,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    });
  }

  /** Whether the service is there, as the streams and requests of this client see it; the latest value first. */
  get state$(): Observable<ConnectionState> {
    return this.connection.state$;
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /**
   * The events of a path, or of `*`, or of `/prefix/*`, from now on, the latched ones first. Iterating pulls them with
   * back pressure; leaving the loop, or the signal, ends the subscription. It outlives the connection: after a
   * break it goes on from the event it had last, and `gaps$` says what is lost.
   *
   * Errors: `failed-precondition` after `close`; while iterating, those that trying again cannot mend, such as
   * `invalid-argument` and `permission-denied`.
   */
  events<P extends PublishedPathOf<T>>(
    request: P | SubscribeRequest<P>,
    { signal }: { signal?: AbortSignal } = {},
  ): EventStream<PublishedValue<T, P>> {
    if (this.closing.signal.aborted) throw this.closed();
    const wanted = typeof request === 'string' ? { path: request } : request;
    return new EventStream<PublishedValue<T, P>>({
      service: this.name,
      request: wanted,
      connection: this.connection,
      version: this.version,
      registry: this.registry,
      clock: this.clock,
      logger: this.logger,
      reader: this.reader,
      cache: this.cache,
      recent: () => this.recentOf(normalizePath(wanted.path)),
      signals: signal === undefined ? [this.closing.signal] : [this.closing.signal, signal],
      unknownType: (type) => this.sayUnknown(type),
      farmNgService: () => this.sayFarmNg(),
    });
  }

  /** The same events as a cold Observable: each subscription is one of its own. It errors as `events` throws. */
  subscribe<P extends PublishedPathOf<T>>(
    request: P | SubscribeRequest<P>,
  ): Observable<MeshEvent<PublishedValue<T, P>>> {
    // rxjs's from() would not cancel a quiet stream at unsubscribe, and the call would leak.
    return new Observable((subscriber) => {
      const ended = new AbortController();
      const stream = this.events(request, { signal: ended.signal });
      stream
        .forEachBatch((batch) => {
          for (const event of batch) {
            if (subscriber.closed) return;
            subscriber.next(event);
          }
        })
        .then(
          () => subscriber.complete(),
          (error) => subscriber.error(error),
        );
      return () => ended.abort();
    });
  }

  /**
   * Asks and waits for the reply, whose `message` is its value.
   *
   * Errors: `unavailable` at once when the service is away (unless `waitForReady`), `deadline-exceeded`,
   * `cancelled`, `unimplemented` for an unknown path, `invalid-argument` for a message that does not fit, and
   * whatever code the handler throws.
   */
  async request<P extends RequestPathOf<T>>(
    path: P,
    message: RequestValue<T, P>,
    options: RequestOptions = {},
  ): Promise<MeshEvent<ReplyValue<T, P>>> {
    const { timeoutMs = 5000, signal, waitForReady = false } = options;
    if (this.closing.signal.aborted) throw this.closed();
    const bytes = this.encodeRequest(normalizePath(path), message, options.type);
    try {
      const reply = await this.connection.unary('requestReply', bytes, {
        headers: versionHeaders(this.version),
        timeoutMs,
        waitForReady,
        ...(signal === undefined ? {} : { signal }),
      });
      return MeshEvent.fromEnvelope<ReplyValue<T, P>>(reply, this.decoder, {
        publisher: this.name,
        received: this.receivedNow(),
      });
    } catch (error) {
      const { code, message: what } = MeshError.from(error);
      throw new MeshError(code, `request ${this.name}${normalizePath(path)}: ${what}`, { cause: error });
    }
  }

  /** The URIs of the paths that the service publishes. Errors: as `request`. */
  async listUris({ timeoutMs = 5000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Uri[]> {
    const reply = await this.connection.unary('listUris', new Uint8Array(0), {
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const { uris } = this.registry.decode('farm_ng.core.proto.ListUrisReply', reply) as { uris: Uri[] };
    return uris;
  }

  /** Ends every stream and request of this client and its connection. Can be called twice. */
  close(): void {
    this.closing.abort();
    this.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private encodeRequest(path: string, message: unknown, type: string | undefined): Uint8Array {
    const requestType = type ?? this.declaration(path)?.request;
    if (requestType === undefined) {
      const declared = (this.target.requests ?? []).map((entry) => entry.path);
      throw new MeshError(
        'invalid-argument',
        `request ${this.name}${path} has no message type: declare it in the configuration's uris or pass {type}; ` +
          `declared are ${listNames(declared)}`,
      );
    }
    const key = `${requestType} ${path}`;
    let entry = this.templates.get(key);
    if (entry === undefined) {
      const pb = this.registry.fileOf(requestType);
      const uri = eventUri(this.clock.host, path, requestType, pb, this.name);
      entry = { template: new EnvelopeTemplate(uri, this.clock, semantics.clientSend), sequence: 0 };
      // Paths are few; a program that makes them up as it goes must not grow without bound.
      if (this.templates.size >= 10_000) this.templates.clear();
      this.templates.set(key, entry);
    }
    return entry.template.encode(this.registry.encode(requestType, message ?? {}), entry.sequence++);
  }

  private declaration(path: string): RequestPath | undefined {
    return this.target.requests?.find((entry) => matchesPath(normalizePath(entry.path), path));
  }

  private receivedNow() {
    return {
      stamp: this.clock.monotonic(),
      clockName: this.clock.monotonicName,
      semantics: semantics.clientReceive,
    };
  }

  private sayFarmNg(): void {
    if (this.saidFarmNg) return;
    this.saidFarmNg = true;
    this.logger.info(`${this.name} is a farm-ng service: its queues, history and restarts follow farm-ng's rules`);
  }

  private recentOf(path: string): RecentEvents {
    const known = this.recent.get(path);
    if (known !== undefined) return known;
    const recent: RecentEvents = new RecentEvents(() => {
      // A stream that was made long before it is read may come back to an old one.
      if (this.recent.get(path) === recent) this.recent.delete(path);
    });
    this.recent.set(path, recent);
    return recent;
  }

  private sayUnknown(type: string): void {
    if (this.unknownTypes.has(type) || this.unknownTypes.size >= 1000) return;
    this.unknownTypes.add(type);
    this.logger.warn(
      `${this.name} sends messages of type "${type}", which is not known here: their bytes are kept as they are; ` +
        'add the directory of its .proto file to decode them',
    );
  }

  private closed(): MeshError {
    return new MeshError('failed-precondition', `the client of ${this.name} is closed`);
  }
}

/** A configuration's subscription as a request to the client of its publisher. */
export function requestOf(subscription: SubscriptionConfig): SubscribeRequest {
  const { path, everyN, history, qos } = subscription;
  return { path, everyN, ...(history === undefined ? {} : { history }), ...qos };
}
