import type { Uri } from './uri.js';
import { varintSize, type WireCursor, writeVarint } from './varint.js';

// protos/farm_ng/core/uri.proto
const tag = { scheme: 0x0a, authority: 0x12, path: 0x1a, query: 0x22 } as const;

/** Encodes a Uri message. */
export function encodeUri(uri: Uri): Buffer {
  return Buffer.concat([
    text(tag.scheme, uri.scheme),
    text(tag.authority, uri.authority),
    text(tag.path, uri.path),
    text(tag.query, uri.query),
  ]);
}

/** Decodes the Uri message that the cursor is bounded to. Errors: `data-loss`. */
export function decodeUri(cursor: WireCursor): Uri {
  const uri = { scheme: '', authority: '', path: '', query: '' };
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.scheme) uri.scheme = cursor.string();
    else if (field === tag.authority) uri.authority = cursor.string();
    else if (field === tag.path) uri.path = cursor.string();
    else if (field === tag.query) uri.query = cursor.string();
    else cursor.skip(field & 7);
  }
  return uri;
}

/** A string field; nothing for the empty string, which is proto3's default. */
export function text(fieldTag: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : lengthDelimited(fieldTag, Buffer.from(value, 'utf8'));
}

/** A field with its tag and length before it. */
export function lengthDelimited(fieldTag: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + varintSize(content.length) + content.length);
  bytes[0] = fieldTag;
  bytes.set(content, writeVarint(bytes, 1, content.length));
  return bytes;
}
