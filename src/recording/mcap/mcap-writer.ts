import { MeshError } from '../../base/errors.js';
import { furrowVersion } from '../../mesh/version.js';
import { lengthOf } from '../../messages/mesh-event.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { AppendingFile } from '../appending-file.js';
import { type BytesPart, noBytes, RangeParts, viewOf } from '../bytes-part.js';
import { lengthBytes } from '../event-file-format.js';
import { EventForms } from '../event-forms.js';
import type { RecordKernel } from '../kernel/record-kernel.js';
import { PathTable } from '../path-table.js';
import type { RecordParser } from '../record-parser.js';
import type { RecordingWriter, StampedEvent } from '../recording.js';
import { nodeDisk, type RecordingDisk } from '../recording-disk.js';
import { ChunkBuilder } from './chunk-builder.js';
import { type ChunkCompressor, chunkCompressor, hasZstd, type McapCompression } from './chunk-compression.js';
import { McapChannels, type PathChannels, type PayloadSchema } from './mcap-channels.js';
import { encodeEnding } from './mcap-ending.js';
import { Nanos } from './nanos.js';
import { RecordEncoder } from './record-encoder.js';

export interface McapWriterOptions {
  /** Describes the types of the payloads. */
  readonly registry: TypeRegistry;
  /** Size at which a chunk ends, before compression. Default 1 MiB. */
  readonly chunkBytes?: number;
  /** Default: zstd where Node has it. */
  readonly compression?: McapCompression;
  /** Describes types that the registry does not know, as when another MCAP file is copied. Default: none. */
  readonly schemaOf?: (type: string) => PayloadSchema | undefined;
  /** Default: the disks of this machine. */
  readonly disk?: RecordingDisk;
}

const defaultChunkBytes = 1 << 20;

/**
 * Writes events to an MCAP file: chunked, indexed, with the schemas and statistics that let a reader begin anywhere.
 * Each event is two messages of one log time and sequence: its payload on the channel `service/path`, the encoded
 * Event on `service/path#event`. What stands in finished chunks can be read even when the file is never closed.
 */
export class McapWriter implements RecordingWriter {
  private readonly file: AppendingFile;
  private readonly kernel: RecordKernel | undefined;
  private readonly channels: McapChannels;
  /** A number for each path, which is also its place in `channels.paths`. */
  private readonly table = new PathTable();
  /** The same by the numbers of another table, for `writeParsed`. */
  private readonly parsedPaths: (PathChannels | undefined)[] = [];
  private readonly compressor: ChunkCompressor | undefined;
  private readonly event = new EventForms(this.table);
  // Of one batch, events mostly stand in one buffer and payloads in another.
  private readonly eventParts = new RangeParts();
  private readonly payloadParts = new RangeParts();
  private readonly head = { sequence: 0, log: new Nanos(), publish: new Nanos() };
  /** The chunk that is filled, and the one that is free or being stored. */
  private filling: ChunkBuilder;
  private other: ChunkBuilder;
  private storing: Promise<void> = Promise.resolve();
  private failure: MeshError | undefined;
  /** Schemas and channels that stand in no chunk's front yet. */
  private readonly definitions = new RecordEncoder();
  private definedSchemas = 0;
  private readonly chunkIndexes = new RecordEncoder();
  private chunks = 0;
  private startS = Number.POSITIVE_INFINITY;
  private endS = 0;
  private closed: Promise<void> | undefined;

  private constructor(file: AppendingFile, options: McapWriterOptions, kernel: RecordKernel | undefined) {
    const { registry, chunkBytes = defaultChunkBytes, compression = hasZstd ? 'zstd' : 'none', schemaOf } = options;
    this.file = file;
    this.kernel = kernel;
    this.compressor = chunkCompressor(compression);
    this.channels = new McapChannels(registry, schemaOf);
    this.filling = new ChunkBuilder(chunkBytes, this.compressor?.name, kernel);
    this.other = new ChunkBuilder(chunkBytes, this.compressor?.name, kernel);
  }

  /**
   * Makes the file. Errors: `unimplemented` for a compression that this Node lacks, `failed-precondition` when the file
   * is there already, `resource-exhausted`, `permission-denied`, `internal`.
   * @param kernel Copies what `writeParsed` is given, if it stands in its memory.
   */
  static async open(file: string, options: McapWriterOptions, kernel?: RecordKernel): Promise<McapWriter> {
    chunkCompressor(options.compression ?? 'none');
    const writer = new McapWriter(await AppendingFile.create(file, options.disk ?? nodeDisk), options, kernel);
    await writer.file.append([new RecordEncoder().magic().header(`furrow ${furrowVersion()}`).bytes]);
    return writer;
  }

  /** Bytes in the file, without those of the chunk that is being filled. */
  get bytes(): number {
    return this.file.length;
  }

  /** Errors: `data-loss` for an event whose bytes are none or that has no URI; others as RecordingWriter says. */
  async write(events: readonly StampedEvent[]): Promise<void> {
    this.checkOpen();
    for (const { event, timeS, stamps = noBytes } of events) {
      const eventPart = this.eventParts.part(event.eventRange);
      const payload = this.payloadParts.part(event.payloadRange);
      const dataBytes = lengthOf(eventPart) + lengthOf(stamps) + lengthOf(payload);
      if (!this.filling.hasRoom(2, dataBytes)) await this.storeChunk();
      this.event.read(eventPart.view, eventPart.start, eventPart.end);
      this.setHead(this.event.sequence, timeS, this.event.sentS);
      this.add(this.channelsOfEvent(), timeS, payload, eventPart, stamps);
    }
  }

