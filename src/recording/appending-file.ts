import type { MeshError } from '../base/errors.js';
import { diskError, type RecordingDisk, type RecordingFile } from './recording-disk.js';

// The system would begin to write when gigabytes have come, and whoever waits for the end would wait for all of them.
const syncBytes = 16_000_000;

/** A new file that grows at its end by whole pieces, which go to the disk meanwhile. One call at a time. */
export class AppendingFile {
  readonly file: string;
  private readonly handle: RecordingFile;
  private written = 0;
  private isClosed = false;
  /** Bytes that the last sync beside the writing covers, and how it went. */
  private syncedBytes = 0;
  private syncing: Promise<void> | undefined;
  private syncFailure: unknown;

  private constructor(file: string, handle: RecordingFile) {
    this.file = file;
    this.handle = handle;
  }

  /** Makes the file. Errors: `failed-precondition` when it is there already; those of `diskError`. */
  static async create(file: string, disk: RecordingDisk): Promise<AppendingFile> {
    try {
      return new AppendingFile(file, await disk.create(file));
    } catch (error) {
      throw diskError(error, `make ${file}`);
    }
  }

  /** Bytes in the file. */
  get length(): number {
    return this.written;
  }

  /** Errors: those of `diskError`; the file is then cut to what it was before, if the disk can even do that. */
  async append(parts: readonly Buffer[]): Promise<void> {
    this.checkSync();
    const start = this.written;
    try {
      for (const part of parts) await this.write(part);
    } catch (error) {
      this.written = start;
      await this.handle.truncate(start).catch(() => undefined);
      throw diskError(error, `write ${this.file} behind byte ${start}`);
    }
    if (this.written - this.syncedBytes >= syncBytes && this.syncing === undefined) this.syncing = this.syncBeside();
  }

  /** Resolves when the bytes are on the disk. Errors: those of `diskError`. */
  async sync(): Promise<void> {
    await this.syncing;
    this.checkSync();
    try {
      await this.handle.datasync();
    } catch (error) {
      throw this.syncError(error);
    }
  }

  /** Can be called twice. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.syncing;
    await this.handle.close();
  }

  private async syncBeside(): Promise<void> {
    this.syncedBytes = this.written;
    try {
      await this.handle.datasync();
    } catch (error) {
      // The system tells it once: a later call would succeed.
      this.syncFailure = error;
    }
    this.syncing = undefined;
  }

  private checkSync(): void {
    if (this.syncFailure !== undefined) throw this.syncError(this.syncFailure);
  }

  private syncError(error: unknown): MeshError {
    return diskError(error, `bring ${this.file} to the disk`);
  }

  private async write(bytes: Buffer): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at);
      if (bytesWritten === 0) throw new Error('the operating system takes no bytes');
      at += bytesWritten;
      this.written += bytesWritten;
    }
  }
}
