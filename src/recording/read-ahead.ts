import type { FileHandle } from 'node:fs/promises';
import { MeshError } from '../base/errors.js';

/** What of a file is read. */
export interface ReadAheadOptions {
  /** Its name, for what is said of it. */
  readonly file: string;
  /** Bytes of the file that count. */
  readonly size: number;
  /** Where in the file reading ahead ends. */
  readonly end: number;
  /** How much is read at once. */
  readonly blockBytes: number;
  /** Whether the bytes of one `read` stay as they are at the next. Otherwise memory is used again. */
  readonly keep: boolean;
  /** Gives memory for a block. */
  readonly allocate: (bytes: number) => Buffer;
}

// One block is given and one is being read; while a long record is given, both are free.
const mostSpares = 2;

/** A block that is being read: it stands behind some room for the end of the block before. */
interface Pending {
  readonly buffer: Buffer;
  /** Where in the file it begins, and how many bytes it has. */
  readonly position: number;
  readonly length: number;
  readonly done: Promise<void>;
}

/**
 * Reads a file from its front to its end, while what was read is worked on: when `read` is asked for what follows, it
 * is mostly there. What the last block has left over is put before the next, so that no byte is read twice.
 */
export class ReadAhead {
  private readonly roomBytes: number;
  /** What the last `read` gave, all of the memory that it stands in, and where in the file it begins. */
  private given: Buffer = Buffer.alloc(0);
  private memory: Buffer | undefined;
  private givenAt = 0;
  private pending: Pending | undefined;
  private readonly spares: Buffer[] = [];

  constructor(
    private readonly handle: FileHandle,
    private readonly options: ReadAheadOptions,
  ) {
    this.roomBytes = options.blockBytes >> 2;
  }

  /**
   * The bytes from `position` on: at least `length` of them, or those up to the end of the file.
   * Errors: `data-loss` when the file is shorter than it was.
   */
  async read(position: number, length: number): Promise<Buffer> {
    const { blockBytes, end, size } = this.options;
    const ahead = this.pending;
    const left = this.givenAt + this.given.length - position;
    if (position >= this.givenAt && left >= Math.max(length, 1) && (left > this.roomBytes || ahead === undefined)) {
      this.given = this.given.subarray(position - this.givenAt);
      this.givenAt = position;
      return this.given;
    }
    this.pending = undefined;
    await ahead?.done;
    const before = ahead === undefined ? 0 : ahead.position - position;
    const follows = ahead !== undefined && position >= this.givenAt && before >= 0 && before <= this.roomBytes;
    if (follows && length <= before + ahead.length) {
      const start = this.roomBytes - before;
      this.given.copy(ahead.buffer, start, position - this.givenAt);
      this.recycle(this.memory);
      this.memory = ahead.buffer;
      this.given = ahead.buffer.subarray(start, this.roomBytes + ahead.length);
    } else {
      this.recycle(ahead?.buffer);
      const wanted = Math.min(Math.max(length, blockBytes), size - position);
      const buffer = wanted <= blockBytes ? this.buffer() : Buffer.allocUnsafeSlow(wanted);
      this.recycle(this.memory);
      this.memory = buffer;
      this.given = buffer.subarray(0, wanted);
      await this.readInto(this.given, position);
    }
    this.givenAt = position;
    const next = position + this.given.length;
    // One long record is mostly followed by others, which a block would only be too short for.
    if (length <= blockBytes && next < end) this.begin(next);
    return this.given;
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    await this.pending?.done.catch(() => undefined);
  }

  private begin(position: number): void {
    const { blockBytes, size } = this.options;
    const buffer = this.buffer();
    const length = Math.min(blockBytes, size - position);
    const done = this.readInto(buffer.subarray(this.roomBytes, this.roomBytes + length), position);
    // Whoever reads on hears of it.
    done.catch(() => undefined);
    this.pending = { buffer, position, length, done };
  }

  private buffer(): Buffer {
    return this.spares.pop() ?? this.options.allocate(this.roomBytes + this.options.blockBytes);
  }

  private recycle(buffer: Buffer | undefined): void {
    const { spares, options, roomBytes } = this;
    if (options.keep || spares.length === mostSpares) return;
    if (buffer?.length === roomBytes + options.blockBytes) spares.push(buffer);
  }

  private async readInto(bytes: Buffer, position: number): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await this.handle.read(bytes, at, bytes.length - at, position + at);
      if (bytesRead === 0) {
        const end = position + at;
        throw new MeshError('data-loss', `${this.options.file} ends at byte ${end}; when reading began it was longer`);
      }
      at += bytesRead;
    }
  }
}
