import { type FileHandle, open } from 'node:fs/promises';
import { McapIndexedReader, type McapTypes } from '@mcap/core';
import { MeshError } from '../../base/errors.js';
import { diskError } from '../recording-disk.js';

/** An MCAP file that is open for reading, and its summary, if it has one that can be used. */
export class McapFile {
  readonly file: string;
  readonly size: number;
  /** Undefined for a file that was not closed, as after a crash, or that has no chunks and their indexes. */
  readonly index: McapIndexedReader | undefined;
  private readonly handle: FileHandle;

  private constructor(file: string, size: number, handle: FileHandle, index: McapIndexedReader | undefined) {
    this.file = file;
    this.size = size;
    this.handle = handle;
    this.index = index;
  }

  /** Errors: `not-found`, `permission-denied`, `internal`. */
  static async open(file: string): Promise<McapFile> {
    try {
      const handle = await open(file, 'r');
      const { size } = await handle.stat();
      return new McapFile(file, size, handle, await readIndex(handle, size));
    } catch (error) {
      throw diskError(error, `read ${file}`);
    }
  }

  /**
   * The bytes from `offset` on, in `target` where that is long enough, else in a buffer of their own.
   * Errors: `data-loss` when the file ends before.
   */
  async read(offset: number, length: number, target?: Buffer): Promise<Buffer> {
    const bytes = await readBytes(this.handle, offset, length, target);
    if (bytes.length === length) return bytes;
    throw new MeshError('data-loss', `${this.file} ends at byte ${offset + bytes.length}; it was longer before`);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

async function readIndex(handle: FileHandle, size: number): Promise<McapIndexedReader | undefined> {
  try {
    const readable: McapTypes.IReadable = {
      size: async () => BigInt(size),
      read: (offset, length) => {
        if (offset + length > BigInt(size)) throw new Error(`a length of ${length} bytes`);
        return readBytes(handle, Number(offset), Number(length));
      },
    };
    const index = await McapIndexedReader.Initialize({ readable });
    const { statistics, chunkIndexes } = index;
    // Messages outside of chunks are in no index.
    const isWhole = statistics === undefined ? chunkIndexes.length > 0 : statistics.chunkCount === chunkIndexes.length;
    return isWhole && (chunkIndexes.length > 0 || statistics?.messageCount === 0n) ? index : undefined;
  } catch {
    // Whatever is wrong with it, the data can be read from the start.
    return undefined;
  }
}

async function readBytes(handle: FileHandle, offset: number, length: number, target?: Buffer): Promise<Buffer> {
  const bytes = target !== undefined && target.length >= length ? target : Buffer.allocUnsafeSlow(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
