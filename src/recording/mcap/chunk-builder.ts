import { crc32 } from 'node:zlib';
import { chunkHeadBytes, messageHeadBytes, opcode, recordHeadBytes } from './mcap-format.js';
import type { Nanos } from './nanos.js';
import { encodeTimes } from './record-encoder.js';

/** A finished chunk, its bytes valid until the builder is used again. */
export interface FinishedChunk {
  /** Earliest and latest log time, encoded. */
  readonly times: Buffer;
  readonly records: Buffer;
  readonly crc: number;
  /** The Message Index records. */
  readonly indexes: Buffer;
  /** Where in `indexes` that of each channel begins. */
  readonly indexOffsets: ReadonlyMap<number, number>;
}

/** Some bytes of a buffer. A `subarray` for each message would take longer than copying it. */
export interface Part {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** All of a buffer. */
export function wholeOf(bytes: Buffer): Part {
  return { bytes, start: 0, end: bytes.length };
}

// A longer part is copied faster by the call than word by word.
const fewBytes = 256;

/** Collects messages and their indexes. This is on the path of every recorded event: no allocation for each message. */
export class ChunkBuilder {
  private bytes: Buffer;
  private view: DataView;
  private used = 0;
  /** By channel. */
  private readonly entries: (IndexEntries | undefined)[] = [];
  /** Channels of this chunk, in order of their first message. */
  private readonly touched: IndexEntries[] = [];
  private startS = Number.POSITIVE_INFINITY;
  private endS = 0;
  private indexes = Buffer.alloc(0);
  /** Over the buffer that was copied from last. */
  private source: DataView = new DataView(new ArrayBuffer(0));

  /** @param bytes Expected size; a single message may exceed it. */
  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.used;
  }

  /** Whether `messages` with `dataBytes` of data in all still fit the expected size. */
  hasRoom(messages: number, dataBytes: number): boolean {
    return this.used + messages * (recordHeadBytes + messageHeadBytes) + dataBytes <= this.bytes.length;
  }

  /** The range of log times; told apart from the messages because those of an event share it. */
  addTime(timeS: number): void {
    if (timeS < this.startS) this.startS = timeS;
    if (timeS > this.endS) this.endS = timeS;
  }

  addMessage(channel: number, sequence: number, log: Nanos, publish: Nanos, data: Part): void {
    const length = messageHeadBytes + data.end - data.start;
    if (this.used + recordHeadBytes + length > this.bytes.length) this.grow(recordHeadBytes + length);
    const { view } = this;
    const at = this.used;
    this.index(channel).add(log, at);
    view.setUint8(at, opcode.message);
    view.setUint32(at + 1, length, true);
    view.setUint32(at + 5, 0, true);
    view.setUint16(at + 9, channel, true);
    view.setUint32(at + 11, sequence, true);
    log.write(view, at + 15);
    publish.write(view, at + 23);
    this.copy(data, at + recordHeadBytes + messageHeadBytes);
    this.used = at + recordHeadBytes + length;
  }

  finish(): FinishedChunk {
    const records = this.bytes.subarray(0, this.used);
    const indexOffsets = new Map<number, number>();
    let length = 0;
    for (const entries of this.touched) {
      indexOffsets.set(entries.channel, length);
      length += entries.recordBytes;
    }
    if (this.indexes.length < length) this.indexes = Buffer.allocUnsafeSlow(length * 2);
    const indexes = this.indexes.subarray(0, length);
    let at = 0;
    for (const entries of this.touched) at = entries.write(indexes, at);
    return { times: encodeTimes(this.startS, this.endS), records, crc: crc32(records), indexes, indexOffsets };
  }

  clear(): void {
    for (const entries of this.touched) entries.clear();
    this.touched.length = 0;
    this.used = 0;
    this.startS = Number.POSITIVE_INFINITY;
    this.endS = 0;
  }

  private copy({ bytes, start, end }: Part, at: number): void {
    const isWhole = start === 0 && end === bytes.length;
    if (isWhole || end - start > fewBytes) {
      this.bytes.set(isWhole ? bytes : bytes.subarray(start, end), at);
      return;
    }
    const { view } = this;
    if (this.source.buffer !== bytes.buffer) this.source = new DataView(bytes.buffer);
    const { source } = this;
    let from = bytes.byteOffset + start;
    let to = at;
    const last = bytes.byteOffset + end;
    for (; from + 4 <= last; from += 4, to += 4) view.setInt32(to, source.getInt32(from, true), true);
    for (; from < last; from++, to++) view.setUint8(to, source.getUint8(from));
  }

  private index(channel: number): IndexEntries {
    let entries = this.entries[channel];
    if (entries === undefined) {
      entries = new IndexEntries(channel);
      this.entries[channel] = entries;
    }
    if (entries.isEmpty) this.touched.push(entries);
    return entries;
  }

  private grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(this.used + bytes);
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

const entryBytes = 16;
const indexHeadBytes = recordHeadBytes + 6;

/** The Message Index of one channel in one chunk: log time and offset of each message. */
class IndexEntries {
  readonly channel: number;
  private bytes = Buffer.allocUnsafeSlow(64 * entryBytes);
  private view = new DataView(this.bytes.buffer);
  private used = 0;

  constructor(channel: number) {
    this.channel = channel;
  }

  get isEmpty(): boolean {
    return this.used === 0;
  }

  /** Length of the whole record. */
  get recordBytes(): number {
    return indexHeadBytes + this.used;
  }

  add(log: Nanos, offset: number): void {
    const at = this.used;
    if (at + entryBytes > this.bytes.length) this.grow();
    const { view } = this;
    log.write(view, at);
    view.setUint32(at + 8, offset, true);
    view.setUint32(at + 12, 0, true);
    this.used = at + entryBytes;
  }

  /** Writes the record; gives back the offset behind it. */
  write(target: Buffer, start: number): number {
    let at = target.writeUInt8(opcode.messageIndex, start);
    at = target.writeUInt32LE(6 + this.used, at);
    at = target.writeUInt32LE(0, at);
    at = target.writeUInt16LE(this.channel, at);
    at = target.writeUInt32LE(this.used, at);
    return at + this.bytes.copy(target, at, 0, this.used);
  }

  clear(): void {
    this.used = 0;
  }

  private grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
    this.bytes.copy(larger);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** Opcode, length, times, sizes and checksum of a chunk's record: what stands before its records. */
export function chunkHead(chunk: FinishedChunk, compression: string, compressedBytes: number): Buffer {
  const head = Buffer.alloc(recordHeadBytes + chunkHeadBytes + 4 + compression.length + 8);
  let at = head.writeUInt8(opcode.chunk, 0);
  at = head.writeUIntLE(head.length - recordHeadBytes + compressedBytes, at, 6) + 2;
  at += chunk.times.copy(head, at);
  at = head.writeUIntLE(chunk.records.length, at, 6) + 2;
  at = head.writeUInt32LE(chunk.crc, at);
  at = head.writeUInt32LE(compression.length, at);
  at += head.write(compression, at, 'latin1');
  head.writeUIntLE(compressedBytes, at, 6);
  return head;
}
