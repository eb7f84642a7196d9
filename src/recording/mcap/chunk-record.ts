import { crc32 } from 'node:zlib';
import type { McapTypes } from '@mcap/core';
import { MeshError } from '../../base/errors.js';
import { chunkHeadBytes } from './mcap-format.js';
import { RecordFields } from './record-fields.js';

// A chunk is held as a whole. Common ones have a few MB.
const mostUncompressedBytes = 2 ** 30;

export interface ChunkHead {
  readonly uncompressedBytes: number;
  readonly crc: number;
  readonly compression: string;
  /** Where in the content the records begin, and how many bytes they have there. */
  readonly recordsAt: number;
  readonly recordsBytes: number;
}

/** Reads the start of a chunk's content. Errors: `data-loss`. */
export function readChunkHead(content: Buffer): ChunkHead {
  const fields = new RecordFields(content);
  fields.raw(16);
  const [uncompressedBytes, crc, compression, recordsBytes] = [
    fields.uint64(),
    fields.uint32(),
    fields.text(),
    fields.uint64(),
  ];
  const recordsAt = chunkHeadBytes + 4 + Buffer.byteLength(compression) + 8;
  if (uncompressedBytes > mostUncompressedBytes) {
    throw new MeshError(
      'data-loss',
      `a chunk of ${uncompressedBytes} bytes; at most ${mostUncompressedBytes} are read`,
    );
  }
  return { uncompressedBytes, crc, compression, recordsAt, recordsBytes };
}

/** The records of a chunk, checked and uncompressed. Errors: `data-loss`. */
export async function chunkRecords(content: Buffer): Promise<Buffer> {
  const head = readChunkHead(content);
  const { recordsAt, recordsBytes, compression, uncompressedBytes, crc } = head;
  if (recordsAt + recordsBytes > content.length) {
    throw new MeshError('data-loss', `a chunk says it has ${recordsBytes} bytes of records; it has fewer`);
  }
  const stored = content.subarray(recordsAt, recordsAt + recordsBytes);
  const records = compression === '' ? stored : await decompress(stored, compression, uncompressedBytes);
  if (records.length !== uncompressedBytes) {
    throw new MeshError('data-loss', `a chunk of ${uncompressedBytes} bytes has ${records.length}`);
  }
  // 0 stands for none.
  if (crc !== 0 && crc32(records) !== crc) throw new MeshError('data-loss', 'a chunk whose checksum is wrong');
  return records;
}

async function decompress(stored: Buffer, compression: string, bytes: number): Promise<Buffer> {
  // Megabytes of WebAssembly, which most files do not need.
  const { loadDecompressHandlers } = await import('@mcap/support');
  const handlers: McapTypes.DecompressHandlers = await loadDecompressHandlers();
  const handler = Object.hasOwn(handlers, compression) ? handlers[compression] : undefined;
  if (handler === undefined) {
    throw new MeshError('data-loss', `a chunk that is compressed with "${compression}"; lz4, zstd and bz2 can be read`);
  }
  try {
    const records = handler(stored, BigInt(bytes));
    return Buffer.from(records.buffer, records.byteOffset, records.byteLength);
  } catch (error) {
    throw new MeshError('data-loss', `a chunk that ${compression} cannot read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
