import { wordsOf } from '../messages/byte-words.js';
import { EventScan } from './event-scan.js';
import type { PathTable } from './path-table.js';

// A path has a handful of forms, by how many digits its numbers have.
const mostForms = 4096;
const slots = 4096;
// What is rare is scanned; what is long takes its time anyway.
const longestEvent = 1024;
// Longer numbers may be beyond what a number can hold.
const longestNumber = 7;

/** All bytes of an event but those of its numbers. */
interface EventForm {
  readonly length: number;
  /** The bytes in words of four, the last of which ends with the event, and which bits of them count. */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly path: number;
  /** Offsets in the event; 0 for what it has not. */
  readonly payloadLengthAt: number;
  readonly sequenceAt: number;
  readonly sentAt: number;
  readonly fileWriteAt: number;
  readonly clockName: string;
  readonly next: EventForm | undefined;
  /** The form that came behind it the last time. */
  follower: EventForm | undefined;
}

/**
 * Looks through encoded Events for what splits, names and orders the records of a file. Nearly every event differs from
 * one before it only in the numbers it holds, so it is compared with that one, which is several times as fast as going
 * through its fields. The fields tell of the last event that `read` was given.
 */
export class EventForms {
  /** Its number in the table; undefined for an event without a URI that names a path. */
  path: number | undefined;
  payloadLength = 0;
  sequence = 0;
  /** Seconds of its first `service/send` stamp of a system clock that are a number; NaN without one. */
  sentS = Number.NaN;
  /** Seconds and clock of its last `file/write` stamp of a monotonic clock; NaN without one. */
  fileWriteS = Number.NaN;
  clockName = '';
  private readonly table: PathTable;
  private readonly scan = new EventScan();
  private readonly forms: (EventForm | undefined)[] = new Array(slots).fill(undefined);
  private count = 0;
  /** Of the event before, if it was known. */
  private last: EventForm | undefined;
  /** Of the memory that was read last: records share theirs. */
  private view: DataView = new DataView(new ArrayBuffer(0));

  constructor(table: PathTable) {
    this.table = table;
  }

  /** Errors: `data-loss` when the bytes are no Event, `out-of-range` for integers beyond 2^53 - 1. */
  read(bytes: Buffer, start: number, end: number): void {
    if (this.view.buffer !== bytes.buffer) this.view = new DataView(bytes.buffer);
    const { view } = this;
    const at = bytes.byteOffset + start;
    const { last } = this;
    // Paths often come in the same turn.
    if (last?.follower !== undefined && isOf(last.follower, view, at, end - start)) {
      this.take(last.follower, view, at);
      return;
    }
    const slot = slotOf(view, at, end - start);
    for (let form = this.forms[slot]; form !== undefined; form = form.next) {
      if (isOf(form, view, at, end - start)) {
        if (last !== undefined) last.follower = form;
        this.take(form, view, at);
        return;
      }
    }
    this.readFields(bytes, start, end);
    if (this.scan.isUsual && this.path !== undefined) this.learn(bytes, start, end, slot);
  }

  private take(form: EventForm, view: DataView, at: number): void {
    const { payloadLengthAt, sequenceAt, sentAt, fileWriteAt } = form;
    this.last = form;
    this.path = form.path;
    this.payloadLength = payloadLengthAt === 0 ? 0 : numberAt(view, at + payloadLengthAt);
    this.sequence = sequenceAt === 0 ? 0 : numberAt(view, at + sequenceAt);
    const sentS = sentAt === 0 ? Number.NaN : view.getFloat64(at + sentAt, true);
    this.sentS = Number.isFinite(sentS) ? sentS : Number.NaN;
    this.fileWriteS = fileWriteAt === 0 ? Number.NaN : view.getFloat64(at + fileWriteAt, true);
    this.clockName = form.clockName;
  }

  private readFields(bytes: Buffer, start: number, end: number): void {
    const { scan } = this;
    scan.read(bytes, start, end);
    this.path = this.table.read(bytes, scan.uriStart, scan.uriEnd);
    this.payloadLength = scan.payloadLength;
    this.sequence = scan.sequence;
    this.sentS = scan.sentS;
    this.fileWriteS = scan.fileWriteS;
    this.clockName = scan.clockEnd === 0 ? '' : bytes.toString('utf8', scan.clockStart, scan.clockEnd);
  }

  private learn(bytes: Buffer, start: number, end: number, slot: number): void {
    const { scan } = this;
    const length = end - start;
    const numbers = Math.max(scan.payloadLengthEnd - scan.payloadLengthAt, scan.sequenceEnd - scan.sequenceAt);
    if (length < 4 || length > longestEvent || numbers > longestNumber) return;
    if (this.count >= mostForms) this.forget();
    const mask = Buffer.alloc(length, 0xff);
    const { payloadLengthAt, payloadLengthEnd, sequenceAt, sequenceEnd } = scan;
    // Of a number all may differ but how many bytes it has.
    if (payloadLengthAt > 0) mask.fill(0x80, payloadLengthAt - start, payloadLengthEnd - start);
    if (sequenceAt > 0) mask.fill(0x80, sequenceAt - start, sequenceEnd - start);
    for (const at of scan.allSecondsAt) mask.fill(0, at - start, at - start + 8);
    const masks = wordsOf(mask);
    const relative = (at: number): number => (at <= 0 ? 0 : at - start);
    this.forms[slot] = {
      length,
      words: wordsOf(bytes.subarray(start, end)).map((word, index) => word & masks[index]!),
      masks,
      path: this.path!,
      payloadLengthAt: relative(payloadLengthAt),
      sequenceAt: relative(sequenceAt),
      sentAt: relative(scan.sentAt),
      fileWriteAt: relative(scan.secondsAt),
      clockName: this.clockName,
      next: this.forms[slot],
      follower: undefined,
    };
    this.count++;
  }

  /** Damage that reads as events must not fill the memory. */
  private forget(): void {
    this.forms.fill(undefined);
    this.last = undefined;
    this.count = 0;
  }
}

/** Of the first field, which is the URI but in files of unusual programs, and the length of the event. */
function slotOf(view: DataView, at: number, length: number): number {
  let hash = length;
  if (length > 3) {
    const first = view.getUint8(at + 1);
    const uriLength = first < 0x80 ? first : (first & 0x7f) | (view.getUint8(at + 2) << 7);
    const wordsEnd = at + (Math.min(uriLength, length) & ~3);
    for (let word = at; word < wordsEnd; word += 4) hash = Math.imul(hash ^ view.getInt32(word, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash & (slots - 1);
}

function isOf(form: EventForm, view: DataView, start: number, length: number): boolean {
  if (form.length !== length) return false;
  const { words, masks } = form;
  const last = words.length - 1;
  let at = start;
  for (let index = 0; index < last; index++, at += 4) {
    if ((view.getInt32(at, true) & masks[index]!) !== words[index]) return false;
  }
  return (view.getInt32(start + length - 4, true) & masks[last]!) === words[last];
}

/** The varint that begins at `at`, which is known to end. */
function numberAt(view: DataView, at: number): number {
  let byte = view.getUint8(at);
  let value = byte & 0x7f;
  for (let next = at + 1, scale = 0x80; byte >= 0x80; next++, scale *= 0x80) {
    byte = view.getUint8(next);
    value += (byte & 0x7f) * scale;
  }
  return value;
}
