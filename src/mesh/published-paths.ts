import type { Clock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import { parseQuery } from '../base/query.js';
import { listNames } from '../base/suggest.js';
import type { ServiceConfig } from '../config/types.js';
import { encodePayload, type Payload } from '../messages/payload.js';
import type { TypeRegistry } from '../messages/registry.js';
import { isWildcard, matchesPath, normalizePath, type Uri } from '../messages/uri.js';
import type { EncodedEvent } from './encoded-event.js';
import { Topic } from './topic.js';
import type { PublishOptions } from './types.js';

const maxPaths = 10_000;

/** The topics of a service: those its configuration declares, and those it publishes without saying so there. */
export class PublishedPaths {
  private readonly byPath = new Map<string, Topic>();
  private readonly config: ServiceConfig;
  private readonly registry: TypeRegistry;
  private readonly clock: Clock;
  private readonly maxHistoryBytes: number;

  constructor(config: ServiceConfig, registry: TypeRegistry, clock: Clock, maxHistoryBytes: number) {
    this.config = config;
    this.registry = registry;
    this.clock = clock;
    this.maxHistoryBytes = maxHistoryBytes;
    for (const { path, type, pb } of config.published) {
      // A configuration may name a path without its type; the first message then says it.
      if (type !== '') this.create(normalizePath(path), type, pb);
    }
  }

  topics(): Topic[] {
    return [...this.byPath.values()];
  }

  /** The topics that a subscription's path asks for. */
  matching(pattern: string): Topic[] {
    const exact = this.byPath.get(pattern);
    return exact !== undefined ? [exact] : this.topics().filter(({ path }) => matchesPath(pattern, path));
  }

  /** The topic of a path, made at the first message. Errors: see `EventService.publish`. */
  forMessage(path: string, type: string | undefined): Topic {
    const topic = this.byPath.get(path) ?? this.byPath.get(normalizePath(path));
    if (topic !== undefined) {
      if (type !== undefined && type !== topic.type) throw this.otherType(topic, type);
      return topic;
    }
    this.checkPath(path);
    if (type === undefined) {
      const declared = listNames(this.topics().map((known) => known.path));
      throw new MeshError(
        'invalid-argument',
        `${this.config.name}${normalizePath(path)} has no message type: declare the path in the configuration's uris ` +
          `or pass {type}; declared are ${declared}`,
      );
    }
    // Before the path is made, or it would keep a type that nothing can be encoded as.
    return this.create(normalizePath(path), type, this.fileOf(type, path));
  }

  /** The topic that an existing event belongs to. */
  forEvent(uri: Uri): Topic {
    const parts = parseQuery(uri.query);
    const type = parts.get('type') ?? '';
    const path = normalizePath(uri.path);
    const topic = this.byPath.get(path);
    if (topic === undefined) {
      this.checkPath(uri.path);
      return this.create(path, type, parts.get('pb') ?? '');
    }
    if (topic.type !== type) throw this.otherType(topic, type);
    return topic;
  }

  encode(topic: Topic, message: unknown, { immutable = false }: PublishOptions): Payload {
    try {
      return encodePayload(this.registry, topic.type, message, { immutable });
    } catch (error) {
      const { code, message: what } = MeshError.from(error);
      throw new MeshError(code, `${this.config.name}${topic.path}: ${what}`, { cause: error });
    }
  }

  /** No subscriber takes more than the limit, and one that reconnects would be sent it again and again. */
  checkSize({ path, messageBytes }: EncodedEvent, maxMessageBytes: number): void {
    if (messageBytes <= maxMessageBytes) return;
    throw new MeshError(
      'resource-exhausted',
      `${this.config.name}${path}: an event of ${messageBytes} bytes is over the limit of ${maxMessageBytes} ` +
        '(maxMessageBytes)',
    );
  }

  private checkPath(path: string): void {
    if (!isWildcard(path) && path !== '' && path !== '/') return;
    throw new MeshError('invalid-argument', `${this.config.name}: "${path}" is no path to publish on`);
  }

  private fileOf(type: string, path: string): string {
    try {
      return this.registry.fileOf(type);
    } catch (error) {
      const { code, message } = MeshError.from(error);
      throw new MeshError(code, `${this.config.name}${normalizePath(path)}: ${message}`, { cause: error });
    }
  }

  private create(path: string, type: string, pb: string | undefined): Topic {
    if (this.byPath.size >= maxPaths) {
      throw new MeshError('resource-exhausted', `${this.config.name} publishes ${maxPaths} paths already`);
    }
    const declared = this.config.published.find((entry) => normalizePath(entry.path) === path);
    const topic = new Topic(
      {
        service: this.config.name,
        path,
        type,
        pb: pb || (this.registry.has(type) ? this.registry.fileOf(type) : ''),
        history: declared?.history ?? 0,
        latch: declared?.latch ?? false,
        maxHistoryBytes: this.maxHistoryBytes,
      },
      this.clock,
    );
    this.byPath.set(path, topic);
    return topic;
  }

  private otherType(topic: Topic, type: string): MeshError {
    return new MeshError(
      'invalid-argument',
      `${this.config.name}${topic.path} carries ${topic.type}; an event of type ${type || '(none)'} cannot go there`,
    );
  }
}
