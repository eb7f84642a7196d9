import type { Channel as WireChannel, Service as WireService } from '@foxglove/ws-protocol';
import type { Logger } from '../../base/logger.js';
import type { ServiceConfig } from '../../config/types.js';
import type { EventClient } from '../../mesh/event-client.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { isWildcard } from '../../messages/uri.js';
import { CallDesk } from './call-desk.js';
import { Channel } from './channel.js';
import type { PathSelection } from './path-selection.js';
import { Schemas } from './schemas.js';
import type { ListedPath } from './service-watch.js';

export interface CatalogOptions {
  readonly registry: TypeRegistry;
  readonly selection: PathSelection;
  readonly depth: number;
  readonly callTimeoutMs: number;
  readonly logger: Logger;
}

/** What viewers are to be told after something came or went. */
export interface CatalogChange {
  readonly added: readonly WireChannel[];
  readonly removed: readonly Channel[];
  readonly addedServices: readonly WireService[];
  readonly removedServices: readonly number[];
}

const mostChannels = 10_000;

/** The channels and services that there are now. */
export class Catalog {
  readonly calls: CallDesk;
  private readonly options: CatalogOptions;
  private readonly schemas: Schemas;
  private readonly channels = new Map<number, Channel>();
  /** Names of services that are there. */
  private readonly present = new Set<string>();
  private readonly warned = new Set<string>();
  private nextId = 1;

  constructor(options: CatalogOptions) {
    this.options = options;
    this.schemas = new Schemas(options.registry);
    this.calls = new CallDesk({ registry: options.registry, schemas: this.schemas, timeoutMs: options.callTimeoutMs });
  }

  get all(): readonly Channel[] {
    return [...this.channels.values()];
  }

  channel(id: number): Channel | undefined {
    return this.channels.get(id);
  }

  /** Takes over what a service publishes now; `undefined` when it is away. */
  update(config: ServiceConfig, client: EventClient, listed: readonly ListedPath[] | undefined): CatalogChange {
    const wanted = new Map(this.wanted(config, listed ?? []).map(({ path, type }) => [path, type]));
    const removed: Channel[] = [];
    const known = new Set<string>();
    for (const channel of this.channels.values()) {
      if (channel.service !== config.name) continue;
      if (wanted.get(channel.path) === channel.type) known.add(channel.path);
      else removed.push(channel);
    }
    for (const { id } of removed) this.channels.delete(id);
    const fresh = [...wanted].filter(([path]) => !known.has(path));
    const added = fresh.slice(0, mostChannels - this.channels.size).map(([path, type]) => this.add(client, path, type));
    if (added.length < fresh.length) this.warn(`there are ${mostChannels} channels; viewers do not see the others`);
    return { added: added.map(({ description }) => description), removed, ...this.updateCalls(config, client, listed) };
  }

  private updateCalls(
    config: ServiceConfig,
    client: EventClient,
    listed: readonly ListedPath[] | undefined,
  ): Pick<CatalogChange, 'addedServices' | 'removedServices'> {
    const { name } = config;
    if (listed === undefined) {
      return { addedServices: [], removedServices: this.present.delete(name) ? this.calls.remove(client) : [] };
    }
    if (this.present.has(name)) return { addedServices: [], removedServices: [] };
    this.present.add(name);
    const { registry, selection } = this.options;
    const callable = config.requests.filter(
      ({ path, request, reply }) =>
        // A viewer can only call what has one name.
        !isWildcard(path) && selection.has(name, path) && registry.has(request) && registry.has(reply),
    );
    return { addedServices: this.calls.add(client, callable), removedServices: [] };
  }

  private wanted({ name, published }: ServiceConfig, listed: readonly ListedPath[]): readonly ListedPath[] {
    const { selection, registry } = this.options;
    return listed
      .filter(({ path }) => selection.has(name, path))
      .map(({ path, type }) => ({ path, type: type || (published.find((one) => one.path === path)?.type ?? '') }))
      .filter(({ path, type }) => {
        if (registry.has(type)) return true;
        const what = type === '' ? 'does not say its type' : `carries "${type}", which is not known here`;
        this.warn(`${name}${path} ${what}: viewers do not see it; add the directory of its .proto file with --protos`);
        return false;
      });
  }

  private add(client: EventClient, path: string, type: string): Channel {
    const { depth, logger } = this.options;
    const schema = this.schemas.descriptorSet(type);
    const channel = new Channel({ id: this.nextId++, client, path, type, schema, depth, logger });
    this.channels.set(channel.id, channel);
    return channel;
  }

  /** Says a thing once. */
  private warn(message: string): void {
    if (this.warned.has(message) || this.warned.size >= mostChannels) return;
    this.warned.add(message);
    this.options.logger.warn(message);
  }
}
