import type { TypeRegistry } from './registry.js';
import { varintSize, writeVarint } from './varint.js';

/** An encoded message: `head`, and behind it `body`, where its end lies in memory of its own. */
export interface Payload {
  readonly head: Uint8Array;
  /** Of `bodyBytes` or more it stays as it is; a shorter one may be the program's memory, which is used again. */
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
  if (type === bytesType && value instanceof Uint8Array && value.length > 0) {
    const isKept = value.length >= bodyBytes && !immutable;
    return { head: headOf(value.length), body: isKept ? Buffer.from(value) : value };
  }
  const encoded = registry.encode(type, value);
  return encoded.length < bodyBytes ? { head: encoded, body: undefined } : { head: noBytes, body: encoded };
}

const noBytes = new Uint8Array(0);
/** Of the values whose lengths take one byte. */
const shortHeads = Array.from({ length: 128 }, (_, length) => Buffer.of(valueTag, length));

/** Tag and length. */
function headOf(length: number): Uint8Array {
  const short = shortHeads[length];
  if (short !== undefined) return short;
  const head = Buffer.allocUnsafe(1 + varintSize(length));
  head[0] = valueTag;
  writeVarint(head, 1, length);
  return head;
}
