import type { FileHandle } from 'node:fs/promises';
import { decodeUri } from '../messages/uri-codec.js';
import { WireCursor } from '../messages/varint.js';
import { lengthBytes, maxEventBytes, maxPayloadBytes } from './event-file-format.js';
import { EventScan } from './event-scan.js';
import { uriTag } from './record-parser.js';
import { throwIfAborted } from './throw-if-aborted.js';

const windowBytes = 256 * 1024;
/** How every URI of an event begins: field 1, the scheme. */
const needle = Buffer.from('\n\x08protobuf', 'latin1');
/** From the start of a record to the scheme: length, tag, and the URI's length as a varint of one to three bytes. */
const leads = [lengthBytes + 2, lengthBytes + 3, lengthBytes + 4] as const;

export interface FindOptions {
  /** A record is looked for that begins here or behind. */
  readonly from: number;
  /** … and before here. */
  readonly to: number;
  /** Bytes of the file. */
  readonly size: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where the next record of a damaged event file begins; undefined when none does. Believed is what reads as an event
 * with the scheme `protobuf` and ends where another begins, or with the file.
 */
export async function findRecord(file: FileHandle, options: FindOptions): Promise<number | undefined> {
  const { from, to, size, signal } = options;
  const window = Buffer.allocUnsafe(windowBytes);
  const most = leads.at(-1)!;
  for (let at = from; at < to; ) {
    throwIfAborted(signal);
    const { bytesRead } = await file.read(window, 0, windowBytes, at);
    const bytes = window.subarray(0, bytesRead);
    for (let hit = bytes.indexOf(needle); hit >= 0; hit = bytes.indexOf(needle, hit + 1)) {
      for (const lead of leads) {
        const start = at + hit - lead;
        if (start < from || start >= to) continue;
        if (await isFollowed(file, start, size)) return start;
      }
    }
    if (bytesRead <= most + needle.length) return undefined;
    // The needle or its lead may lie across two windows.
    at += bytesRead - most - needle.length;
  }
  return undefined;
}

/** Whether a record begins at `start` and another, or the end of the file, behind it. */
async function isFollowed(file: FileHandle, start: number, size: number): Promise<boolean> {
  const end = await recordEnd(file, start, size);
  if (end === undefined || end > size) return false;
  if (end === size) return true;
  return (await recordEnd(file, end, size)) !== undefined;
}

/** Where the record that begins at `start` ends, perhaps behind the end of the file; undefined when there is none. */
async function recordEnd(file: FileHandle, start: number, size: number): Promise<number | undefined> {
  const head = await bytesAt(file, start, Math.min(lengthBytes + 1, size - start));
  // The first bytes of a torn tail.
  if (head.length <= lengthBytes) return start + head.length <= size ? size + 1 : undefined;
  const length = head.readUInt32LE(0);
  if (length === 0 || length > maxEventBytes || head[lengthBytes] !== uriTag) return undefined;
  const eventStart = start + lengthBytes;
  if (eventStart + length > size) return eventStart + length;
  const bytes = await bytesAt(file, eventStart, length);
  const scan = new EventScan();
  try {
    scan.read(bytes, 0, bytes.length);
    const { scheme, path } = decodeUri(new WireCursor(bytes, scan.uriStart, scan.uriEnd));
    if (scheme !== 'protobuf' || path === '') return undefined;
  } catch {
    return undefined;
  }
  const { payloadLength } = scan;
  return payloadLength < 0 || payloadLength > maxPayloadBytes ? undefined : eventStart + length + payloadLength;
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
