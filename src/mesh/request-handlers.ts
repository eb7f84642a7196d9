import type { Clock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { didYouMean, listNames } from '../base/suggest.js';
import type { RequestPath, ServiceConfig } from '../config/types.js';
import { EnvelopeTemplate } from '../messages/envelope-template.js';
import { EventMemo } from '../messages/event-memo.js';
import { type EventDecoder, MeshEvent } from '../messages/mesh-event.js';
import type { TypeRegistry } from '../messages/registry.js';
import { semantics } from '../messages/timestamp.js';
import { eventUri, isWildcard, matchesPath, normalizePath } from '../messages/uri.js';
import type { IncomingCall } from '../wire/types.js';
import type { RoutedRequest } from './event-server.js';
import type { RequestContext, RequestHandler, RequestHandlerOptions } from './types.js';

const emptyType = 'google.protobuf.Empty';
const maxTemplates = 1000;
const empty = new Uint8Array(0);

interface Entry {
  readonly handler: RequestHandler;
  /** Undefined: whatever the caller says it sends. */
  readonly requestType: string | undefined;
  readonly replyType: string;
}

/** The request paths of a service and who answers them. */
export class RequestHandlers {
  private readonly entries = new Map<string, Entry>();
  private readonly templates = new Map<string, EnvelopeTemplate>();
  private readonly decoder: EventDecoder;
  private readonly config: ServiceConfig;
  private readonly registry: TypeRegistry;
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(config: ServiceConfig, registry: TypeRegistry, clock: Clock, logger: Logger) {
    this.config = config;
    this.registry = registry;
    this.clock = clock;
    this.logger = logger;
    this.decoder = { registry, unknownType: () => undefined, memo: new EventMemo() };
  }

  add(path: string, handler: RequestHandler, options: RequestHandlerOptions): void {
    if (this.entries.has(path)) {
      throw new MeshError('already-exists', `${this.config.name}${path} has a request handler already`);
    }
    const declared = this.declaration(path);
    const requestType = options.request ?? declared?.request;
    const replyType = options.reply ?? declared?.reply ?? emptyType;
    for (const type of [requestType, replyType]) if (type !== undefined) this.registry.fileOf(type);
    this.entries.set(path, { handler, requestType, replyType });
  }

  /** Runs the handler and encodes its reply; at once, where the handler gives it at once. Errors are thrown or reject. */
  answer({ path, eventBytes, payload, call }: RoutedRequest): Uint8Array | Promise<Uint8Array> {
    const entry = this.find(path);
    const at = `${this.config.name}${path}`;
    const received = {
      stamp: this.clock.monotonic(),
      clockName: this.clock.monotonicName,
      semantics: semantics.serviceReceive,
    };
    const event = new MeshEvent(eventBytes, payload, this.decoder, { received });
    const message = this.requestMessage(entry, event, at);
    const finish = (reply: unknown): Uint8Array => {
      const bytes = reply === undefined ? empty : this.encode(entry.replyType, reply, at);
      return this.template(path, entry.replyType).encode(bytes, event.sequence);
    };
    try {
      const reply = entry.handler(message, new HandlerContext(event, path, call));
      if (!isPromise(reply)) return finish(reply);
      return Promise.resolve(reply)
        .then(finish)
        .catch((error) => {
          throw this.failed(error, at);
        });
    } catch (error) {
      throw this.failed(error, at);
    }
  }

  /** What the replies of one path have in common. */
  private template(path: string, replyType: string): EnvelopeTemplate {
    let template = this.templates.get(path);
    if (template === undefined) {
      const pb = this.registry.fileOf(replyType);
      const uri = eventUri(this.clock.host, `/reply/request${path}`, replyType, pb, this.config.name);
      template = new EnvelopeTemplate(uri, this.clock, semantics.serviceSend);
      // Handlers of `/prefix/*` answer whatever paths their callers think of.
      if (this.templates.size >= maxTemplates) this.templates.clear();
      this.templates.set(path, template);
    }
    return template;
  }

  private requestMessage(entry: Entry, event: MeshEvent, at: string): unknown {
    const sent = event.type || undefined;
    const type = entry.requestType ?? sent;
    if (entry.requestType !== undefined && sent !== undefined && sent !== entry.requestType) {
      throw new MeshError('invalid-argument', `${at} takes ${entry.requestType}; the request carries ${sent}`);
    }
    if (event.payloadLength !== event.payload.length) {
      throw new MeshError(
        'invalid-argument',
        `${at}: the request says its payload has ${event.payloadLength} bytes; ${event.payload.length} came`,
      );
    }
    if (type === undefined || !this.registry.has(type)) return event.payload;
    try {
      return this.registry.decode(type, event.payload);
    } catch (error) {
      throw new MeshError('invalid-argument', `${at}: ${(error as Error).message}`, { cause: error });
    }
  }

  private failed(error: unknown, at: string): MeshError {
    const failure = MeshError.from(error);
    this.logger.error(`request ${at} failed: ${failure.code}: ${failure.message}`, {
      stack: error instanceof MeshError ? undefined : (error as Error)?.stack,
    });
    return failure;
  }

  /** A reply that does not fit is the handler's fault, whatever the encoder calls it. */
  private encode(replyType: string, reply: unknown, at: string): Uint8Array {
    try {
      return this.registry.encode(replyType, reply);
    } catch (error) {
      throw new MeshError('internal', `the handler of ${at} gave no valid reply: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  private find(path: string): Entry {
    const exact = this.entries.get(path);
    if (exact !== undefined) return exact;
    const patterns = [...this.entries.keys()].filter((pattern) => isWildcard(pattern) && matchesPath(pattern, path));
    // The longest prefix knows best.
    const longest = patterns.sort((one, other) => other.length - one.length)[0];
    if (longest !== undefined) return this.entries.get(longest)!;
    const known = [...this.entries.keys()];
    throw new MeshError(
      'unimplemented',
      `${this.config.name} answers no requests on ${path}${didYouMean(path, known)}; it answers ${listNames(known)}`,
    );
  }

  private declaration(path: string): RequestPath | undefined {
    return this.config.requests.find((entry) => normalizePath(entry.path) === path);
  }
}

/** A class, since an accessor in an object literal costs more than the rest of a request's context. */
class HandlerContext implements RequestContext {
  readonly event: MeshEvent;
  readonly path: string;
  private readonly call: IncomingCall;

  constructor(event: MeshEvent, path: string, call: IncomingCall) {
    this.event = event;
    this.path = path;
    this.call = call;
  }

  get peer(): string {
    return this.call.peer;
  }

  get signal(): AbortSignal {
    return this.call.signal;
  }
}

/** What `await` would wait for. */
function isPromise(reply: unknown): reply is PromiseLike<unknown> {
  return typeof reply === 'object' && reply !== null && typeof (reply as { then?: unknown }).then === 'function';
}
