import type { McapFile } from './mcap-file.js';
import { chunkHeadBytes, opcode, recordHeadBytes } from './mcap-format.js';

const windowBytes = 1 << 20;
const longestCompression = 8;
/** Up to and with the length of the records. */
const headBytes = recordHeadBytes + chunkHeadBytes + 4 + longestCompression + 8;

/** Where the first chunk at or behind `from` begins; undefined when there is none. */
export async function findChunk(file: McapFile, from: number): Promise<number | undefined> {
  let position = from;
  while (position + recordHeadBytes + chunkHeadBytes < file.size) {
    const bytes = await file.read(position, Math.min(windowBytes + headBytes, file.size - position));
    const end = Math.min(windowBytes, bytes.length);
    for (let at = bytes.indexOf(opcode.chunk); at >= 0 && at < end; at = bytes.indexOf(opcode.chunk, at + 1)) {
      if (beginsChunk(bytes, at, file.size - position)) return position + at;
    }
    position += end;
  }
  return undefined;
}

/** A chunk tells its length twice, which bytes by chance do not. */
function beginsChunk(bytes: Buffer, at: number, leftBytes: number): boolean {
  const compressionAt = at + recordHeadBytes + chunkHeadBytes;
  if (compressionAt + 4 > bytes.length) return false;
  const compression = bytes.readUInt32LE(compressionAt);
  const recordsAt = compressionAt + 4 + compression;
  if (compression > longestCompression || recordsAt + 8 > bytes.length) return false;
  const length = uint64(bytes, at + 1);
  return recordsAt + 8 + uint64(bytes, recordsAt) === at + recordHeadBytes + length && at + length <= leftBytes;
}

function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x100000000;
}
