import { parseQuery } from '../base/query.js';
import type { Uri } from './uri.js';
import { decodeUri } from './uri-codec.js';
import { WireCursor } from './varint.js';

/** A URI and what its query says, read once. */
export interface KnownUri {
  readonly uri: Uri;
  /** Full name of the payload's message type; empty when the query does not say. */
  readonly type: string;
}

// A stream carries few URIs and clock names; more of them than this only cost what they cost without a memo.
const slots = 32;

/** Remembers what bytes mean that come again and again, so that they are decoded once. Holds at most 32 meanings. */
class BytesMemo<T> {
  private readonly entries: ({ readonly bytes: Buffer; readonly meaning: T } | undefined)[] = new Array(slots);
  private readonly decode: (bytes: Buffer, start: number, end: number) => T;

  constructor(decode: (bytes: Buffer, start: number, end: number) => T) {
    this.decode = decode;
  }

  /** The meaning of `bytes` from `start` to `end`. */
  read(bytes: Buffer, start: number, end: number): T {
    // Names of one stream differ in length or at their end.
    const slot = (end - start + (bytes[end - 1] ?? 0)) % slots;
    const entry = this.entries[slot];
    if (entry !== undefined && sameBytes(entry.bytes, bytes, start, end)) return entry.meaning;
    const meaning = this.decode(bytes, start, end);
    this.entries[slot] = { bytes: Buffer.from(bytes.subarray(start, end)), meaning };
    return meaning;
  }
}

/** What the events of one stream have in common: their URIs, and the names in their stamps. */
export class EventMemo {
  readonly uris = new BytesMemo<KnownUri>((bytes, start, end) => {
    const uri = decodeUri(new WireCursor(bytes, start, end));
    return { uri, type: parseQuery(uri.query).get('type') ?? '' };
  });
  readonly names = new BytesMemo<string>((bytes, start, end) => bytes.toString('utf8', start, end));
}

function sameBytes(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let index = known.length - 1; index >= 0; index--) if (known[index] !== bytes[start + index]) return false;
  return true;
}
