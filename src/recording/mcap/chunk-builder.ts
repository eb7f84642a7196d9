import { crc32 } from 'node:zlib';
import { type BytesPart, copyPart, viewOf } from '../bytes-part.js';
import { allocatorOf, type RecordKernel } from '../kernel/record-kernel.js';
import type { PathChannels } from './mcap-channels.js';
import { chunkHeadBytes, messageHeadBytes, opcode, recordHeadBytes } from './mcap-format.js';
import { MessageIndex } from './message-index.js';
import type { Nanos } from './nanos.js';
import { encodeTimes } from './record-encoder.js';

/** A finished chunk, its bytes valid until the builder is used again. */
export interface FinishedChunk {
  /** Earliest and latest log time, encoded. */
  readonly times: Buffer;
  readonly records: Buffer;
  readonly crc: number;
  /** Length of the Message Index records, and where among them that of each channel begins. */
  readonly indexBytes: number;
  readonly indexOffsets: ReadonlyMap<number, number>;
}

/** What stands before the data of a message, beside its channel. */
export interface MessageHead {
  readonly sequence: number;
  readonly log: Nanos;
  readonly publish: Nanos;
}

/**
 * Collects messages and their indexes. This is on the path of every recorded event: no allocation for each message.
 * All of a chunk stands in one buffer as it will in the file, so that one call writes it.
 */
export class ChunkBuilder {
  private readonly kernel: RecordKernel | undefined;
  private readonly expectedBytes: number;
  private readonly compression: string;
  /** Of the chunk's own record, which stand before the messages. */
  private readonly headBytes: number;
  /** Of the usual size; a longer message gets its own. */
  private readonly usual: Buffer;
  private bytes!: Buffer;
  private view!: DataView;
  /** Where in the kernel's memory the bytes begin; -1 for elsewhere. */
  private offset!: number;
  /** Behind the last message. */
  private used: number;
  /** By channel. */
  private readonly indexes: (MessageIndex | undefined)[] = [];
  /** Those of this chunk, in order of their first message. */
  private readonly touched: MessageIndex[] = [];
  private startS = Number.POSITIVE_INFINITY;
  private endS = 0;

  /**
   * @param expectedBytes Of the messages; a single one may exceed it.
   * @param compression As the chunk names it; empty for none.
   * @param kernel For `addRecord`.
   */
  constructor(expectedBytes: number, compression = '', kernel?: RecordKernel) {
    this.kernel = kernel;
    this.expectedBytes = expectedBytes;
    this.compression = compression;
    this.headBytes = recordHeadBytes + chunkHeadBytes + 4 + compression.length + 8;
    // Small messages have indexes of an eighth of their size.
    const usualBytes = this.headBytes + expectedBytes + (expectedBytes >> 3);
    this.usual = allocatorOf(kernel)(usualBytes);
    this.use(this.usual);
    this.used = this.headBytes;
  }

  /** Bytes of the messages. */
  get length(): number {
    return this.used - this.headBytes;
  }

  /** Whether `messages` with `dataBytes` of data in all still fit the expected size. */
  hasRoom(messages: number, dataBytes: number): boolean {
    return this.length + messages * (recordHeadBytes + messageHeadBytes) + dataBytes <= this.expectedBytes;
  }

  /** The range of log times; told apart from the messages because those of an event share it. */
  addTime(timeS: number): void {
    if (timeS < this.startS) this.startS = timeS;
    if (timeS > this.endS) this.endS = timeS;
  }

  /** Adds a message whose data are those of two parts, one behind the other. */
  addMessage(channel: number, { sequence, log, publish }: MessageHead, data: BytesPart, more: BytesPart): void {
    const length = messageHeadBytes + data.end - data.start + more.end - more.start;
    const at = this.used;
    if (at + recordHeadBytes + length > this.bytes.length) this.grow(recordHeadBytes + length);
    const { view } = this;
    this.index(channel).add(log, at - this.headBytes);
    view.setUint8(at, opcode.message);
    view.setUint32(at + 1, length, true);
    view.setUint32(at + 5, 0, true);
    view.setUint16(at + 9, channel, true);
    view.setUint32(at + 11, sequence, true);
    log.write(view, at + 15);
    publish.write(view, at + 23);
    this.used = copyPart(more, view, copyPart(data, view, at + recordHeadBytes + messageHeadBytes));
  }

