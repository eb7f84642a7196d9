import { basename, dirname } from 'node:path';
import { MeshError } from '../base/errors.js';
import { lengthOf, type MeshEvent } from '../messages/mesh-event.js';
import { type BytesPart, bufferOf, copyPart, noBytes, RangeParts, wholePart } from './bytes-part.js';
import { baseOf, isHeader, lengthBytes, maxEventBytes, partFile, partOf } from './event-file-format.js';
import { EventFileOutput, type SyncMode } from './event-file-output.js';
import { EventForms } from './event-forms.js';
import { allocatorOf, KernelOffset, type RecordKernel } from './kernel/record-kernel.js';
import { type PathName, PathTable } from './path-table.js';
import type { RecordingWriter, StampedEvent } from './recording.js';
import { diskError, nodeDisk, type RecordingDisk } from './recording-disk.js';
import { RepeatedHeaders } from './repeated-headers.js';

export type { SyncMode } from './event-file-output.js';

export interface EventFileOptions {
  /** A new file starts when this one is longer than so many million bytes. Default: never. */
  readonly maxFileMb?: number;
  /** A new file starts when this one spans so many seconds. Default: never. */
  readonly maxFileS?: number;
  /**
   * What is on disk when. `none`: the operating system has an event `flushMs` after `write` at the latest, and the disk
   * when the system sees fit. `interval` (default): on disk `syncMs` later at the latest. `each`: on disk before
   * `write` resolves.
   */
  readonly sync?: SyncMode;
  /** Default 1000. Syncing begins at half of it, so that the disk may take the other half. */
  readonly syncMs?: number;
  /** Default 50. Sooner when much has come; at once with `each`. */
  readonly flushMs?: number;
  /** Default: the disks of this machine. */
  readonly disk?: RecordingDisk;
}

/** An event as it stands in larger buffers. */
export interface EventParts {
  readonly event: BytesPart;
  readonly payload: BytesPart;
  /** Unix seconds, when it was recorded. */
  readonly timeS: number;
  /** Makes the event itself. */
  toEvent(): MeshEvent;
}

/**
 * Writes a recording as event files, `BASE.0000.bin` and so on. Many events go to the disk in one call; `write` makes
 * its caller wait when the disk is slower than the events, with at most 8 MB in memory.
 *
 * When the disk fails, every later `write` rejects with the same error, and the file is cut behind its last whole
 * record.
 */
export class EventFileWriter implements RecordingWriter {
  private readonly output: EventFileOutput;
  private readonly headers = new RepeatedHeaders();
  private readonly table = new PathTable();
  private readonly sources: KernelOffset;
  private readonly targets: KernelOffset;
  private readonly event: EventForms;
  // Of one batch, events mostly stand in one buffer and payloads in another.
  private readonly eventParts = new RangeParts();
  private readonly payloadParts = new RangeParts();
  private readonly maxFileBytes: number;
  private readonly maxFileS: number;
  private part = 0;
  private fileBytes = 0;
  private fileStartS: number | undefined;
  private events = 0;

  /**
   * Makes `BASE.0000.bin`. `base` may be written as `BASE.bin` or `BASE.0000.bin`, too.
   * Errors: `failed-precondition` when the base has files, `resource-exhausted`, `permission-denied`, `internal`.
   * @param kernel Copies events that stand in its memory.
   */
  static async open(base: string, options: EventFileOptions = {}, kernel?: RecordKernel): Promise<EventFileWriter> {
    const writer = new EventFileWriter(baseOf(base), options, kernel);
    await writer.begin(options.disk ?? nodeDisk);
    return writer;
  }

  private constructor(
    /** What the names of the files begin with. */
    readonly base: string,
    options: EventFileOptions,
    kernel: RecordKernel | undefined,
  ) {
    this.sources = new KernelOffset(kernel);
    this.targets = new KernelOffset(kernel);
    this.event = new EventForms(this.table, kernel);
    this.maxFileBytes = (options.maxFileMb ?? Number.POSITIVE_INFINITY) * 1e6;
    this.maxFileS = options.maxFileS ?? Number.POSITIVE_INFINITY;
    this.output = new EventFileOutput({
      disk: options.disk ?? nodeDisk,
      sync: options.sync ?? 'interval',
      syncMs: options.syncMs ?? 1000,
      flushMs: options.flushMs ?? 50,
      allocate: allocatorOf(kernel),
    });
  }

  /** The files so far. */
  get files(): readonly string[] {
    return this.output.files;
  }

  /** Bytes handed to `write` so far, in all files, repeated headers included. */
  get bytes(): number {
    return this.output.acceptedBytes;
  }

  /** Events handed to `write` so far; repeated headers do not count. */
  get count(): number {
    return this.events;
  }

