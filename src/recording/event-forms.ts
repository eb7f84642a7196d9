import { hashOf, wordsOf } from '../messages/byte-words.js';
import { type BytesPart, bufferOf, copyPart } from './bytes-part.js';
import { EventScan } from './event-scan.js';
import type { RecordKernel } from './kernel/record-kernel.js';
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
  /** The bytes in words of four, the last of which ends with them: which of their bits count, and those bits. */
  readonly masks: Int32Array;
  readonly words: Int32Array;
  /** Where both stand for the kernel; -1 for nowhere. */
  readonly lanes: number;
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
  private readonly kernel: RecordKernel | undefined;
  private readonly scan = new EventScan();
  private readonly forms: (EventForm | undefined)[] = new Array(slots).fill(undefined);
  private count = 0;
  /** Of the event before, if it was known. */
  private last: EventForm | undefined;

  /** @param kernel Compares events that stand in its memory. */
  constructor(table: PathTable, kernel?: RecordKernel) {
    this.table = table;
    this.kernel = kernel;
  }

  /**
   * Errors: `data-loss` when the bytes are no Event, `out-of-range` for integers beyond 2^53 - 1.
   * @param at Where in the kernel's memory the event begins, if it stands there.
   */
  read(view: DataView, start: number, end: number, at = -1): void {
    // Paths often come in the same turn.
    const guess = this.last?.follower;
    if (guess !== undefined && this.isOf(guess, view, start, end - start, at)) this.take(guess, view, start);
    else this.find(view, start, end, at);
  }

  /**
   * Reads a part and copies it to `at` in `target`, which has room, in less time than one after the other takes; gives
   * the offset behind it. Errors: as `read`.
   */
  readAndCopy(part: BytesPart, target: DataView, at: number): number {
    const { view, start, end } = part;
    const guess = this.last?.follower;
    if (guess !== undefined && copyIfOf(guess, part, target, at)) {
      this.take(guess, view, start);
      return at + end - start;
    }
    this.find(view, start, end);
    return copyPart(part, target, at);
  }

  /**
   * Reads an event that stands in the kernel's memory, and writes the record of it and its payload to `to` there. False:
   * it is none of those that are known best, and nothing was read.
   */
  readAndAddRecord(part: BytesPart, event: number, payload: number, payloadEnd: number, to: number): boolean {
    const guess = this.last?.follower;
    const { view, start, end } = part;
    if (guess === undefined || guess.lanes < 0 || guess.length !== end - start) return false;
    if (!this.kernel!.addRecord(guess.lanes, end - start, event, payload, payloadEnd, to)) return false;
    this.take(guess, view, start);
    return true;
  }

  /** Among all forms, or by its fields. */
  private find(view: DataView, start: number, end: number, at = -1): void {
    const { last } = this;
    const slot = slotOf(view, start, end - start);
    for (let form = this.forms[slot]; form !== undefined; form = form.next) {
      if (this.isOf(form, view, start, end - start, at)) {
        if (last !== undefined) last.follower = form;
        this.take(form, view, start);
        return;
      }
    }
    const bytes = bufferOf({ view, start, end });
    this.readFields(bytes);
    if (this.scan.isUsual && this.path !== undefined) this.learn(bytes, slot);
  }

  private isOf(form: EventForm, view: DataView, start: number, length: number, at: number): boolean {
    if (at < 0 || form.lanes < 0) return isOf(form, view, start, length);
    return form.length === length && this.kernel!.isOf(form.lanes, length, at);
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

  private readFields(bytes: Buffer): void {
    const { scan } = this;
    scan.read(bytes, 0, bytes.length);
    this.path = this.table.read(bytes, scan.uriStart, scan.uriEnd);
    this.payloadLength = scan.payloadLength;
    this.sequence = scan.sequence;
    this.sentS = scan.sentS;
    this.fileWriteS = scan.fileWriteS;
    this.clockName = scan.clockEnd === 0 ? '' : bytes.toString('utf8', scan.clockStart, scan.clockEnd);
  }

  private learn(bytes: Buffer, slot: number): void {
    const { scan } = this;
    const { length } = bytes;
    const numbers = Math.max(scan.payloadLengthEnd - scan.payloadLengthAt, scan.sequenceEnd - scan.sequenceAt);
    if (length < 4 || length > longestEvent || numbers > longestNumber) return;
    if (this.count >= mostForms) this.forget();
    const mask = Buffer.alloc(length, 0xff);
    const { payloadLengthAt, payloadLengthEnd, sequenceAt, sequenceEnd } = scan;
    // Of a number all may differ but how many bytes it has.
    if (payloadLengthAt > 0) mask.fill(0x80, payloadLengthAt, payloadLengthEnd);
    if (sequenceAt > 0) mask.fill(0x80, sequenceAt, sequenceEnd);
    for (const at of scan.allSecondsAt) mask.fill(0, at, at + 8);
    const masks = wordsOf(mask);
    this.forms[slot] = {
      length,
      masks,
      words: wordsOf(bytes).map((word, index) => word & masks[index]!),
      lanes: this.kernel?.addForm(bytes, mask) ?? -1,
      path: this.path!,
      payloadLengthAt,
      sequenceAt,
      sentAt: scan.sentAt,
      fileWriteAt: Math.max(scan.secondsAt, 0),
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
  if (length < 4) return length;
  const first = view.getUint8(at + 1);
  const uriLength = first < 0x80 ? first : (first & 0x7f) | (view.getUint8(at + 2) << 7);
  return (hashOf(view, at, at + Math.max(4, Math.min(uriLength, length))) ^ length) & (slots - 1);
}

function isOf({ length, masks, words }: EventForm, view: DataView, start: number, bytes: number): boolean {
  if (length !== bytes) return false;
  const whole = length >> 2;
  let at = start;
  let index = 0;
  // Four words a turn, with one branch.
  for (; index + 4 <= whole; index += 4, at += 16) {
    const differs =
      ((view.getInt32(at, true) & masks[index]!) ^ words[index]!) |
      ((view.getInt32(at + 4, true) & masks[index + 1]!) ^ words[index + 1]!) |
      ((view.getInt32(at + 8, true) & masks[index + 2]!) ^ words[index + 2]!) |
      ((view.getInt32(at + 12, true) & masks[index + 3]!) ^ words[index + 3]!);
    if (differs !== 0) return false;
  }
  for (; index < whole; index++, at += 4) {
    if ((view.getInt32(at, true) & masks[index]!) !== words[index]) return false;
  }
  return index === words.length || (view.getInt32(start + length - 4, true) & masks[index]!) === words[index];
}

/** The same, and copies what it compares; what it has copied of another event is to be written over. */
function copyIfOf({ length, masks, words }: EventForm, part: BytesPart, target: DataView, to: number): boolean {
  const { view, start } = part;
  if (length !== part.end - start) return false;
  const whole = length >> 2;
  let at = start;
  let copyAt = to;
  let index = 0;
  for (; index + 4 <= whole; index += 4, at += 16, copyAt += 16) {
    const one = view.getInt32(at, true);
    const two = view.getInt32(at + 4, true);
    const three = view.getInt32(at + 8, true);
    const four = view.getInt32(at + 12, true);
    target.setInt32(copyAt, one, true);
    target.setInt32(copyAt + 4, two, true);
    target.setInt32(copyAt + 8, three, true);
    target.setInt32(copyAt + 12, four, true);
    const differs =
      ((one & masks[index]!) ^ words[index]!) |
      ((two & masks[index + 1]!) ^ words[index + 1]!) |
      ((three & masks[index + 2]!) ^ words[index + 2]!) |
      ((four & masks[index + 3]!) ^ words[index + 3]!);
    if (differs !== 0) return false;
  }
  for (; index < whole; index++, at += 4, copyAt += 4) {
    const word = view.getInt32(at, true);
    target.setInt32(copyAt, word, true);
    if ((word & masks[index]!) !== words[index]) return false;
  }
  if (index === words.length) return true;
  const word = view.getInt32(start + length - 4, true);
  target.setInt32(to + length - 4, word, true);
  return (word & masks[index]!) === words[index];
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
