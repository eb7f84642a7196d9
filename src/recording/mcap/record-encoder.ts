import { magic, opcode, recordHeadBytes } from './mcap-format.js';
import { Nanos } from './nanos.js';

export interface SchemaRecord {
  readonly id: number;
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
}

export interface ChannelRecord {
  readonly id: number;
  /** 0: none. */
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface StatisticsRecord {
  readonly schemas: number;
  readonly chunks: number;
  readonly metadata: number;
  readonly startS: number;
  readonly endS: number;
  /** Messages by channel. */
  readonly messages: ReadonlyMap<number, number>;
}

export interface ChunkIndexRecord {
  /** Earliest and latest log time, as `encodeTimes` encodes them. */
  readonly times: Uint8Array;
  readonly offset: number;
  readonly bytes: number;
  /** Where the Message Index record of each channel begins. */
  readonly indexes: ReadonlyMap<number, number>;
  readonly indexBytes: number;
  readonly compression: string;
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
}

/** Two times, in seconds, as two uint64 of nanoseconds. */
export function encodeTimes(startS: number, endS: number): Buffer {
  const times = Buffer.alloc(16);
  const view = new DataView(times.buffer, times.byteOffset, times.length);
  const nanos = new Nanos();
  nanos.set(startS);
  nanos.write(view, 0);
  nanos.set(endS);
  nanos.write(view, 8);
  return times;
}

/** Encodes all records but chunks and messages, one after the other, into a buffer that grows. */
export class RecordEncoder {
  private buffer = Buffer.allocUnsafe(4096);
  private used = 0;
  private recordStart = 0;

  /** What has been written; only valid until the next record. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  get length(): number {
    return this.used;
  }

  clear(): void {
    this.used = 0;
  }

  magic(): this {
    return this.raw(magic);
  }

  header(library: string): this {
    return this.begin(opcode.header).text('').text(library).end();
  }

  schema({ id, name, encoding, data }: SchemaRecord): this {
    return this.begin(opcode.schema).uint16(id).text(name).text(encoding).uint32(data.length).raw(data).end();
  }

  channel({ id, schemaId, topic, messageEncoding, metadata }: ChannelRecord): this {
    return this.begin(opcode.channel)
      .uint16(id)
      .uint16(schemaId)
      .text(topic)
      .text(messageEncoding)
      .texts(metadata)
      .end();
  }

  metadata(name: string, entries: Readonly<Record<string, string>>): this {
    return this.begin(opcode.metadata).text(name).texts(entries).end();
  }

  metadataIndex(name: string, offset: number, length: number): this {
    return this.begin(opcode.metadataIndex).uint64(offset).uint64(length).text(name).end();
  }

  chunkIndex(chunk: ChunkIndexRecord): this {
    this.begin(opcode.chunkIndex).raw(chunk.times).uint64(chunk.offset).uint64(chunk.bytes);
    this.uint32(chunk.indexes.size * 10);
    for (const [channel, offset] of chunk.indexes) this.uint16(channel).uint64(offset);
    this.uint64(chunk.indexBytes).text(chunk.compression);
    return this.uint64(chunk.compressedBytes).uint64(chunk.uncompressedBytes).end();
  }

  statistics({ messages, schemas, chunks, metadata, startS, endS }: StatisticsRecord): this {
    const total = [...messages.values()].reduce((sum, count) => sum + count, 0);
    this.begin(opcode.statistics).uint64(total).uint16(schemas).uint32(messages.size);
    // Attachments are not written.
    this.uint32(0).uint32(metadata).uint32(chunks).raw(encodeTimes(startS, endS));
    this.uint32(messages.size * 10);
    for (const [channel, count] of messages) this.uint16(channel).uint64(count);
    return this.end();
  }

  summaryOffset(groupOpcode: number, start: number, length: number): this {
    return this.begin(opcode.summaryOffset).uint8(groupOpcode).uint64(start).uint64(length).end();
  }

  /** The checksum over the data section is left out, as its field allows: chunks have their own. */
  dataEnd(): this {
    return this.begin(opcode.dataEnd).uint32(0).end();
  }

  /** The footer up to its checksum, which covers this part of it. */
  footerStart(summaryStart: number, summaryOffsetStart: number): this {
    return this.uint8(opcode.footer).uint64(20).uint64(summaryStart).uint64(summaryOffsetStart);
  }

  footerEnd(summaryCrc: number): this {
    return this.uint32(summaryCrc);
  }

  private uint8(value: number): this {
    this.reserve(1);
    this.buffer[this.used++] = value;
    return this;
  }

  private uint16(value: number): this {
    this.reserve(2);
    this.used = this.buffer.writeUInt16LE(value, this.used);
    return this;
  }

  uint32(value: number): this {
    this.reserve(4);
    this.used = this.buffer.writeUInt32LE(value, this.used);
    return this;
  }

  private begin(code: number): this {
    this.recordStart = this.used;
    return this.uint8(code).uint64(0);
  }

  private end(): this {
    const length = this.used - this.recordStart - recordHeadBytes;
    this.buffer.writeUInt32LE(length, this.recordStart + 1);
    return this;
  }

  private uint64(value: number): this {
    this.reserve(8);
    this.used = this.buffer.writeUInt32LE(value % 0x100000000, this.used);
    this.used = this.buffer.writeUInt32LE(Math.floor(value / 0x100000000), this.used);
    return this;
  }

  private text(value: string): this {
    const length = Buffer.byteLength(value);
    this.uint32(length).reserve(length);
    this.used += this.buffer.write(value, this.used);
    return this;
  }

  private texts(map: Readonly<Record<string, string>>): this {
    const lengthAt = this.used;
    this.uint32(0);
    for (const [key, value] of Object.entries(map)) this.text(key).text(value);
    this.buffer.writeUInt32LE(this.used - lengthAt - 4, lengthAt);
    return this;
  }

  /** Records that are encoded already. */
  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
    return this;
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.used + bytes));
    this.buffer.copy(larger, 0, 0, this.used);
    this.buffer = larger;
  }
}
