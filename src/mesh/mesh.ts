import type { Observable } from 'rxjs';
import { systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { findService, splitServicePath } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { TypeRegistry } from '../messages/registry.js';
import { matchesPath, normalizePath } from '../messages/uri.js';
import { EventClient, type EventClientOptions, type RequestOptions } from './event-client.js';
import type { EventStream } from './event-stream.js';
import type { SubscribeRequest } from './subscribe-request.js';
import type { AnyTypes, ServiceTypes } from './types.js';

export type MeshOptions = EventClientOptions;

export interface RequestAllOptions extends Omit<RequestOptions, 'waitForReady'> {
  /** Names of the services to ask. Default: all whose configuration declares the request path. */
  readonly services?: readonly string[];
}

/** What came back from many services before the deadline. */
export interface Replies<T = unknown> {
  /** By service name. */
  readonly replies: ReadonlyMap<string, MeshEvent<T>>;
  /** Why there is no reply, by service name. */
  readonly errors: ReadonlyMap<string, MeshError>;
}

/** Every service of a configuration, within reach by name. A client is made when it is first needed. */
export class Mesh implements AsyncDisposable {
  readonly config: MeshConfig;
  private readonly options: Required<Pick<MeshOptions, 'registry' | 'clock'>> & MeshOptions;
  private readonly clients = new Map<string, EventClient>();

  private constructor(config: MeshConfig, options: MeshOptions) {
    this.config = config;
    this.options = {
      ...options,
      registry: options.registry ?? new TypeRegistry(),
      clock: options.clock ?? systemClock(),
    };
  }

  static from(config: MeshConfig, options: MeshOptions = {}): Mesh {
    return new Mesh(config, options);
  }

  /** The client of a service. Errors: `not-found`, with a suggestion; `failed-precondition` for one without a port. */
  client<T extends ServiceTypes = AnyTypes>(name: string): EventClient<T> {
    let client = this.clients.get(name);
    if (client === undefined) {
      client = new EventClient(findService(this.config, name), this.options);
      this.clients.set(name, client);
    }
    // The types are what the caller says of the service; nothing at run time depends on them.
    return client as unknown as EventClient<T>;
  }

  /** The events of `SERVICE/path` with back pressure; see `EventClient.events`. Errors: `not-found`. */
  events<T = unknown>(
    servicePath: string,
    options: Omit<SubscribeRequest, 'path'> & { signal?: AbortSignal } = {},
  ): EventStream<T> {
    const { service, path } = splitServicePath(this.config, servicePath);
    const { signal, ...request } = options;
    return this.client(service.name).events({ ...request, path }, signal === undefined ? {} : { signal });
  }

  /** The events of `SERVICE/path` as a cold Observable; see `EventClient.subscribe`. Errors: `not-found`. */
  subscribe<T = unknown>(servicePath: string, options: Omit<SubscribeRequest, 'path'> = {}): Observable<MeshEvent<T>> {
    const { service, path } = splitServicePath(this.config, servicePath);
    return this.client(service.name).subscribe({ ...options, path });
  }

  /** Asks `SERVICE/path`; see `EventClient.request`. */
  async request<T = unknown>(
    servicePath: string,
    message: unknown,
    options: RequestOptions = {},
  ): Promise<MeshEvent<T>> {
    const { service, path } = splitServicePath(this.config, servicePath);
    return this.client(service.name).request(path, message, options);
  }

  /**
   * Asks many services the same at once and gives back what came within `timeoutMs` (default 5000): the replies
   * and, for the rest, why not. Errors: `not-found` when no service declares the path and none is named.
   */
  async requestAll<T = unknown>(path: string, message: unknown, options: RequestAllOptions = {}): Promise<Replies<T>> {
    const { services, ...requestOptions } = options;
    const names = services ?? this.answering(path).map(({ name }) => name);
    if (names.length === 0) {
      throw new MeshError('not-found', `no service of ${this.config.file} declares that it answers ${path}`);
    }
    const replies = new Map<string, MeshEvent<T>>();
    const errors = new Map<string, MeshError>();
    await Promise.all(
      names.map(async (name) => {
        try {
          replies.set(name, await this.client(name).request(path, message, requestOptions));
        } catch (error) {
          errors.set(name, MeshError.from(error));
        }
      }),
    );
    return { replies, errors };
  }

  /** The services of another configuration, reached in the same way as these. It must be closed on its own. */
  sibling(config: MeshConfig): Mesh {
    return new Mesh(config, this.options);
  }

  /** Closes every client. Can be called twice. */
  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private answering(path: string): ServiceConfig[] {
    const wanted = normalizePath(path);
    return this.config.services.filter(({ requests }) =>
      requests.some((request) => matchesPath(normalizePath(request.path), wanted)),
    );
  }
}
