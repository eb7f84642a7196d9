import type { TypeRegistry } from './registry.js';
import { varintSize, writeVarint } from './varint.js';

/** An encoded message: `head`, and behind it `body` where the end of a large one lies in memory of its own. */
export interface Payload {
  readonly head: Uint8Array;
  readonly body: Uint8Array | undefined;
}

/** From here on a copy costs more than a piece of its own. */
export const bodyBytes = 32 * 1024;

const bytesType = 'google.protobuf.BytesValue';
const valueTag = 0x0a;

/**
 * Encodes a message. The value of a large `google.protobuf.BytesValue` that nobody writes to again (`immutable`) is not
 * copied. Errors: see `TypeRegistry.encode`.
 */
export function encodePayload(
  registry: TypeRegistry,
  type: string,
  value: unknown,
  { immutable }: { readonly immutable: boolean },
): Payload {
  if (immutable && type === bytesType && value instanceof Uint8Array && value.length >= bodyBytes) {
    const head = Buffer.allocUnsafe(1 + varintSize(value.length));
    head[0] = valueTag;
    writeVarint(head, 1, value.length);
    return { head, body: value };
  }
  const encoded = registry.encode(type, value);
  return encoded.length < bodyBytes ? { head: encoded, body: undefined } : { head: noBytes, body: encoded };
}

const noBytes = new Uint8Array(0);
