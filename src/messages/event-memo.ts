import { parseQuery } from '../base/query.js';
import { BytesMemo } from './bytes-memo.js';
import { stampTags } from './event-tags.js';
import type { Uri } from './uri.js';
import { decodeUri } from './uri-codec.js';
import { WireCursor } from './varint.js';

/** A URI and what its query says, read once. */
export interface KnownUri {
  readonly uri: Uri;
  /** Full name of the payload's message type; empty when the query does not say. */
  readonly type: string;
}

/** What a stamp says beside its seconds. */
export interface StampNames {
  readonly clockName: string;
  readonly semantics: string;
}

/** What the events of one stream have in common: their URIs, and all of their stamps but the time. */
export class EventMemo {
  readonly uris = new BytesMemo<KnownUri>((bytes, start, end) => {
    const uri = decodeUri(new WireCursor(bytes, start, end));
    return { uri, type: parseQuery(uri.query).get('type') ?? '' };
  });
  /** Of the bytes behind a stamp's seconds; undefined where seconds stand among them, too. */
  readonly stampNames = new BytesMemo<StampNames | undefined>((bytes, start, end) => {
    const cursor = new WireCursor(bytes, start, end);
    const names = { clockName: '', semantics: '' };
    while (!cursor.done) {
      const field = cursor.uint32();
      if (field === stampTags.seconds) return undefined;
      if (field === stampTags.clockName) names.clockName = cursor.string();
      else if (field === stampTags.semantics) names.semantics = cursor.string();
      else cursor.skip(field & 7);
    }
    return names;
  });
}
