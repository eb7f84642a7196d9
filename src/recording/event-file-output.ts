import { dirname } from 'node:path';
import { MeshError } from '../base/errors.js';
import { viewOf } from './bytes-part.js';
import { diskError, type RecordingDisk, type RecordingFile } from './recording-disk.js';
import { wholeRecords } from './whole-records.js';

export type SyncMode = 'none' | 'interval' | 'each';

export interface OutputOptions {
  readonly disk: RecordingDisk;
  readonly sync: SyncMode;
  readonly syncMs: number;
  readonly flushMs: number;
  /** Gives memory for a megabyte of records. */
  readonly allocate: (bytes: number) => Buffer;
}

const done = Promise.resolve();
const chunkBytes = 1 << 20;
const maxBufferedBytes = 8_000_000;
// A longer record has memory of its own, which it fills.
const longRecordBytes = chunkBytes / 4;
// As many as can be waiting, being written and being filled: then nothing is allocated while recording goes on.
const maxSpareChunks = Math.ceil(maxBufferedBytes / chunkBytes) + 2;

/** Records of one file that go to the disk in one call. */
interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
  used: number;
  /** A file to begin before these bytes. */
  readonly newFile: string | undefined;
}

interface Waiter {
  /** Accepted bytes that have to be written, or on disk with `each`. */
  readonly upTo: number;
  resolve(): void;
  reject(error: MeshError): void;
}

/**
 * The files of a recording as one stream of records: gathers records in memory and hands them to the disk, one call
 * for many, in the background. What is lost by a failure is told to the next caller.
 */
export class EventFileOutput {
  readonly files: string[] = [];
  /** Bytes accepted, written, and on disk since the first file began. */
  acceptedBytes = 0;
  private writtenBytes = 0;
  private syncedBytes = 0;
  private fileBytes = 0;
  private file: RecordingFile | undefined;
  private chunk: Chunk | undefined;
  private readonly full: Chunk[] = [];
  private readonly spare: Buffer[] = [];
  private readonly waiters: Waiter[] = [];
  private draining = false;
  /** Resolves when all that was appended before the last `pump` is written, or the disk has failed. */
  private pumping: Promise<void> = done;
  private syncing: Promise<void> | undefined;
  private flushTimer: NodeJS.Timeout | undefined;
  private syncTimer: NodeJS.Timeout | undefined;
  private failure: MeshError | undefined;
  private failureTold = false;
  private closed: Promise<void> | undefined;

  constructor(private readonly options: OutputOptions) {}

  /** Makes the first file. */
  async begin(file: string): Promise<void> {
    await this.create(file);
  }

  /** Later records go to this file. */
  roll(newFile: string): void {
    this.seal();
    this.chunk = this.newChunk(0, newFile);
  }

  /** Room for one record of so many bytes: where the next `appended` begins. Asked for again, it is the same. */
  room(size: number): { readonly view: DataView; readonly at: number } {
    let chunk = this.chunk;
    if (chunk === undefined || chunk.used + size > chunk.bytes.length) {
      const newFile = chunk?.used === 0 ? chunk.newFile : undefined;
      if (chunk !== undefined && chunk.used > 0) this.seal();
      chunk = this.newChunk(size, newFile);
      this.chunk = chunk;
    }
    return { view: chunk.view, at: chunk.used };
  }

  /** The room that was given last is filled. */
  appended(size: number): void {
    this.chunk!.used += size;
    this.acceptedBytes += size;
  }

  /** Resolves when the caller may go on: what was appended is as safe as the options say. */
  commit(): Promise<void> {
    if (this.closed !== undefined) {
      return Promise.reject(new MeshError('failed-precondition', `the recording ${this.files[0]} is closed`));
    }
    if (this.failure !== undefined) return this.tellFailure();
    if (this.acceptedBytes === this.writtenBytes && this.options.sync !== 'each') return done;
    if (this.options.sync === 'each') {
      this.pump();
      return this.wait();
    }
    if (this.full.length > 0) this.pump();
    else this.flushTimer ??= setTimeout(this.pump, this.options.flushMs);
    if (this.options.sync === 'interval') this.syncTimer ??= setTimeout(this.syncSoon, this.options.syncMs / 2);
    return this.acceptedBytes - this.writtenBytes > maxBufferedBytes ? this.wait() : done;
  }

  /** Writes all, syncs unless told never to, and closes the file. Can be called twice. */
  close(): Promise<void> {
    this.closed ??= this.finish();
    return this.closed;
  }

  private async finish(): Promise<void> {
    this.pump();
    await this.pumping;
    clearTimeout(this.flushTimer);
    clearTimeout(this.syncTimer);
    await this.closeFile();
    if (this.failure !== undefined && !this.failureTold) await this.tellFailure();
  }

