import { setMaxListeners } from 'node:events';
import { ServerCapability, StatusLevel } from '@foxglove/ws-protocol';
import type { WebSocket } from 'ws';
import { MeshError } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { Mesh } from '../../mesh/mesh.js';
import { furrowVersion } from '../../mesh/version.js';
import { TypeRegistry } from '../../messages/registry.js';
import { Catalog, type CatalogChange } from './catalog.js';
import type { Channel } from './channel.js';
import { PathSelection } from './path-selection.js';
import { callEncodings, statusMessage, type TextMessage } from './protocol.js';
import { watchService } from './service-watch.js';
import type { FoxgloveStatus } from './status.js';
import type { Subscription } from './subscription.js';
import { Viewer } from './viewer.js';
import type { ServiceCall, ViewerMessage } from './viewer-message.js';
import { ViewerPort } from './viewer-port.js';

export interface FoxgloveOptions {
  /** Default 127.0.0.1. Any other than loopback can be reached by anybody, and is warned of. */
  readonly host?: string;
  /** Default 8765; 0 for a free one. */
  readonly port?: number;
  /** `SERVICE/path`, `SERVICE/*`, `SERVICE/prefix/*`. Default: all of the mesh. */
  readonly paths?: readonly string[];
  /** Message types; those of others are not shown. Default: the well-known ones and furrow's own. */
  readonly registry?: TypeRegistry;
  readonly logger?: Logger;
  /** Web sites whose pages may connect, beside Foxglove's own and those of this machine: `https://viewer.example`. */
  readonly origins?: readonly string[];
  /** Viewers at a time; more are turned away. Default 16. */
  readonly maxViewers?: number;
  /** Longest message that a viewer may send. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** Bytes that may wait for one viewer before events are dropped for it. Default 4 MiB. */
  readonly maxBufferedBytes?: number;
  /** Events of a path that its publisher queues for this server. Default 200. */
  readonly depth?: number;
  /** Between two looks at what a service publishes. Default 2000. */
  readonly pollMs?: number;
  /** Until a service call fails. Default 5000. */
  readonly callTimeoutMs?: number;
  /** Between two pings; a viewer that misses three is let go. Default 10,000. */
  readonly heartbeatMs?: number;
}

// Calls of one viewer that may be under way.
const mostCalls = 32;
const longestFailure = 2000;
const nothing: CatalogChange = { added: [], removed: [], addedServices: [], removedServices: [] };

/**
 * Shows a running mesh to Foxglove and other viewers of its WebSocket protocol: a channel for each published path, with
 * its schema, for as long as its service is there; events only while somebody looks; requests as service calls.
 */
export class FoxgloveServer implements AsyncDisposable {
  private readonly mesh: Mesh;
  private readonly logger: Logger;
  private readonly selection: PathSelection;
  private readonly catalog: Catalog;
  private readonly port: ViewerPort;
  private readonly viewers = new Set<Viewer>();
  private readonly closing = new AbortController();
  private readonly options: FoxgloveOptions;
  private readonly sessionId = new Date().toISOString();
  /** What viewers were sent that have gone. */
  private readonly past = { sent: 0, dropped: 0 };
  private closed: Promise<void> | undefined;

  private constructor(mesh: Mesh, options: FoxgloveOptions) {
    this.mesh = mesh;
    this.options = options;
    this.logger = options.logger ?? silentLogger;
    this.selection = new PathSelection(mesh.config, options.paths ?? []);
    this.catalog = new Catalog({
      registry: options.registry ?? new TypeRegistry(),
      selection: this.selection,
      depth: options.depth ?? 200,
      callTimeoutMs: options.callTimeoutMs ?? 5000,
      logger: this.logger,
    });
    this.port = new ViewerPort({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 8765,
      origins: options.origins ?? [],
      maxViewers: options.maxViewers ?? 16,
      maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
      logger: this.logger,
      connected: (socket, name) => this.connect(socket, name),
    });
    // Every watch of a service listens to it.
    setMaxListeners(0, this.closing.signal);
  }

  /**
   * Resolves when viewers can connect. The mesh stays the caller's to close, after this.
   *
   * Errors: `not-found`, with a suggestion, for a path of no service; `already-exists` for a port in use;
   * `invalid-argument` for a host that is none of this machine; `permission-denied`.
   */
  static async start(mesh: Mesh, options: FoxgloveOptions = {}): Promise<FoxgloveServer> {
    const server = new FoxgloveServer(mesh, options);
    await server.port.listen();
    server.watch();
    return server;
  }

  /** `ws://localhost:8765` */
  get url(): string {
    return this.port.url;
  }

  get status(): FoxgloveStatus {
    const viewers = [...this.viewers];
    const sum = (key: 'sent' | 'dropped'): number => viewers.reduce((total, one) => total + one[key], this.past[key]);
    return {
      viewers: viewers.map(({ name, subscriptions, sent, dropped, bufferedBytes }) => ({
        name,
        subscriptions: subscriptions.size,
        sent,
        dropped,
        bufferedBytes,
      })),
      channels: this.catalog.all
        .map(({ topic, type, viewers, received, lost, totals }) => ({
          topic,
          type,
          viewers,
          received,
          lost,
          ...totals,
        }))
        .sort((one, other) => (one.topic < other.topic ? -1 : 1)),
      services: this.catalog.calls.size,
      sent: sum('sent'),
      dropped: sum('dropped'),
      refused: this.port.refused,
    };
  }

