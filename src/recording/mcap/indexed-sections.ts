import type { McapTypes } from '@mcap/core';
import { MeshError } from '../../base/errors.js';
import { viewOf } from '../bytes-part.js';
import type { Damage } from '../recording.js';
import { chunkRecords } from './chunk-record.js';
import type { McapFile } from './mcap-file.js';
import { opcode, recordHeadBytes } from './mcap-format.js';
import { secondsOfNanos } from './nanos.js';
import { type RecordPlace, readRecordHead } from './record-walk.js';

/** Schemas, channels and messages, one behind the other: the records of a chunk, or some that stand in none. */
export interface McapSection {
  readonly records: Buffer;
  /** Where in the file they come from, and where that ends. */
  readonly offset: number;
  readonly end: number;
  /** The file breaks off within it. */
  readonly isTorn?: boolean;
}

export type OnDamage = (damage: Damage) => void;

export interface IndexedSectionsOptions {
  /** Which chunks are read. */
  readonly wants: (chunk: McapTypes.ChunkIndex) => boolean;
  /** Whether a section's memory is used again when the next is asked for. */
  readonly lend: boolean;
  /** Gives memory for sections that are lent. Default: ordinary memory. */
  readonly allocate?: ((bytes: number) => Buffer) | undefined;
  readonly onDamage: OnDamage;
}

/** The chunks that the index names and are wanted, in the order of the file; the next is read ahead. */
export async function* indexedSections(
  file: McapFile,
  { wants, lend, allocate = Buffer.allocUnsafeSlow, onDamage }: IndexedSectionsOptions,
): AsyncGenerator<McapSection, void> {
  const chunks = [...(file.index?.chunkIndexes ?? [])]
    .filter(wants)
    .sort((one, other) => Number(one.chunkStartOffset - other.chunkStartOffset));
  // One is looked through while the other is filled.
  const lent: [Buffer | undefined, Buffer | undefined] = [undefined, undefined];
  const target = (turn: number, length: number): Buffer | undefined => {
    if (!lend) return undefined;
    const place = turn % 2;
    const had = lent[place];
    if (had === undefined || had.length < length) lent[place] = allocate(length + (length >> 3));
    return lent[place];
  };
  const read = (index: number): Promise<Buffer | MeshError> | undefined => {
    const chunk = chunks[index];
    if (chunk === undefined) return undefined;
    const [offset, length] = [Number(chunk.chunkStartOffset), Number(chunk.chunkLength)];
    if (offset + length > file.size) return Promise.resolve(new MeshError('data-loss', 'a chunk behind the end'));
    return file.read(offset, length, target(index, length)).catch((error) => MeshError.from(error, 'internal'));
  };
  let next = read(0);
  try {
    for (const [index, chunk] of chunks.entries()) {
      const bytes = await next;
      next = read(index + 1);
      const offset = Number(chunk.chunkStartOffset);
      const end = offset + Number(chunk.chunkLength);
      try {
        if (bytes === undefined || bytes instanceof MeshError) throw bytes;
        const place: RecordPlace = { code: 0, start: 0, end: 0 };
        if (!readRecordHead(viewOf(bytes), 0, place) || place.code !== opcode.chunk || place.end !== bytes.length) {
          throw new MeshError('data-loss', 'its index says that a chunk is here, but there is none');
        }
        yield { records: await chunkRecords(bytes.subarray(recordHeadBytes)), offset, end };
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'data-loss') throw error;
        onDamage({ file: file.file, offset, bytes: end - offset, kind: 'middle', reason: error.message });
      }
    }
  } finally {
    // Nothing may be read any more when the file is closed.
    await next;
  }
}

/** Whether a chunk has messages from `fromS` on and before `toS`, Unix seconds. */
export function chunkOverlaps(chunk: McapTypes.ChunkIndex, fromS: number, toS: number): boolean {
  return secondsOfNanos(chunk.messageEndTime) >= fromS && secondsOfNanos(chunk.messageStartTime) < toS;
}
