import { hashOf, wordsOf } from './byte-words.js';

// A stream carries few URIs and kinds of stamps; more of them than this only cost what they cost without a memo.
const slots = 256;
// Where a meaning may stand, from its own slot on: of twenty, two have the same one more often than not.
const ways = 8;
// What is longer is decoded each time: a memo is not to hold much.
const longestBytes = 1024;

interface Entry<T> {
  readonly length: number;
  /** The bytes in words of four, the last of which ends with them. */
  readonly words: Int32Array;
  readonly meaning: T;
  /** The slot of what came behind it the last time. */
  follower: number;
}

/** Remembers what bytes mean that come again and again, so that they are decoded once. Holds at most 256 meanings. */
export class BytesMemo<T> {
  private readonly entries: (Entry<T> | undefined)[] = new Array(slots);
  private last = 0;
  private readonly decode: (bytes: Buffer, start: number, end: number) => T;
  /** What was read last, the memory it lies in, and where it begins there: messages share theirs. */
  private bytes: Buffer | undefined;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private offset = 0;

  constructor(decode: (bytes: Buffer, start: number, end: number) => T) {
    this.decode = decode;
  }

  /** The meaning of `bytes` from `start` to `end`. */
  read(bytes: Buffer, start: number, end: number): T {
    const length = end - start;
    if (length < 4 || length > longestBytes) return this.decode(bytes, start, end);
    // To ask a buffer for its memory takes as long as a comparison.
    if (this.bytes !== bytes) this.enter(bytes);
    const { entries, view } = this;
    const at = this.offset + start;
    const before = entries[this.last];
    // Mostly itself, or the next of a few that come in turn.
    const expected = before === undefined ? undefined : entries[before.follower];
    if (expected !== undefined && isOf(expected, view, at, length)) {
      this.last = before!.follower;
      return expected.meaning;
    }
    const home = hashOf(view, at, at + length) % slots;
    let slot = home;
    let entry = entries[slot];
    for (let way = 1; way < ways && entry !== undefined && !isOf(entry, view, at, length); way++) {
      slot = (home + way) % slots;
      entry = entries[slot];
    }
    if (entry === undefined || !isOf(entry, view, at, length)) {
      // Where all are taken, in place of the last.
      const meaning = this.decode(bytes, start, end);
      entry = { length, words: wordsOf(bytes.subarray(start, end)), meaning, follower: slot };
      entries[slot] = entry;
    }
    if (before !== undefined) before.follower = slot;
    this.last = slot;
    return entry.meaning;
  }

  private enter(bytes: Buffer): void {
    if (this.view.buffer !== bytes.buffer) this.view = new DataView(bytes.buffer);
    this.bytes = bytes;
    this.offset = bytes.byteOffset;
  }
}

function isOf({ length: known, words }: Entry<unknown>, view: DataView, at: number, length: number): boolean {
  if (known !== length) return false;
  const last = words.length - 1;
  // From the end: the URIs of a service differ there.
  if (view.getInt32(at + length - 4, true) !== words[last]) return false;
  for (let index = last - 1, word = at + 4 * index; index >= 0; index--, word -= 4) {
    if (view.getInt32(word, true) !== words[index]) return false;
  }
  return true;
}