  private wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ upTo: this.acceptedBytes, resolve, reject });
    });
  }

  private readonly pump = (): void => {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    if (this.draining) return;
    this.draining = true;
    this.pumping = this.drain();
  };

  /** Writes until nothing is left, then syncs if each event waits for that. */
  private async drain(): Promise<void> {
    const { sync } = this.options;
    try {
      for (;;) {
        this.seal();
        const chunk = this.full.shift();
        if (chunk !== undefined) {
          await this.writeChunk(chunk);
          if (sync !== 'each') this.wake(this.writtenBytes);
        } else if (sync === 'each' && this.syncedBytes < this.writtenBytes) await this.syncNow();
        else break;
      }
    } catch (error) {
      this.fail(error);
      await this.closeFile();
    }
    // In the same turn as the last look at what is left, or else a `pump` in between would be lost.
    this.draining = false;
  }

  private async writeChunk({ bytes, used, newFile }: Chunk): Promise<void> {
    if (newFile !== undefined) {
      await this.closeFile();
      await this.create(newFile);
    }
    const { file } = this;
    if (file === undefined) throw new MeshError('internal', 'there is no file to write to');
    let at = 0;
    try {
      while (at < used) {
        const { bytesWritten } = await file.write(bytes, at, used - at);
        if (bytesWritten === 0) throw new Error('the operating system takes no bytes');
        at += bytesWritten;
      }
    } catch (error) {
      await this.cut(file, wholeRecords(bytes, at));
      throw diskError(error, `write ${this.files.at(-1)} behind byte ${this.fileBytes}`);
    }
    this.fileBytes += used;
    this.writtenBytes += used;
    if (bytes.length === chunkBytes && this.spare.length < maxSpareChunks) this.spare.push(bytes);
  }

  /** Leaves the whole records of a chunk that went to the disk in part. */
  private async cut(file: RecordingFile, wholeBytes: number): Promise<void> {
    this.fileBytes += wholeBytes;
    // A disk that cannot even shorten a file leaves a torn tail, which readers find.
    await file.truncate(this.fileBytes).catch(() => undefined);
  }

  private readonly syncSoon = (): void => {
    this.syncTimer = undefined;
    void this.flushAndSync();
  };

  private async flushAndSync(): Promise<void> {
    this.pump();
    await this.pumping;
    // One that has begun does not cover what was written since.
    await this.syncing;
    if (this.failure !== undefined || this.closed !== undefined) return;
    // Beside the sync, writing goes on.
    this.syncing = this.syncNow()
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.syncing = undefined;
      });
    await this.syncing;
  }

  private async syncNow(): Promise<void> {
    const { file, writtenBytes } = this;
    try {
      await file?.datasync();
    } catch (error) {
      throw diskError(error, `bring ${this.files.at(-1)} to the disk`);
    }
    this.syncedBytes = Math.max(this.syncedBytes, writtenBytes);
    if (this.options.sync === 'each') this.wake(this.syncedBytes);
  }

  private async create(file: string): Promise<void> {
    const { disk, sync } = this.options;
    try {
      this.file = await disk.create(file);
      this.files.push(file);
      this.fileBytes = 0;
      if (sync !== 'none') await disk.syncDirectory(dirname(file));
    } catch (error) {
      throw diskError(error, `make ${file}`);
    }
  }

  private async closeFile(): Promise<void> {
    await this.syncing;
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    try {
      if (this.options.sync !== 'none' && this.failure === undefined) await file.datasync();
      this.syncedBytes = this.writtenBytes;
    } catch (error) {
      this.fail(diskError(error, `bring ${this.files.at(-1)} to the disk`));
    } finally {
      await file.close().catch((error: unknown) => this.fail(diskError(error, `close ${this.files.at(-1)}`)));
    }
  }

  private fail(error: unknown): void {
    this.failure ??= MeshError.from(error, 'internal');
    this.full.length = 0;
    this.chunk = undefined;
    clearTimeout(this.flushTimer);
    clearTimeout(this.syncTimer);
    for (const waiter of this.waiters.splice(0)) {
      this.failureTold = true;
      waiter.reject(this.failure);
    }
  }

  private tellFailure(): Promise<never> {
    this.failureTold = true;
    return Promise.reject(this.failure);
  }

  private wake(upTo: number): void {
    while (this.waiters.length > 0 && this.waiters[0]!.upTo <= upTo) this.waiters.shift()!.resolve();
  }

  private seal(): void {
    const { chunk } = this;
    if (chunk === undefined || (chunk.used === 0 && chunk.newFile === undefined)) return;
    this.full.push(chunk);
    this.chunk = undefined;
  }

  private newChunk(size: number, newFile: string | undefined): Chunk {
    const spare = size <= longRecordBytes ? this.spare.pop() : undefined;
    const bytes = spare ?? (size <= longRecordBytes ? this.options.allocate(chunkBytes) : Buffer.allocUnsafeSlow(size));
    return { bytes, view: viewOf(bytes), used: 0, newFile };
  }
}