  /**
   * Errors: `resource-exhausted`, `internal`; `invalid-argument` for an event whose payload is not as long as it says,
   * which would damage the file: those before it are written, it and those behind it are not.
   */
  write(events: readonly StampedEvent[]): Promise<void> {
    try {
      for (const { event, timeS, stamps = noBytes } of events) {
        const eventPart = this.eventParts.part(event.eventRange);
        const isHeader = this.add(eventPart, this.payloadParts.part(event.payloadRange), timeS, stamps);
        if (isHeader) this.headers.keep(event.restamped(Buffer.concat([event.eventBytes, bufferOf(stamps)])), timeS);
      }
    } catch (error) {
      // What was added before must not wait for a next call.
      return this.commit().then(() => Promise.reject(error));
    }
    return this.commit();
  }

  /** Adds an event in parts, which are copied; `commit` must follow. Errors: `invalid-argument` as `write`. */
  addParts(parts: EventParts): void {
    const { event, payload, timeS } = parts;
    if (this.add(event, payload, timeS, noBytes)) this.headers.keep(parts.toEvent(), timeS);
  }

  /** What `write` does when it has added its events. Errors: `resource-exhausted`, `internal`. */
  commit(): Promise<void> {
    return this.output.commit();
  }

  /** Nothing of before is repeated in later files. */
  clearHeaders(): void {
    this.headers.clear();
  }

  /**
   * Everything is in the files, and on disk unless `sync` is `none`. Can be called twice.
   * Errors: as `write`, when it could not say so itself.
   */
  close(): Promise<void> {
    return this.output.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async begin(disk: RecordingDisk): Promise<void> {
    const name = basename(this.base);
    const present = await disk.list(dirname(this.base)).catch((error) => {
      throw diskError(error, `read the directory of ${this.base}`);
    });
    const other = present.find((file) => partOf(file)?.base === name);
    if (other !== undefined) {
      throw new MeshError(
        'failed-precondition',
        `there is a recording at ${this.base} already (${other}); name another, or remove it`,
      );
    }
    await this.output.begin(partFile(this.base, 0));
  }

  /** Gives whether later files begin with it, too. */
  private add(event: BytesPart, payload: BytesPart, timeS: number, stamps: BytesPart): boolean {
    if (this.fileBytes > this.maxFileBytes || this.spanS(timeS) >= this.maxFileS) this.roll(timeS);
    const name = this.append(event, payload, stamps);
    if (Number.isFinite(timeS)) this.fileStartS ??= timeS;
    this.events += 1;
    return isHeader(name.path);
  }

  /** Appends a record, if its bytes are an Event to its last field, which is what readers look for. */
  private append(part: BytesPart, payload: BytesPart, stamps: BytesPart): PathName {
    const { event, table, output } = this;
    const stampsBytes = lengthOf(stamps);
    const eventBytes = lengthOf(part) + stampsBytes;
    const payloadBytes = lengthOf(payload);
    const size = lengthBytes + eventBytes + payloadBytes;
    const { view, at } = output.room(size);
    const isAdded = stampsBytes === 0 && this.addInKernel(part, payload, view, at);
    const stampsAt = isAdded ? 0 : event.readAndCopy(part, view, at + lengthBytes);
    const name = event.path === undefined ? undefined : table.names[event.path]!;
    if (name === undefined || event.payloadLength !== payloadBytes || eventBytes > maxEventBytes) {
      throw this.refusal(name, eventBytes, payloadBytes);
    }
    if (!isAdded) {
      view.setUint32(at, eventBytes, true);
      copyPart(payload, view, copyPart(stamps, view, stampsAt));
    }
    output.appended(size);
    this.fileBytes += size;
    return name;
  }

  private addInKernel(event: BytesPart, payload: BytesPart, target: DataView, at: number): boolean {
    if (event.view !== payload.view) return false;
    const from = this.sources.of(event.view);
    const to = this.targets.of(target);
    if (from < 0 || to < 0) return false;
    return this.event.readAndAddRecord(event, from + event.start, from + payload.start, from + payload.end, to + at);
  }

  private refusal(name: PathName | undefined, eventBytes: number, payloadBytes: number): MeshError {
    const { sequence, payloadLength } = this.event;
    const which = name === undefined ? '' : ` of ${name.service}${name.path}`;
    const why =
      name === undefined
        ? 'has no URI'
        : payloadLength !== payloadBytes
          ? `says its payload has ${payloadLength} bytes; it has ${payloadBytes}`
          : `has ${eventBytes} bytes without its payload; an event file takes ${maxEventBytes}`;
    return new MeshError('invalid-argument', `event ${sequence}${which} ${why}; it cannot be recorded`);
  }

  /** What the file spans with an event of this time; a time that is none does not count. */
  private spanS(timeS: number): number {
    return Number.isFinite(timeS) ? timeS - (this.fileStartS ?? timeS) : 0;
  }

  private roll(timeS: number): void {
    this.part += 1;
    this.output.roll(partFile(this.base, this.part));
    this.fileBytes = 0;
    this.fileStartS = Number.isFinite(timeS) ? timeS : undefined;
    for (const { eventBytes, payload } of this.headers.at(timeS)) {
      this.append(wholePart(eventBytes), wholePart(payload), noBytes);
    }
  }
}
