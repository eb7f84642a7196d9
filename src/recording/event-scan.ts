import { eventTags, stampTags } from '../messages/event-tags.js';
import { WireCursor } from '../messages/varint.js';

const fileWrite = Buffer.from('file/write');
const serviceSend = Buffer.from('service/send');
const monotonic = Buffer.from('/monotonic');
const system = '/system_clock';

/**
 * Looks through encoded Events for what splits and orders the records of a file, and keeps nothing else. The fields
 * tell of the last event that `read` was given; places are offsets in its bytes.
 */
export class EventScan {
  uriStart = 0;
  uriEnd = 0;
  payloadLength = 0;
  /** Where the number stands and ends; 0 where it is left out. */
  payloadLengthAt = 0;
  payloadLengthEnd = 0;
  sequence = 0;
  sequenceAt = 0;
  sequenceEnd = 0;
  /** Seconds of its first `service/send` stamp of a system clock that are a number; NaN without one. */
  sentS = Number.NaN;
  /** Where such seconds stand; 0 where none do. */
  sentAt = 0;
  /** Seconds of its last `file/write` stamp of a monotonic clock; NaN without one. */
  fileWriteS = Number.NaN;
  /** Where its seconds stand, eight bytes; -1 where they are 0 and left out. */
  secondsAt = -1;
  /** Where the name of that clock stands; its end is 0 without one. */
  clockStart = 0;
  clockEnd = 0;
  /** Where the seconds of all stamps stand, eight bytes each. */
  readonly allSecondsAt: number[] = [];
  /** Whether the bytes hold each field once, stamps apart, nothing that is unknown, and seconds in the stamps that count. */
  isUsual = true;

  /** Errors: `data-loss` when the bytes are no Event, `out-of-range` for integers beyond 2^53 - 1. */
  read(bytes: Buffer, start: number, end: number): void {
    const cursor = new WireCursor(bytes, start, end);
    this.uriStart = 0;
    this.uriEnd = 0;
    this.payloadLength = 0;
    this.payloadLengthAt = 0;
    this.sequence = 0;
    this.sequenceAt = 0;
    this.sentS = Number.NaN;
    this.sentAt = 0;
    this.fileWriteS = Number.NaN;
    this.secondsAt = -1;
    this.clockEnd = 0;
    this.allSecondsAt.length = 0;
    this.isUsual = true;
    while (cursor.at < end) {
      const field = cursor.uint32();
      if (field === eventTags.timestamp) {
        const stampStart = cursor.skipLength();
        this.readStamp(bytes, stampStart, cursor.at);
      } else if (field === eventTags.uri) {
        if (this.uriEnd !== 0) this.isUsual = false;
        this.uriStart = cursor.skipLength();
        this.uriEnd = cursor.at;
      } else if (field === eventTags.payloadLength) {
        if (this.payloadLengthAt !== 0) this.isUsual = false;
        this.payloadLengthAt = cursor.at;
        this.payloadLength = cursor.int64();
        this.payloadLengthEnd = cursor.at;
      } else if (field === eventTags.sequence) {
        if (this.sequenceAt !== 0) this.isUsual = false;
        this.sequenceAt = cursor.at;
        this.sequence = cursor.int64();
        this.sequenceEnd = cursor.at;
      } else this.skip(cursor, field);
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
      if (field === stampTags.seconds) {
        secondsAt = cursor.at;
        this.allSecondsAt.push(secondsAt);
        cursor.skip(field & 7);
      } else if (field === stampTags.clockName) {
        clockStart = cursor.skipLength();
        clockEnd = cursor.at;
      } else if (field === stampTags.semantics) {
        const semanticsStart = cursor.skipLength();
        semanticsEnd = cursor.at;
        semanticsBytes = semanticsEnd - semanticsStart;
      } else this.skip(cursor, field);
    }
    if (semanticsBytes === serviceSend.length && endsIn(bytes, semanticsEnd, serviceSend)) {
      this.takeSent(bytes, secondsAt, bytes.toString('latin1', clockStart, clockEnd));
    }
    if (semanticsBytes !== fileWrite.length || !endsIn(bytes, semanticsEnd, fileWrite)) return;
    if (clockEnd - clockStart < monotonic.length || !endsIn(bytes, clockEnd, monotonic)) return;
    this.fileWriteS = secondsAt < 0 ? 0 : bytes.readDoubleLE(secondsAt);
    this.secondsAt = secondsAt;
    this.clockStart = clockStart;
    this.clockEnd = clockEnd;
    if (secondsAt < 0) this.isUsual = false;
  }

  private takeSent(bytes: Buffer, secondsAt: number, clockName: string): void {
    if (!clockName.includes(system)) return;
    if (secondsAt < 0 || this.sentAt !== 0) this.isUsual = false;
    else this.sentAt = secondsAt;
    const sentS = secondsAt < 0 ? 0 : bytes.readDoubleLE(secondsAt);
    if (Number.isNaN(this.sentS) && Number.isFinite(sentS)) this.sentS = sentS;
  }

  private skip(cursor: WireCursor, field: number): void {
    this.isUsual = false;
    cursor.skip(field & 7);
  }
}

function endsIn(bytes: Buffer, end: number, text: Buffer): boolean {
  let at = end - text.length;
  for (let index = 0; index < text.length; index++) if (bytes[at++] !== text[index]) return false;
  return true;
}
