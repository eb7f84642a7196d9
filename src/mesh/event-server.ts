import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { MeshError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { decodeHead, splitEnvelope } from '../messages/envelope.js';
import { EventMemo, type KnownUri } from '../messages/event-memo.js';
import type { TypeRegistry } from '../messages/registry.js';
import type { Uri } from '../messages/uri.js';
import type { TlsFiles } from '../wire/credentials.js';
import type { WireServer } from '../wire/server.js';
import type { IncomingCall, OutgoingStream, WireHandler } from '../wire/types.js';
import { versionHeaders } from './protocol.js';
import { type Route, routeCall } from './routing.js';
import { furrowVersion } from './version.js';

/** A request, routed to its service. */
export interface RoutedRequest {
  readonly path: string;
  readonly eventBytes: Buffer;
  readonly payload: Buffer;
  readonly call: IncomingCall;
}

/** A subscription, routed to its service. */
export interface RoutedSubscription {
  readonly path: string;
  readonly query: string;
  readonly everyN: number;
  readonly call: IncomingCall;
  readonly stream: OutgoingStream;
}

/** What a port calls of the services it hosts. */
export interface HostedService {
  readonly name: string;
  uris(): Uri[];
  request(request: RoutedRequest): Uint8Array | Promise<Uint8Array>;
  subscribe(subscription: RoutedSubscription): void;
}

export interface EventServerOptions {
  /** Default: none, plain text. */
  readonly tls?: TlsFiles;
  /** Serve plain text to other machines, too. Default false: a host beyond loopback then needs `tls`. */
  readonly allowInsecure?: boolean;
  /** Longest message taken from a client and longest event published, in bytes. Default 4 MiB, as clients have it. */
  readonly maxMessageBytes?: number;
  /** Requests that may be under way at once on the port. Default 1024; more are refused. */
  readonly maxRequests?: number;
  /**
   * Write events by grpc-js's public interface only, a tenth as fast. Default false: by the HTTP/2 stream of the call,
   * where this grpc-js shows it.
   */
  readonly publicWay?: boolean;
  readonly logger?: Logger;
}

export const defaultMaxMessageBytes = 4 * 1024 * 1024;

/**
 * One port of the mesh. An EventService makes its own; services that share a port are handed a common one:
 * `new EventService(config, {server})`.
 */
export class EventServer {
  readonly host: string;
  /** Longest message taken and published, in bytes. */
  readonly maxMessageBytes: number;
  private readonly askedPort: number;
  private wire: WireServer | undefined;
  private readonly router: CallRouter;
  private readonly options: EventServerOptions;
  private readonly hosted = new Map<string, HostedService>();
  private listening: Promise<number> | undefined;
  private closed = false;

  constructor(host: string, port: number, registry: TypeRegistry, options: EventServerOptions = {}) {
    this.host = host;
    this.askedPort = port;
    this.options = options;
    this.maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.router = new CallRouter(this.hosted, registry, options.maxRequests ?? 1024);
  }

  /** The port it listens on. */
  get port(): number {
    return this.wire?.port ?? this.askedPort;
  }

  /** Hosts a service. Errors: `already-exists` when one of its name is there. */
  add(service: HostedService): void {
    if (this.hosted.has(service.name)) {
      throw new MeshError(
        'already-exists',
        `a service named "${service.name}" is on ${this.host}:${this.port} already`,
      );
    }
    this.hosted.set(service.name, service);
    this.router.forgetRoutes();
  }

  remove(service: HostedService): void {
    if (this.hosted.get(service.name) === service) this.hosted.delete(service.name);
    this.router.forgetRoutes();
  }

  /**
   * Binds the port; further calls wait for the first. Errors: `already-exists` when the port is taken,
   * `failed-precondition` when plain text would leave this machine.
   */
  listen(): Promise<number> {
    this.listening ??= this.bind();
    return this.listening;
  }

  /** Lets health checks say that the port is about to close. */
  refuseSoon(): void {
    this.wire?.refuseSoon();
  }

  async drain(limitMs: number): Promise<void> {
    this.closed = true;
    await this.wire?.drain(limitMs);
  }

  close(): void {
    this.closed = true;
    this.wire?.close();
  }

  private async bind(): Promise<number> {
    const { tls, allowInsecure = false, logger = silentLogger } = this.options;
    if (tls === undefined && !(await isLoopback(this.host))) {
      if (!allowInsecure) {
        throw new MeshError(
          'failed-precondition',
          `host ${this.host} can be reached from other machines, and without TLS anybody there could read and command ` +
            'this service; give --tls-cert and --tls-key, or allow plain text with --insecure',
        );
      }
      logger.warn(`${this.host} serves plain text to other machines: anybody who reaches it can read and command it`);
    }
    this.wire = await this.makeWire();
    // Which then refuses to listen.
    if (this.closed) this.wire.close();
    return this.wire.listen();
  }

  private async makeWire(): Promise<WireServer> {
    // A process that only has clients does without grpc-js, which takes long to load.
    const { WireServer } = await import('../wire/server.js');
    const { tls, publicWay = false } = this.options;
    return new WireServer(this.router, {
      host: this.host,
      port: this.askedPort,
      maxMessageBytes: this.maxMessageBytes,
      publicWay,
      errorHeaders: versionHeaders(furrowVersion()),
      ...(tls === undefined ? {} : { tls }),
    });
  }
}

class CallRouter implements WireHandler {
  private readonly hosted: ReadonlyMap<string, HostedService>;
  private readonly registry: TypeRegistry;
  private readonly maxRequests: number;
  private readonly memo = new EventMemo();
  private routes = new WeakMap<KnownUri, Route>();
  private requestsUnderWay = 0;

  constructor(hosted: ReadonlyMap<string, HostedService>, registry: TypeRegistry, maxRequests: number) {
    this.hosted = hosted;
    this.registry = registry;
    this.maxRequests = maxRequests;
  }

  /** Another service on the port may change what a URI means. */
  forgetRoutes(): void {
    this.routes = new WeakMap();
  }

  async listUris(): Promise<Uint8Array> {
    const uris = [...this.hosted.values()].flatMap((service) => service.uris());
    return this.registry.encode('farm_ng.core.proto.ListUrisReply', { uris });
  }

  requestReply(bytes: Buffer, call: IncomingCall): Uint8Array | Promise<Uint8Array> {
    if (this.requestsUnderWay >= this.maxRequests) {
      throw new MeshError('resource-exhausted', `${this.maxRequests} requests are under way already; try again`);
    }
    const { event, payload } = asArgument(() => splitEnvelope(bytes));
    if (event === undefined) throw new MeshError('invalid-argument', 'the request has no event, so no URI');
    const { service, path } = this.routeOf(asArgument(() => decodeHead(event, 0, event.length, this.memo)).known);
    const answer = this.hosted.get(service)!.request({ path, eventBytes: event, payload, call });
    if (!(answer instanceof Promise)) return answer;
    this.requestsUnderWay += 1;
    const done = (): void => {
      this.requestsUnderWay -= 1;
    };
    answer.then(done, done);
    return answer;
  }

  /** Requests of one path carry one URI, which the memo hands out again and again. */
  private routeOf(known: KnownUri): Route {
    let route = this.routes.get(known);
    if (route === undefined) {
      route = routeCall([...this.hosted.keys()], known.uri);
      this.routes.set(known, route);
    }
    return route;
  }

  subscribe(bytes: Buffer, call: IncomingCall, stream: OutgoingStream): void {
    const { uri, everyN } = asArgument(
      () =>
        this.registry.decode('farm_ng.core.proto.SubscribeRequest', bytes) as {
          uri?: Uri;
          everyN: number;
        },
    );
    if (uri === undefined) throw new MeshError('invalid-argument', 'the subscription has no URI; name a path');
    const { service, path } = routeCall([...this.hosted.keys()], uri);
    this.hosted.get(service)!.subscribe({ path, query: uri.query, everyN, call, stream });
  }
}

/** Bytes that a caller sent wrong are its argument, not our loss of data. */
function asArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new MeshError('invalid-argument', (error as Error).message, { cause: error });
  }
}

async function isLoopback(host: string): Promise<boolean> {
  const addresses = isIP(host) > 0 ? [host] : (await resolve(host)).map(({ address }) => address);
  return addresses.every(
    (address) => address === '::1' || address.startsWith('127.') || address === '::ffff:127.0.0.1',
  );
}

async function resolve(host: string): Promise<{ address: string }[]> {
  try {
    return await lookup(host, { all: true });
  } catch (error) {
    throw new MeshError('invalid-argument', `host "${host}" has no address: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
