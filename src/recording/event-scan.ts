import { WireCursor } from '../messages/varint.js';

// protos/farm_ng/core/{event,timestamp}.proto
const tag = {
  uri: 0x0a,
  timestamp: 0x12,
  payloadLength: 0x18,
  sequence: 0x20,
  seconds: 0x09,
  clockName: 0x12,
  semantics: 0x1a,
} as const;

const fileWrite = Buffer.from('file/write');
const monotonic = Buffer.from('/monotonic');

/**
 * Looks through encoded Events for what splits and orders the records of a file, and keeps nothing else. The fields
 * tell of the last event that `read` was given.
 */
export class EventScan {
  uriStart = 0;
  uriEnd = 0;
  payloadLength = 0;
  sequence = 0;
  /** Seconds of its last `file/write` stamp of a monotonic clock; NaN without one. */
  fileWriteS = Number.NaN;
  /** Where its seconds stand, eight bytes; -1 where they are 0 and left out. */
  secondsAt = -1;
  /** Where the name of that clock stands. */
  clockStart = 0;
  clockEnd = 0;

  /** Errors: `data-loss` when the bytes are no Event, `out-of-range` for integers beyond 2^53 - 1. */
  read(bytes: Buffer, start: number, end: number): void {
    const cursor = new WireCursor(bytes, start, end);
    this.uriStart = 0;
    this.uriEnd = 0;
    this.payloadLength = 0;
    this.sequence = 0;
    this.fileWriteS = Number.NaN;
    while (cursor.at < end) {
      const field = cursor.uint32();
      if (field === tag.timestamp) {
        const stampStart = cursor.skipLength();
        this.readStamp(bytes, stampStart, cursor.at);
      } else if (field === tag.uri) {
        this.uriStart = cursor.skipLength();
        this.uriEnd = cursor.at;
      } else if (field === tag.payloadLength) this.payloadLength = cursor.int64();
      else if (field === tag.sequence) this.sequence = cursor.int64();
      else cursor.skip(field & 7);
    }
  }

  private readStamp(bytes: Buffer, start: number, end: number): void {
    // All stamps are gone through: what is given on as an event has to be one to its last field.
    const cursor = new WireCursor(bytes, start, end);
    let secondsAt = -1;
    let clockStart = 0;
    let clockEnd = 0;
    let semanticsEnd = 0;
    let semanticsBytes = 0;
    while (cursor.at < end) {
      const field = cursor.uint32();
      if (field === tag.seconds) {
        secondsAt = cursor.at;
        cursor.skip(field & 7);
      } else if (field === tag.clockName) {
        clockStart = cursor.skipLength();
        clockEnd = cursor.at;
      } else if (field === tag.semantics) {
        const semanticsStart = cursor.skipLength();
        semanticsEnd = cursor.at;
        semanticsBytes = semanticsEnd - semanticsStart;
      } else cursor.skip(field & 7);
    }
    if (semanticsBytes !== fileWrite.length || !endsIn(bytes, semanticsEnd, fileWrite)) return;
    if (clockEnd - clockStart < monotonic.length || !endsIn(bytes, clockEnd, monotonic)) return;
    this.fileWriteS = secondsAt < 0 ? 0 : bytes.readDoubleLE(secondsAt);
    this.secondsAt = secondsAt;
    this.clockStart = clockStart;
    this.clockEnd = clockEnd;
  }
}

function endsIn(bytes: Buffer, end: number, text: Buffer): boolean {
  let at = end - text.length;
  for (let index = 0; index < text.length; index++) if (bytes[at++] !== text[index]) return false;
  return true;
}
