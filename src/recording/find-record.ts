import type { FileHandle } from 'node:fs/promises';
import { decodeUri } from '../messages/uri-codec.js';
import { WireCursor } from '../messages/varint.js';
import { lengthBytes, maxEventBytes, maxPayloadBytes } from './event-file-format.js';
import { EventScan } from './event-scan.js';
import { uriTag } from './record-parser.js';
import { throwIfAborted } from './throw-if-aborted.js';
import { withoutStacks } from './without-stacks.js';

// What was hit is mostly short; what is long is looked through in large pieces.
const firstWindowBytes = 4 * 1024;
const mostWindowBytes = 256 * 1024;
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
  const most = leads.at(-1)!;
  const scan = new EventScan();
  let windowBytes = firstWindowBytes;
  for (let at = from; at < to; windowBytes = Math.min(4 * windowBytes, mostWindowBytes)) {
    throwIfAborted(signal);
    const bytes = await bytesAt(file, at, windowBytes);
    const window = { bytes, at };
    for (let hit = bytes.indexOf(needle); hit >= 0; hit = bytes.indexOf(needle, hit + 1)) {
      for (const lead of leads) {
        const start = at + hit - lead;
        if (start < from || start >= to) continue;
        // Without a call to the system, as long as all stands in the window: most of what is hit is no record.
        let end = hit < lead ? unread : recordEnd(window, start, { size, scan });
        if (end === unread) end = await readRecordEnd(file, start, { size, scan });
        if (end === undefined || end > size) continue;
        let next = end === size ? end : recordEnd(window, end, { size, scan });
        if (next === unread) next = await readRecordEnd(file, end, { size, scan });
        if (next !== undefined) return start;
      }
    }
    if (bytes.length <= most + needle.length) return undefined;
    // The needle or its lead may lie across two windows.
    at += bytes.length - most - needle.length;
  }
  return undefined;
}

/** Some bytes of the file, and where in it they begin. */
interface Window {
  readonly bytes: Buffer;
  readonly at: number;
}

interface RecordContext {
  readonly size: number;
  /** Used again for each record. */
  readonly scan: EventScan;
}

/** Stands for an end that the bytes at hand do not tell. */
const unread = -1;

/**
 * Where the record that begins at `start` ends, perhaps behind the end of the file; undefined when there is none,
 * `unread` when the window does not hold its event.
 */
function recordEnd({ bytes, at }: Window, start: number, { size, scan }: RecordContext): number | undefined {
  const from = start - at;
  // The first bytes of a torn tail.
  if (size - start <= lengthBytes) return size + 1;
  if (from + lengthBytes >= bytes.length) return unread;
  const length = bytes.readUInt32LE(from);
  if (length === 0 || length > maxEventBytes || bytes[from + lengthBytes] !== uriTag) return undefined;
  const eventStart = from + lengthBytes;
  const eventEnd = eventStart + length;
  if (at + eventEnd > size) return at + eventEnd;
  if (eventEnd > bytes.length) return unread;
  if (!withoutStacks(() => isEvent(scan, bytes, eventStart, eventEnd))) return undefined;
  const { payloadLength } = scan;
  return payloadLength < 0 || payloadLength > maxPayloadBytes ? undefined : at + eventEnd + payloadLength;
}

function isEvent(scan: EventScan, bytes: Buffer, start: number, end: number): boolean {
  try {
    scan.read(bytes, start, end);
    const { scheme, path } = decodeUri(new WireCursor(bytes, scan.uriStart, scan.uriEnd));
    return scheme === 'protobuf' && path !== '';
  } catch {
    return false;
  }
}

async function readRecordEnd(file: FileHandle, start: number, context: RecordContext): Promise<number | undefined> {
  const bytes = await bytesAt(file, start, firstWindowBytes);
  const end = recordEnd({ bytes, at: start }, start, context);
  if (end !== unread || bytes.length < firstWindowBytes) return end === unread ? undefined : end;
  const whole = await bytesAt(file, start, lengthBytes + bytes.readUInt32LE(0));
  const read = recordEnd({ bytes: whole, at: start }, start, context);
  return read === unread ? undefined : read;
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
