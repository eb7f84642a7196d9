import { parseQuery } from '../base/query.js';
import { encodeEvent } from '../messages/envelope.js';
import { MeshEvent } from '../messages/mesh-event.js';
import type { TypeRegistry } from '../messages/registry.js';
import { eventUri } from '../messages/uri.js';

/**
 * The event `/header/NAME` that a recorder makes of a request: payload, stamps and sequence of the request, published,
 * as it were, by the recorder itself. The payload's type need not be known.
 */
export function headerEvent(
  request: MeshEvent,
  options: { readonly path: string; readonly host: string; readonly service: string; readonly registry: TypeRegistry },
): MeshEvent {
  const { path, host, service, registry } = options;
  const query = parseQuery(request.uri.query);
  const payload = Buffer.from(request.payload);
  const event = {
    uri: eventUri(host, path, query.get('type') ?? '', query.get('pb') ?? '', service),
    timestamps: request.timestamps,
    payloadLength: payload.length,
    sequence: request.sequence,
  };
  return new MeshEvent(encodeEvent(event), payload, { registry, unknownType: () => undefined });
}
