import type { Clock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import type { Event } from './event.js';
import type { EventMemo, KnownUri } from './event-memo.js';
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

const tag = {
  envelopeEvent: 0x0a,
  envelopePayload: 0x12,
  eventUri: 0x0a,
  eventTimestamp: 0x12,
  eventPayloadLength: 0x18,
  eventSequence: 0x20,
  stampSeconds: 0x09,
  stampClockName: 0x12,
  stampSemantics: 0x1a,
} as const;

const empty = Buffer.alloc(0);

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
    if (field === tag.envelopeEvent) event = slice(cursor);
    else if (field === tag.envelopePayload) payload = slice(cursor);
    else cursor.skip(field & 7);
  }
  return { event, payload };
}

/** Joins encoded event and payload to an envelope. */
export function joinEnvelope(event: Uint8Array, payload: Uint8Array): Buffer {
  const payloadSize = payload.length === 0 ? 0 : 1 + varintSize(payload.length) + payload.length;
  const bytes = Buffer.allocUnsafe(1 + varintSize(event.length) + event.length + payloadSize);
  let at = 0;
  bytes[at++] = tag.envelopeEvent;
  at = writeVarint(bytes, at, event.length);
  bytes.set(event, at);
  at += event.length;
  if (payloadSize > 0) {
    bytes[at++] = tag.envelopePayload;
    at = writeVarint(bytes, at, payload.length);
    bytes.set(payload, at);
  }
  return bytes;
}

/** Encodes an Event message. Errors: `out-of-range` for a sequence or length that is no safe integer of at least 0. */
export function encodeEvent(event: Event): Buffer {
  const parts: Buffer[] = [lengthDelimited(tag.eventUri, encodeUri(event.uri))];
  for (const stamp of event.timestamps) parts.push(lengthDelimited(tag.eventTimestamp, encodeTimestamp(stamp)));
  parts.push(integer(tag.eventPayloadLength, event.payloadLength, 'payload_length'));
  parts.push(integer(tag.eventSequence, event.sequence, 'sequence'));
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
    if (field === tag.eventUri) uri = decodeUri(within(cursor));
    else if (field === tag.eventTimestamp) timestamps.push(decodeTimestamp(within(cursor)));
    else if (field === tag.eventPayloadLength) payloadLength = cursor.int64();
    else if (field === tag.eventSequence) sequence = cursor.int64();
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

/** Decodes an Event but for its stamps, and its URI only where the memo does not know it. Errors: as `decodeEvent`. */
export function decodeHead(bytes: Buffer, memo: EventMemo): EventHead {
  const cursor = new WireCursor(bytes);
  let known: KnownUri | undefined;
  let payloadLength = 0;
  let sequence = 0;
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.eventTimestamp) cursor.skipLength();
    else if (field === tag.eventUri) known = memo.uris.read(bytes, cursor.skipLength(), cursor.at);
    else if (field === tag.eventPayloadLength) payloadLength = cursor.int64();
    else if (field === tag.eventSequence) sequence = cursor.int64();
    else cursor.skip(field & 7);
  }
  return { known: known ?? memo.uris.read(bytes, 0, 0), payloadLength, sequence };
}

/** Decodes the stamps of an Event. Errors: as `decodeEvent`. */
export function decodeTimestamps(bytes: Buffer, memo: EventMemo): Timestamp[] {
  const cursor = new WireCursor(bytes);
  const timestamps: Timestamp[] = [];
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.eventTimestamp) timestamps.push(decodeTimestamp(within(cursor), memo));
    else cursor.skip(field & 7);
  }
  return timestamps;
}

/** Writes the events of one path: everything that does not change from event to event is encoded once. */
export class EnvelopeTemplate {
  readonly uri: Uri;
  private readonly head: Buffer;
  private readonly monotonic: StampTemplate;
  private readonly system: StampTemplate;
  private readonly clock: Clock;

