import { parseQuery } from '../base/query.js';
import { BytesMemo } from '../messages/bytes-memo.js';
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

/** The paths of a recording by number; an encoded URI is decoded once. */
export class PathTable {
  readonly names: PathName[] = [];
  private readonly known = new Map<string, number>();
  private readonly uris = new BytesMemo((bytes, start, end) => {
    const uri = decodeUri(new WireCursor(bytes, start, end));
    return uri.path === '' || uri.scheme === '' ? undefined : this.number(nameOf(uri));
  });

  /**
   * The number of the URI from `start` to `end`; undefined for one that names no path.
   * Errors: `data-loss` when the bytes are no URI.
   */
  read(bytes: Buffer, start: number, end: number): number | undefined {
    return this.uris.read(bytes, start, end);
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
