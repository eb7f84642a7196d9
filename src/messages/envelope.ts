import { MeshError } from '../base/errors.js';
import type { Event } from './event.js';
import type { EventMemo, KnownUri } from './event-memo.js';
import { envelopeTags, eventTags, stampTags } from './event-tags.js';
import type { Timestamp } from './timestamp.js';
import type { Uri } from './uri.js';
import { decodeUri, encodeUri, lengthDelimited, text } from './uri-codec.js';
import { varintSize, WireCursor, writeVarint } from './varint.js';

/*
 * SubscribeReply, RequestReplyRequest and RequestReplyReply share one shape, `{1: Event event, 2: bytes payload}`:
 * the envelope. It is written and read here by hand, because it is on the path of every event: a publisher
 * writes an event once from a template, and a reader decodes only what somebody looks at.
 * Field numbers: protos/farm_ng/core/{uri,timestamp,event,event_service}.proto.
 */

const empty = Buffer.alloc(0);
/** Of a stamp's seconds, with their tag. */
const secondsBytes = 9;

/** Where the two parts of an envelope lie in its bytes; the event is undefined when the sender left it out. */
export interface EnvelopeParts {
  readonly event: Buffer | undefined;
  readonly payload: Buffer;
}

/** Finds the parts of an envelope without copying. Errors: `data-loss` when the bytes are no envelope. */
export function splitEnvelope(bytes: Uint8Array): EnvelopeParts {
  const cursor = new WireCursor(asBuffer(bytes));
  let event: Buffer | undefined;
  let payload: Buffer = empty;
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === envelopeTags.event) event = slice(cursor);
    else if (field === envelopeTags.payload) payload = slice(cursor);
    else cursor.skip(field & 7);
  }
  return { event, payload };
}

/** Joins encoded event and payload to an envelope. */
export function joinEnvelope(event: Uint8Array, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(envelopeSize(event, payload));
  writeEnvelope(bytes, 0, event, payload);
  return bytes;
}

/** Bytes of the envelope that `writeEnvelope` writes. */
export function envelopeSize(event: Uint8Array, payload: Uint8Array): number {
  const payloadSize = payload.length === 0 ? 0 : 1 + varintSize(payload.length) + payload.length;
  return 1 + varintSize(event.length) + event.length + payloadSize;
}

/** Writes encoded event and payload as an envelope at `offset`. */
export function writeEnvelope(bytes: Buffer, offset: number, event: Uint8Array, payload: Uint8Array): void {
  bytes[offset] = envelopeTags.event;
  let at = writeVarint(bytes, offset + 1, event.length);
  bytes.set(event, at);
  at += event.length;
  if (payload.length === 0) return;
  bytes[at++] = envelopeTags.payload;
  at = writeVarint(bytes, at, payload.length);
  bytes.set(payload, at);
}

/** Encodes an Event message. Errors: `out-of-range` for a sequence or length that is no safe integer of at least 0. */
export function encodeEvent(event: Event): Buffer {
  const parts: Buffer[] = [lengthDelimited(eventTags.uri, encodeUri(event.uri))];
  for (const stamp of event.timestamps) parts.push(lengthDelimited(eventTags.timestamp, encodeTimestamp(stamp)));
  parts.push(integer(eventTags.payloadLength, event.payloadLength, 'payload_length'));
  parts.push(integer(eventTags.sequence, event.sequence, 'sequence'));
  return Buffer.concat(parts);
}

/** Decodes an Event message. Errors: `data-loss` for bytes that are none, `out-of-range` for integers beyond 2^53 - 1. */
export function decodeEvent(bytes: Uint8Array): Event {
  const cursor = new WireCursor(asBuffer(bytes));
  let uri: Uri = { scheme: '', authority: '', path: '', query: '' };
  const timestamps: Timestamp[] = [];
  let payloadLength = 0;
  let sequence = 0;
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === eventTags.uri) uri = decodeUri(within(cursor));
    else if (field === eventTags.timestamp) timestamps.push(decodeTimestamp(within(cursor)));
    else if (field === eventTags.payloadLength) payloadLength = cursor.int64();
    else if (field === eventTags.sequence) sequence = cursor.int64();
    else cursor.skip(field & 7);
  }
  return { uri, timestamps, payloadLength, sequence };
}

