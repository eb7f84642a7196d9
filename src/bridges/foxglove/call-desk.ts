import type { Service as WireService } from '@foxglove/ws-protocol';
import { MeshError } from '../../base/errors.js';
import { listNames } from '../../base/suggest.js';
import type { RequestPath } from '../../config/types.js';
import type { EventClient } from '../../mesh/event-client.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { readCallJson, writeCallJson } from './call-json.js';
import { type CallEncoding, callEncodings, encodeReply } from './protocol.js';
import type { Schemas } from './schemas.js';
import type { ServiceCall } from './viewer-message.js';

/** A request path that viewers may call. */
interface Callable {
  readonly id: number;
  readonly client: EventClient;
  readonly declared: RequestPath;
}

export interface CallDeskOptions {
  readonly registry: TypeRegistry;
  readonly schemas: Schemas;
  /** Until a call fails. */
  readonly timeoutMs: number;
}

/** Turns the service calls of viewers into requests of the mesh. */
export class CallDesk {
  private readonly options: CallDeskOptions;
  private readonly callables = new Map<number, Callable>();
  private nextId = 1;

  constructor(options: CallDeskOptions) {
    this.options = options;
  }

  get size(): number {
    return this.callables.size;
  }

  /** What can be called now, as advertised. */
  get services(): readonly WireService[] {
    return [...this.callables.values()].map((callable) => this.describe(callable));
  }

  /** Adds request paths of a service; gives back what is to be advertised. */
  add(client: EventClient, paths: readonly RequestPath[]): readonly WireService[] {
    return paths.map((declared) => {
      const callable = { id: this.nextId++, client, declared };
      this.callables.set(callable.id, callable);
      return this.describe(callable);
    });
  }

  /** Takes the paths of a service away; gives back their ids. */
  remove(client: EventClient): readonly number[] {
    const ids = [...this.callables.values()].filter((callable) => callable.client === client).map(({ id }) => id);
    for (const id of ids) this.callables.delete(id);
    return ids;
  }

  /**
   * Asks, and gives back the reply as a message of the protocol. Errors: `not-found` for a service that is not there
   * (any more), `invalid-argument` for a request that does not fit, and those of `EventClient.request`.
   */
  async call(call: ServiceCall, signal: AbortSignal): Promise<Buffer> {
    const { registry, timeoutMs } = this.options;
    const callable = this.callables.get(call.serviceId);
    if (callable === undefined) throw new MeshError('not-found', `service ${call.serviceId} is not there any more`);
    const encoding = encodingOf(call);
    const { client, declared } = callable;
    const message =
      encoding === 'json'
        ? readCallJson(registry, declared.request, call.payload)
        : registry.decode(declared.request, call.payload);
    const reply = await client.request(declared.path, message, { type: declared.request, timeoutMs, signal });
    return encodeReply({ ...call, encoding }, encoding === 'json' ? writeCallJson(reply.message) : reply.payload);
  }

  private describe({ id, client, declared }: Callable): WireService {
    const { schemas } = this.options;
    const json = (type: string) => ({
      encoding: 'json',
      schemaName: type,
      schemaEncoding: 'jsonschema',
      schema: schemas.json(type),
    });
    const { path, request, reply } = declared;
    return { id, name: `${client.name}${path}`, type: request, request: json(request), response: json(reply) };
  }
}

function encodingOf({ encoding }: ServiceCall): CallEncoding {
  const known = callEncodings.find((one) => one === encoding);
  if (known !== undefined) return known;
  throw new MeshError('invalid-argument', `encoding "${encoding}" is not taken; send ${listNames(callEncodings)}`);
}