  /**
   * Adds the two messages of an event that stands in the kernel's memory, and behind it its payload. False: they do not
   * fit there, and are to be added one by one.
   */
  addRecord(path: PathChannels, head: MessageHead, event: number, eventEnd: number, end: number): boolean {
    const at = this.used;
    const { payload, event: events } = path;
    const eventAt = at + recordHeadBytes + messageHeadBytes + end - eventEnd;
    const behind = eventAt + recordHeadBytes + messageHeadBytes + eventEnd - event;
    const { kernel, offset } = this;
    if (kernel === undefined || offset < 0 || behind > this.bytes.length) return false;
    const { sequence, log, publish } = head;
    this.index(payload.id).add(log, at - this.headBytes);
    this.index(events.id).add(log, eventAt - this.headBytes);
    kernel.addMessages(
      offset + at,
      event,
      eventEnd,
      end,
      payload.id,
      events.id,
      sequence,
      log.low,
      log.high,
      publish.low,
      publish.high,
    );
    this.used = behind;
    return true;
  }

  /** Writes the Message Index records behind the messages. */
  finish(): FinishedChunk {
    const indexOffsets = new Map<number, number>();
    let indexBytes = 0;
    for (const index of this.touched) {
      indexOffsets.set(index.channel, indexBytes);
      indexBytes += index.recordBytes;
    }
    if (this.used + indexBytes > this.bytes.length) this.grow(indexBytes);
    let at = this.used;
    for (const index of this.touched) at = index.write(this.bytes, at);
    const records = this.bytes.subarray(this.headBytes, this.used);
    const times = encodeTimes(this.startS, this.endS);
    return { times, records, crc: crc32(records), indexBytes, indexOffsets };
  }

  /** The chunk's record and the indexes behind it, as they stand in the file; `compressed` in place of the records. */
  encoded(
    chunk: FinishedChunk,
    compressed?: Buffer,
  ): { readonly headBytes: number; readonly bytes: readonly Buffer[] } {
    const { bytes, headBytes, used } = this;
    const head = bytes.subarray(0, headBytes);
    this.writeHead(head, chunk, (compressed ?? chunk.records).length);
    const indexesEnd = used + chunk.indexBytes;
    if (compressed === undefined) return { headBytes, bytes: [bytes.subarray(0, indexesEnd)] };
    return { headBytes, bytes: [head, compressed, bytes.subarray(used, indexesEnd)] };
  }

  clear(): void {
    for (const index of this.touched) index.clear();
    this.touched.length = 0;
    this.use(this.usual);
    this.used = this.headBytes;
    this.startS = Number.POSITIVE_INFINITY;
    this.endS = 0;
  }

  /** Opcode, length, times, sizes and checksum. */
  private writeHead(head: Buffer, { times, records, crc }: FinishedChunk, storedBytes: number): void {
    const { compression } = this;
    let at = head.writeUInt8(opcode.chunk, 0);
    at = writeUint64(head, head.length - recordHeadBytes + storedBytes, at);
    at += times.copy(head, at);
    at = writeUint64(head, records.length, at);
    at = head.writeUInt32LE(crc, at);
    at = head.writeUInt32LE(compression.length, at);
    at += head.write(compression, at, 'latin1');
    writeUint64(head, storedBytes, at);
  }

  private index(channel: number): MessageIndex {
    let index = this.indexes[channel];
    if (index === undefined) {
      index = new MessageIndex(channel);
      this.indexes[channel] = index;
    }
    if (index.isEmpty) this.touched.push(index);
    return index;
  }

  private grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(this.used + bytes);
    this.bytes.copy(larger, 0, 0, this.used);
    this.use(larger);
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.offset = this.kernel?.offsetOf(bytes) ?? -1;
  }
}

function writeUint64(bytes: Buffer, value: number, at: number): number {
  bytes.writeUInt16LE(0, at + 6);
  bytes.writeUIntLE(value, at, 6);
  return at + 8;
}