/** An Event without its stamps. */
export interface EventHead {
  readonly known: KnownUri;
  readonly payloadLength: number;
  readonly sequence: number;
}

/**
 * Decodes the Event between `start` and `end` but for its stamps, and its URI only where the memo does not know it.
 * Errors: as `decodeEvent`.
 */
export function decodeHead(bytes: Buffer, start: number, end: number, memo: EventMemo): EventHead {
  const cursor = new WireCursor(bytes, start, end);
  let known: KnownUri | undefined;
  let payloadLength = 0;
  let sequence = 0;
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === eventTags.timestamp) cursor.skipLength();
    else if (field === eventTags.uri) known = memo.uris.read(bytes, cursor.skipLength(), cursor.at);
    else if (field === eventTags.payloadLength) payloadLength = cursor.int64();
    else if (field === eventTags.sequence) sequence = cursor.int64();
    else cursor.skip(field & 7);
  }
  return { known: known ?? memo.uris.read(bytes, start, start), payloadLength, sequence };
}

/** Decodes the stamps of the Event between `start` and `end`. Errors: as `decodeEvent`. */
export function decodeTimestamps(bytes: Buffer, start: number, end: number, memo: EventMemo): Timestamp[] {
  const cursor = new WireCursor(bytes, start, end);
  const timestamps: Timestamp[] = [];
  while (cursor.at < end) {
    const field = cursor.uint32();
    if (field === eventTags.timestamp) timestamps.push(readTimestamp(cursor, memo));
    else cursor.skip(field & 7);
  }
  return timestamps;
}

/** One stamp, as it stands in an Event without its tag and length. */
export function encodeTimestamp(stamp: Timestamp): Buffer {
  let seconds = empty;
  // Only +0 is proto3's default; -0 is a value of its own.
  if (!Object.is(stamp.stamp, 0)) {
    seconds = Buffer.allocUnsafe(9);
    seconds[0] = stampTags.seconds;
    seconds.writeDoubleLE(stamp.stamp, 1);
  }
  return Buffer.concat([
    seconds,
    text(stampTags.clockName, stamp.clockName),
    text(stampTags.semantics, stamp.semantics),
  ]);
}

function decodeTimestamp(cursor: WireCursor): Timestamp {
  const stamp = { stamp: 0, clockName: '', semantics: '' };
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === stampTags.seconds) stamp.stamp = cursor.double();
    else if (field === stampTags.clockName) stamp.clockName = cursor.string();
    else if (field === stampTags.semantics) stamp.semantics = cursor.string();
    else cursor.skip(field & 7);
  }
  return stamp;
}

/** The stamp that `cursor` stands before, read where it lies; all but its seconds comes from the memo. */
function readTimestamp(cursor: WireCursor, memo: EventMemo): Timestamp {
  const { bytes } = cursor;
  const start = cursor.skipLength();
  const end = cursor.at;
  const hasSeconds = end - start >= secondsBytes && bytes[start] === stampTags.seconds;
  const names = memo.stampNames.read(bytes, hasSeconds ? start + secondsBytes : start, end);
  if (names === undefined) return decodeTimestamp(new WireCursor(bytes, start, end));
  const stamp = hasSeconds ? bytes.readDoubleLE(start + 1) : 0;
  return { stamp, clockName: names.clockName, semantics: names.semantics };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function slice(cursor: WireCursor): Buffer {
  const { start, end } = cursor.skipBytes();
  return cursor.bytes.subarray(start, end);
}

function within(cursor: WireCursor): WireCursor {
  const { start, end } = cursor.skipBytes();
  return new WireCursor(cursor.bytes, start, end);
}

function integer(fieldTag: number, value: number, name: string): Buffer {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new MeshError('out-of-range', `${name} is ${value}; it must be an integer from 0 to 2^53 - 1`);
  }
  if (value === 0) return empty;
  const bytes = Buffer.allocUnsafe(1 + varintSize(value));
  bytes[0] = fieldTag;
  writeVarint(bytes, 1, value);
  return bytes;
}