  /**
   * Writes the records that `parser` has found in `bytes`, without events being made of them: those take as long as all
   * the rest. `table` is that of the parser. Errors: as RecordingWriter says.
   */
  async writeParsed(bytes: Buffer, parser: RecordParser, table: PathTable): Promise<void> {
    this.checkOpen();
    const { starts, eventEnds, ends, paths, sequences, times, sent, count } = parser;
    const view = viewOf(bytes);
    const offset = this.kernel?.offsetOf(bytes) ?? -1;
    for (let row = 0; row < count; row++) {
      const start = starts[row]! + lengthBytes;
      const eventEnd = eventEnds[row]!;
      const timeS = times[row]!;
      const number = paths[row]!;
      const path = this.parsedPaths[number] ?? this.addParsedPath(number, table);
      if (!this.filling.hasRoom(2, ends[row]! - start)) await this.storeChunk();
      this.setHead(sequences[row]!, timeS, sent[row]!);
      const end = ends[row]!;
      const { head, filling } = this;
      const isIn = offset >= 0 && filling.addRecord(path, head, offset + start, offset + eventEnd, offset + end);
      if (isIn) this.count(path, timeS, end - eventEnd);
      else this.add(path, timeS, { view, start: eventEnd, end }, { view, start, end: eventEnd }, noBytes);
    }
  }

  /**
   * Ends the chunk that is being filled, so that everything written is in the file, and with `sync` on the disk: for
   * recorders that must not lose it. Many small chunks make a larger file.
   */
  async flush({ sync = false }: { readonly sync?: boolean } = {}): Promise<void> {
    this.checkOpen();
    if (this.filling.length > 0) await this.storeChunk();
    await this.stored();
    if (sync) await this.file.sync();
  }

  close(): Promise<void> {
    this.closed ??= this.finish();
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What the two messages of an event have in common. */
  private setHead(sequence: number, timeS: number, sentS: number): void {
    const { head } = this;
    head.sequence = sequence;
    head.log.set(timeS);
    head.publish.set(sentS > 0 ? sentS : timeS);
  }

  /** Adds the two messages of the event whose head is set. */
  private add(path: PathChannels, timeS: number, payload: BytesPart, event: BytesPart, stamps: BytesPart): void {
    const { head, filling } = this;
    filling.addMessage(path.payload.id, head, payload, noBytes);
    filling.addMessage(path.event.id, head, event, stamps);
    this.count(path, timeS, lengthOf(payload));
  }

  private count(path: PathChannels, timeS: number, payloadBytes: number): void {
    this.filling.addTime(timeS);
    path.tally.add(this.head.sequence, timeS, payloadBytes);
    if (timeS < this.startS) this.startS = timeS;
    if (timeS > this.endS) this.endS = timeS;
  }

  private channelsOfEvent(): PathChannels {
    const number = this.event.path;
    if (number === undefined) {
      throw new MeshError('data-loss', `an event for ${this.file.file} has no URI that names a path`);
    }
    return this.channels.paths[number] ?? this.addPath(number);
  }

  private addParsedPath(number: number, table: PathTable): PathChannels {
    const own = this.table.number(table.names[number]!);
    const path = this.channels.paths[own] ?? this.addPath(own);
    this.parsedPaths[number] = path;
    return path;
  }

  private addPath(number: number): PathChannels {
    const path = this.channels.add(this.table.names[number]!);
    for (const schema of this.channels.schemas.slice(this.definedSchemas)) this.definitions.schema(schema);
    this.definedSchemas = this.channels.schemas.length;
    this.definitions.channel(path.payload).channel(path.event);
    return path;
  }

  /** Hands the full chunk to the disk and goes on with the other one, once that is free. */
  private async storeChunk(): Promise<void> {
    await this.stored();
    const full = this.filling;
    this.filling = this.other;
    this.other = full;
    this.storing = this.store(full);
    // Whoever writes next hears of it.
    this.storing.catch(() => undefined);
  }

  private async stored(): Promise<void> {
    try {
      await this.storing;
    } catch (error) {
      this.failure ??= MeshError.from(error, 'internal');
      throw this.failure;
    }
  }

  private async store(chunk: ChunkBuilder): Promise<void> {
    const { definitions, compressor, file } = this;
    const front = Buffer.from(definitions.bytes);
    definitions.clear();
    const finished = chunk.finish();
    const { times, records } = finished;
    const compressed = await compressor?.compress(records);
    const parts = chunk.encoded(finished, compressed);
    const offset = file.length + front.length;
    const indexesAt = offset + parts.headBytes + (compressed ?? records).length;
    await file.append([front, ...parts.bytes]);
    const indexes = new Map<number, number>();
    for (const [channel, at] of finished.indexOffsets) indexes.set(channel, indexesAt + at);
    this.chunkIndexes.chunkIndex({
      times,
      offset,
      bytes: indexesAt - offset,
      indexes,
      indexBytes: finished.indexBytes,
      compression: compressor?.name ?? '',
      compressedBytes: (compressed ?? records).length,
      uncompressedBytes: records.length,
    });
    this.chunks++;
    chunk.clear();
  }

  private async finish(): Promise<void> {
    try {
      if (this.failure !== undefined) throw this.failure;
      if (this.filling.length > 0) await this.storeChunk();
      await this.stored();
      const { channels, chunks, chunkIndexes, startS, endS } = this;
      await this.file.append([encodeEnding(this.file.length, { channels, chunks, chunkIndexes, startS, endS })]);
      await this.file.sync();
    } finally {
      await this.file.close();
    }
  }

  private checkOpen(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.closed !== undefined) throw new MeshError('failed-precondition', `${this.file.file} is closed`);
  }
}
