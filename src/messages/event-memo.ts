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
const slots = 64;

/** Remembers what bytes mean that come again and again, so that they are decoded once. Holds at most 64 meanings. */
class BytesMemo<T> {
  private readonly entries: (Entry<T> | undefined)[] = new Array(slots);
  private last: Entry<T> | undefined;
  private readonly decode: (bytes: Buffer, start: number, end: number) => T;

  constructor(decode: (bytes: Buffer, start: number, end: number) => T) {
    this.decode = decode;
  }

  /** The meaning of `bytes` from `start` to `end`. */
  read(bytes: Buffer, start: number, end: number): T {
    // Mostly the same as before.
    const { last } = this;
    if (last !== undefined && sameBytes(last.bytes, bytes, start, end)) return last.meaning;
    const slot = hashOf(bytes, start, end) % slots;
    let entry = this.entries[slot];
    if (entry === undefined || !sameBytes(entry.bytes, bytes, start, end)) {
      entry = { bytes: Buffer.from(bytes.subarray(start, end)), meaning: this.decode(bytes, start, end) };
      this.entries[slot] = entry;
    }
    this.last = entry;
    return entry.meaning;
  }
}

interface Entry<T> {
  readonly bytes: Buffer;
  readonly meaning: T;
}

/** Of all bytes: the URIs of one service differ in the middle. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let index = start; index < end; index++) hash = (Math.imul(hash, 31) + bytes[index]!) | 0;
  return (hash ^ (hash >>> 15)) >>> 0;
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