  /** Says goodbye to the viewers, and ends their connections after `limitMs` (default 2000). Can be called twice. */
  close({ limitMs = 2000 }: { limitMs?: number } = {}): Promise<void> {
    this.closed ??= this.end(limitMs);
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async end(limitMs: number): Promise<void> {
    this.closing.abort();
    for (const channel of this.catalog.all) channel.close();
    for (const viewer of this.viewers) viewer.close();
    await this.port.close(limitMs);
    for (const viewer of this.viewers) viewer.terminate();
  }

  private watch(): void {
    const { mesh, options, logger, closing, selection } = this;
    for (const line of selection.undeclared(mesh.config)) logger.warn(line);
    for (const config of mesh.config.services) {
      if (config.port === undefined || !selection.touches(config)) continue;
      const client = mesh.client(config.name);
      void watchService(client, {
        pollMs: options.pollMs ?? 2000,
        signal: closing.signal,
        logger,
        listed: (paths) => this.tell(closing.signal.aborted ? nothing : this.catalog.update(config, client, paths)),
      });
    }
  }

  private tell({ added, removed, addedServices, removedServices }: CatalogChange): void {
    for (const channel of removed) {
      for (const subscription of channel.close()) subscription.viewer.remove(subscription);
    }
    if (added.length > 0) this.sendAll({ op: 'advertise', channels: [...added] });
    if (removed.length > 0) this.sendAll({ op: 'unadvertise', channelIds: removed.map(({ id }) => id) });
    if (addedServices.length > 0) this.sendAll({ op: 'advertiseServices', services: [...addedServices] });
    if (removedServices.length > 0) this.sendAll({ op: 'unadvertiseServices', serviceIds: [...removedServices] });
  }

  private sendAll(message: TextMessage): void {
    for (const viewer of this.viewers) viewer.sendText(message);
  }

  private connect(socket: WebSocket, name: string): void {
    const { options, logger } = this;
    const viewer = new Viewer(socket, {
      name,
      maxBufferedBytes: options.maxBufferedBytes ?? 4 * 1024 * 1024,
      heartbeatMs: options.heartbeatMs ?? 10_000,
      logger,
      receive: (message) => this.receive(viewer, message),
    });
    this.viewers.add(viewer);
    logger.info(`Foxglove viewer ${name} connected`);
    viewer.gone.addEventListener('abort', () => this.disconnect(viewer), { once: true });
    viewer.sendText({
      op: 'serverInfo',
      name: `furrow ${furrowVersion()}`,
      capabilities: [ServerCapability.services],
      supportedEncodings: [...callEncodings],
      metadata: { config: this.mesh.config.file },
      sessionId: this.sessionId,
    });
    viewer.sendText({ op: 'advertise', channels: this.catalog.all.map(({ description }) => description) });
    viewer.sendText({ op: 'advertiseServices', services: [...this.catalog.calls.services] });
  }

  private disconnect(viewer: Viewer): void {
    this.viewers.delete(viewer);
    this.past.sent += viewer.sent;
    this.past.dropped += viewer.dropped;
    for (const subscription of viewer.subscriptions.values()) {
      this.catalog.channel(subscription.channelId)?.leave(subscription);
    }
    this.logger.info(`Foxglove viewer ${viewer.name} has gone: ${viewer.sent} sent, ${viewer.dropped} dropped`);
  }

  private receive(viewer: Viewer, message: ViewerMessage): void {
    switch (message.op) {
      case 'subscribe':
        for (const { id, channelId } of message.subscriptions) this.subscribe(viewer, id, channelId);
        break;
      case 'unsubscribe':
        for (const id of message.subscriptionIds) this.unsubscribe(viewer, id);
        break;
      case 'call':
        void this.call(viewer, message);
        break;
      case 'unsupported':
        throw new MeshError('unimplemented', `"${message.name}" is not offered here`);
    }
  }

  private subscribe(viewer: Viewer, id: number, channelId: number): void {
    const channel = this.catalog.channel(channelId);
    const fault = subscriptionFault(viewer, id, channel);
    if (channel === undefined || fault !== undefined) {
      viewer.sendText(statusMessage(StatusLevel.WARNING, fault ?? `channel ${channelId} is not there (any more)`));
      return;
    }
    const { topic, totals } = channel;
    const subscription: Subscription = { id, channelId, topic, viewer, totals, sent: 0, dropped: 0 };
    viewer.subscriptions.set(id, subscription);
    channel.join(subscription);
  }

  private unsubscribe(viewer: Viewer, id: number): void {
    // Viewers also take back what we have unadvertised.
    const subscription = viewer.subscriptions.get(id);
    if (subscription === undefined) return;
    viewer.remove(subscription);
    this.catalog.channel(subscription.channelId)?.leave(subscription);
  }

  private async call(viewer: Viewer, call: ServiceCall): Promise<void> {
    const { serviceId, callId } = call;
    const fail = (message: string): void => viewer.sendText({ op: 'serviceCallFailure', serviceId, callId, message });
    if (viewer.calls >= mostCalls) return fail(`${mostCalls} calls are under way; wait for one to end`);
    viewer.calls += 1;
    try {
      viewer.send(await this.catalog.calls.call(call, viewer.gone));
    } catch (error) {
      // It may repeat what was sent, at any length.
      fail(MeshError.from(error).message.slice(0, longestFailure));
    } finally {
      viewer.calls -= 1;
    }
  }
}

/** Why a viewer cannot have a subscription. */
function subscriptionFault({ subscriptions }: Viewer, id: number, channel: Channel | undefined): string | undefined {
  if (subscriptions.has(id)) return `subscription ${id} is in use`;
  const isDouble = [...subscriptions.values()].some(({ channelId }) => channelId === channel?.id);
  return isDouble ? `${channel?.topic} is subscribed already` : undefined;
}
