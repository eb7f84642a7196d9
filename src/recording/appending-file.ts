import { diskError, type RecordingDisk, type RecordingFile } from './recording-disk.js';

/** A new file that grows at its end by whole pieces. One call at a time. */
export class AppendingFile {
  readonly file: string;
  private readonly handle: RecordingFile;
  private written = 0;
  private isClosed = false;

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
    const start = this.written;
    try {
      for (const part of parts) await this.write(part);
    } catch (error) {
      this.written = start;
      await this.handle.truncate(start).catch(() => undefined);
      throw diskError(error, `write ${this.file} behind byte ${start}`);
    }
  }

  /** Resolves when the bytes are on the disk. Errors: those of `diskError`. */
  async sync(): Promise<void> {
    try {
      await this.handle.datasync();
    } catch (error) {
      throw diskError(error, `bring ${this.file} to the disk`);
    }
  }

  /** Can be called twice. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.handle.close();
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