  /** `sendSemantics` names the two stamps of `clock` that every event gets at its end. */
  constructor(uri: Uri, clock: Clock, sendSemantics: string) {
    this.uri = uri;
    this.clock = clock;
    this.head = lengthDelimited(tag.eventUri, encodeUri(uri));
    this.monotonic = stampTemplate(clock.monotonicName, sendSemantics);
    this.system = stampTemplate(clock.systemName, sendSemantics);
  }

  /** One envelope, with `timestamps` first and this moment's two stamps behind them. */
  encode(payload: Uint8Array, sequence: number, timestamps: readonly Timestamp[] = []): Buffer {
    const { head, monotonic, system } = this;
    const stamps = timestamps.map((stamp) => lengthDelimited(tag.eventTimestamp, encodeTimestamp(stamp)));
    let eventSize = head.length + monotonic.bytes.length + system.bytes.length;
    for (const stamp of stamps) eventSize += stamp.length;
    if (payload.length > 0) eventSize += 1 + varintSize(payload.length);
    if (sequence > 0) eventSize += 1 + varintSize(sequence);
    const payloadSize = payload.length === 0 ? 0 : 1 + varintSize(payload.length) + payload.length;

    const bytes = Buffer.allocUnsafe(1 + varintSize(eventSize) + eventSize + payloadSize);
    let at = 0;
    bytes[at++] = tag.envelopeEvent;
    at = writeVarint(bytes, at, eventSize);
    bytes.set(head, at);
    at += head.length;
    for (const stamp of stamps) at += stamp.copy(bytes, at);
    at = writeStamp(bytes, at, monotonic, this.clock.monotonic());
    at = writeStamp(bytes, at, system, this.clock.system());
    if (payload.length > 0) {
      bytes[at++] = tag.eventPayloadLength;
      at = writeVarint(bytes, at, payload.length);
    }
    if (sequence > 0) {
      bytes[at++] = tag.eventSequence;
      at = writeVarint(bytes, at, sequence);
    }
    if (payloadSize > 0) {
      bytes[at++] = tag.envelopePayload;
      at = writeVarint(bytes, at, payload.length);
      bytes.set(payload, at);
    }
    return bytes;
  }
}

/** An encoded stamp whose seconds are filled in anew each time. */
interface StampTemplate {
  readonly bytes: Buffer;
  /** Where the eight bytes of the seconds stand. */
  readonly secondsAt: number;
}

function stampTemplate(clockName: string, semantics: string): StampTemplate {
  // Any stamp but 0, which proto3 would leave out, reserves the eight bytes.
  const stamp = encodeTimestamp({ stamp: 1, clockName, semantics });
  const bytes = lengthDelimited(tag.eventTimestamp, stamp);
  return { bytes, secondsAt: bytes.length - stamp.length + 1 };
}

function writeStamp(bytes: Buffer, at: number, template: StampTemplate, seconds: number): number {
  bytes.set(template.bytes, at);
  bytes.writeDoubleLE(seconds, at + template.secondsAt);
  return at + template.bytes.length;
}

function encodeTimestamp(stamp: Timestamp): Buffer {
  let seconds = empty;
  // Only +0 is proto3's default; -0 is a value of its own.
  if (!Object.is(stamp.stamp, 0)) {
    seconds = Buffer.allocUnsafe(9);
    seconds[0] = tag.stampSeconds;
    seconds.writeDoubleLE(stamp.stamp, 1);
  }
  return Buffer.concat([seconds, text(tag.stampClockName, stamp.clockName), text(tag.stampSemantics, stamp.semantics)]);
}

function decodeTimestamp(cursor: WireCursor, memo?: EventMemo): Timestamp {
  const stamp = { stamp: 0, clockName: '', semantics: '' };
  const name = () =>
    memo === undefined ? cursor.string() : memo.names.read(cursor.bytes, cursor.skipLength(), cursor.at);
  while (!cursor.done) {
    const field = cursor.uint32();
    if (field === tag.stampSeconds) stamp.stamp = cursor.double();
    else if (field === tag.stampClockName) stamp.clockName = name();
    else if (field === tag.stampSemantics) stamp.semantics = name();
    else cursor.skip(field & 7);
  }
  return stamp;
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
