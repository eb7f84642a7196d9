import { semantics } from '../../messages/timestamp.js';
import { WireCursor } from '../../messages/varint.js';

/*
 * What an MCAP message needs of an encoded Event, found without decoding it, since a recording may bring a million
 * events a second. Text is compared in words of four bytes for the same reason.
 * Field numbers: protos/farm_ng/core/{event,timestamp}.proto.
 */

const tag = {
  uri: 0x0a,
  timestamp: 0x12,
  payloadLength: 0x18,
  sequence: 0x20,
  stampSeconds: 0x09,
  stampClockName: 0x12,
  stampSemantics: 0x1a,
} as const;

const sentTail = Buffer.from(semantics.serviceSend).readInt32LE(semantics.serviceSend.length - 4);
const monotonicTail = Buffer.from('onic').readInt32LE();

/** One event's URI, sequence and time of sending; filled anew by each `read`. */
export class MessageScan {
  /** Bounds of the encoded Uri in `bytes`. */
  uriStart = 0;
  uriEnd = 0;
  /** All of it; MCAP has room for the lower 32 bits. */
  sequence = 0;
  /** Unix seconds on the publisher's clock; NaN when the event does not say. */
  sentS = Number.NaN;
  /** Over the buffer that the bytes lie in; kept, since neighbours share it. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Clock name and semantics of the stamp that was found last, with their tags. */
  private knownNames: DataView = new DataView(new ArrayBuffer(0));

  /** Reads the Event from `start` to `end`. Errors: `data-loss` when the bytes are none. */
  read(bytes: Buffer, start: number, end: number): void {
    if (bytes.buffer !== this.view.buffer) this.view = new DataView(bytes.buffer);
    this.uriStart = 0;
    this.uriEnd = 0;
    this.sequence = 0;
    this.sentS = Number.NaN;
    let at = start;
    while (at < end) {
      const field = bytes[at]!;
      const length = bytes[at + 1]!;
      if (field === tag.timestamp && length < 0x80 && at + 2 + length <= end) {
        if (Number.isNaN(this.sentS)) this.readStamp(bytes, at + 2, at + 2 + length);
        at += 2 + length;
      } else if (field === tag.uri && length < 0x80 && at + 2 + length <= end) {
        this.uriStart = at + 2;
        at += 2 + length;
        this.uriEnd = at;
      } else if (field === tag.payloadLength || field === tag.sequence) {
        at = this.readNumber(bytes, at, end);
      } else {
        at = this.readOther(bytes, at, end);
      }
    }
  }

  private readNumber(bytes: Buffer, start: number, end: number): number {
    let value = 0;
    let at = start + 1;
    for (let shift = 0; shift < 28 && at < end; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (bytes[start] === tag.sequence) this.sequence = value;
        return at;
      }
    }
    return this.readOther(bytes, start, end);
  }

  /** Any field in any form; gives back where it ends. */
  private readOther(bytes: Buffer, start: number, end: number): number {
    const cursor = new WireCursor(bytes, start, end);
    const field = cursor.uint32();
    if (field === tag.uri) {
      this.uriStart = cursor.skipLength();
      this.uriEnd = cursor.at;
    } else if (field === tag.timestamp) {
      const from = cursor.skipLength();
      if (Number.isNaN(this.sentS)) this.readStamp(bytes, from, cursor.at);
    } else if (field === tag.sequence) {
      this.sequence = cursor.int64();
    } else {
      cursor.skip(field & 7);
    }
    return cursor.at;
  }

  private readStamp(bytes: Buffer, start: number, end: number): void {
    const { view, knownNames } = this;
    const from = bytes.byteOffset + start;
    const to = bytes.byteOffset + end;
    const isUsual = bytes[start] === tag.stampSeconds && bytes[start + 9] === tag.stampClockName;
    if (isUsual && hasBytes(view, from + 9, to, knownNames)) {
      this.sentS = view.getFloat64(from + 1, true);
    } else if (end - start > 24 && isUsual) {
      // Most others are told apart by how their names end, the clock's before the tag, length and text of semantics.
      if (view.getInt32(to - 4, true) !== sentTail) return;
      if (view.getInt32(to - semantics.serviceSend.length - 6, true) === monotonicTail) return;
      this.decodeStamp(bytes, start, end);
    } else {
      this.decodeStamp(bytes, start, end);
    }
  }

  private decodeStamp(bytes: Buffer, start: number, end: number): void {
    const cursor = new WireCursor(bytes, start, end);
    let seconds = 0;
    let clockName = '';
    let meaning = '';
    while (!cursor.done) {
      const field = cursor.uint32();
      if (field === tag.stampSeconds) seconds = cursor.double();
      else if (field === tag.stampClockName) clockName = cursor.string();
      else if (field === tag.stampSemantics) meaning = cursor.string();
      else cursor.skip(field & 7);
    }
    if (meaning !== semantics.serviceSend || !/\/system_clock(\/|$)/.test(clockName)) return;
    this.sentS = seconds;
    // Only the usual order of fields is looked for: seconds, clock name, semantics.
    if (bytes[start] !== tag.stampSeconds || bytes[start + 9] !== tag.stampClockName) return;
    this.knownNames = viewOfCopy(bytes.subarray(start + 9, end));
  }
}

/** A view of a copy of the bytes, for `hasBytes`. */
function viewOfCopy(bytes: Uint8Array): DataView {
  const copy = Uint8Array.from(bytes);
  return new DataView(copy.buffer);
}

/** Whether `view` has the bytes of `known` from `from` to `to`. */
function hasBytes(view: DataView, from: number, to: number, known: DataView): boolean {
  const length = to - from;
  if (known.byteLength !== length) return false;
  let at = 0;
  for (; at + 4 <= length; at += 4) if (known.getInt32(at, true) !== view.getInt32(from + at, true)) return false;
  for (; at < length; at++) if (known.getUint8(at) !== view.getUint8(from + at)) return false;
  return true;
}
