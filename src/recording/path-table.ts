import { parseQuery } from '../base/query.js';
import type { Uri } from '../messages/uri.js';
import { decodeUri } from '../messages/uri-codec.js';
import { WireCursor } from '../messages/varint.js';

/** What an event's URI says. */
export interface PathName {
  readonly service: string;
  /** With its leading slash. */
  readonly path: string;
  readonly type: string;
  readonly pb: string;
}

interface Entry {
  readonly uri: KnownBytes;
  readonly path: number;
  readonly next: Entry | undefined;
}

// Damage that still reads as a URI could fill the memory; no mesh has so many paths.
const maxUris = 1 << 16;

/** The paths of a recording by number; an encoded URI is decoded once. */
export class PathTable {
  readonly names: PathName[] = [];
  private readonly entries = new Map<number, Entry>();
  private readonly known = new Map<string, number>();
  private uris = 0;
  /** Of the memory that was read last: records share theirs. */
  private view: DataView = new DataView(new ArrayBuffer(0));

  /**
   * The number of the URI from `start` to `end`; undefined for one that names no path.
   * Errors: `data-loss` when the bytes are no URI.
   */
  read(bytes: Buffer, start: number, end: number): number | undefined {
    if (this.view.buffer !== bytes.buffer) this.view = new DataView(bytes.buffer);
    const { view } = this;
    const at = bytes.byteOffset + start;
    const length = end - start;
    const hash = hashOf(view, at, length);
    const first = this.entries.get(hash);
    for (let entry = first; entry !== undefined; entry = entry.next) {
      if (isKnown(entry.uri, view, at, length)) return entry.path;
    }
    const uri = decodeUri(new WireCursor(bytes, start, end));
    if (uri.path === '' || uri.scheme === '') return undefined;
    const path = this.number(nameOf(uri));
    if (this.uris < maxUris) {
      this.uris += 1;
      this.entries.set(hash, { uri: known(view, at, length), path, next: first });
    }
    return path;
  }

  /** The number of a path: 0 for the first that came, and so on. */
  number(name: PathName): number {
    const key = [name.service, name.path, name.type, name.pb].join('\n');
    let number = this.known.get(key);
    if (number === undefined) {
      number = this.names.length;
      this.names.push(name);
      this.known.set(key, number);
    }
    return number;
  }
}

function nameOf({ path, query }: Uri): PathName {
  const parts = parseQuery(query);
  return {
    service: parts.get('service_name') || parts.get('service') || '',
    path,
    type: parts.get('type') ?? '',
    pb: parts.get('pb') ?? '',
  };
}

/** Bytes by words of four, which a DataView compares several times as fast as single bytes. */
interface KnownBytes {
  readonly words: Int32Array;
  readonly rest: Uint8Array;
}

function known(view: DataView, start: number, length: number): KnownBytes {
  const words = Int32Array.from({ length: length >> 2 }, (_, index) => view.getInt32(start + 4 * index, true));
  const rest = Uint8Array.from({ length: length & 3 }, (_, index) => view.getUint8(start + 4 * words.length + index));
  return { words, rest };
}

function isKnown({ words, rest }: KnownBytes, view: DataView, start: number, length: number): boolean {
  if (words.length * 4 + rest.length !== length) return false;
  let at = start;
  for (let index = 0; index < words.length; index++, at += 4) {
    if (words[index] !== view.getInt32(at, true)) return false;
  }
  for (let index = 0; index < rest.length; index++, at++) if (rest[index] !== view.getUint8(at)) return false;
  return true;
}

function hashOf(view: DataView, start: number, length: number): number {
  let hash = length;
  const wordsEnd = start + (length & ~3);
  let at = start;
  for (; at < wordsEnd; at += 4) hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
  for (; at < start + length; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x9e3779b1);
  return hash;
}
