import type { FileHandle } from 'node:fs/promises';
import { viewOf } from './bytes-part.js';
import { lengthBytes } from './event-file-format.js';
import { findRecord } from './find-record.js';
import { ReadAhead } from './read-ahead.js';
import { beginsRecord, type RecordParser } from './record-parser.js';
import type { Damage } from './recording.js';
import { throwIfAborted } from './throw-if-aborted.js';

const usualBlockBytes = 256 * 1024;
/** For whoever reads one file alone: fewer turns of the event loop, each of which costs a wait. */
export const largeBlockBytes = 1 << 20;

export interface ChunkOptions {
  /** Name of the file, for what is said of it. */
  readonly file: string;
  /** Where the first record begins. Default 0. */
  readonly start?: number;
  /** Where records may begin no more, itself the start of a record or the end of the file. Default: `size`. */
  readonly end?: number;
  /** Bytes of the file that count; what a recorder adds meanwhile does not. */
  readonly size: number;
  /** How much is read at once. Default 256 kB. */
  readonly blockBytes?: number;
  /** Whether the bytes of a chunk stay as they are when the next comes. Default false: they are used again. */
  readonly keep?: boolean;
  /** Gives memory for a block; two are needed where none is kept. Default: ordinary memory. */
  readonly allocate?: (bytes: number) => Buffer;
  readonly signal?: AbortSignal | undefined;
  readonly onDamage?: ((damage: Damage) => void) | undefined;
}

/** Bytes of a file whose records stand in the columns of the parser until the next chunk comes. */
export interface RecordChunk {
  readonly bytes: Buffer;
  /** Where in the file the bytes begin. */
  readonly offset: number;
}

/**
 * Reads an event file chunk by chunk in bounded memory: a block, or one record where that is longer. What is no record
 * is told to `onDamage`, and reading goes on at the next that is one.
 * Errors: `data-loss` when the file is shorter than it was; `cancelled`.
 */
export async function* recordChunks(
  handle: FileHandle,
  parser: RecordParser,
  options: ChunkOptions,
): AsyncGenerator<RecordChunk, void> {
  const { file, size, start = 0, end = size, keep = false, signal, onDamage } = options;
  const { allocate = Buffer.allocUnsafeSlow } = options;
  const blockBytes = Math.min(options.blockBytes ?? usualBlockBytes, size);
  const reader = new ReadAhead(handle, { file, size, end, blockBytes, keep, allocate });
  let position = start;
  let neededBytes = 0;
  let trusted = -1;
  try {
    while (position < end) {
      throwIfAborted(signal);
      const bytes = await reader.read(position, neededBytes);
      const offset = position;
      const stop = parser.parse(bytes, end - offset, size - offset, trusted - offset);
      position += parser.consumed;
      neededBytes = 0;
      if (parser.count > 0) yield { bytes, offset };
      if (stop.kind === 'more') neededBytes = stop.neededBytes;
      if (stop.kind === 'suspect' || (stop.kind === 'more' && neededBytes > blockBytes && position !== trusted)) {
        const { start: from = 0, end: to = 0 } = stop.payload ?? {};
        // A wrong length must not make us read a gigabyte for one record.
        if (stop.kind === 'more' && (to === 0 || (await mayBegin(handle, offset + to, size)))) continue;
        const inside = await findRecord(handle, { from: offset + from, to: offset + to, size, signal });
        if (inside === undefined) trusted = position;
        else {
          report(position, inside, 'its payload_length is wrong: other records begin within');
          position = inside;
          neededBytes = 0;
        }
      } else if (stop.kind === 'damage') {
        const next = (await findRecord(handle, { from: position + 1, to: end, size, signal })) ?? end;
        report(position, next, stop.reason);
        position = next;
      }
    }
  } finally {
    await reader.close();
  }

  function report(from: number, to: number, reason: string): void {
    onDamage?.({ file, offset: from, bytes: to - from, kind: to === size ? 'tail' : 'middle', reason });
  }
}

async function mayBegin(handle: FileHandle, at: number, size: number): Promise<boolean> {
  if (at >= size) return true;
  const length = Math.min(lengthBytes + 1, size - at);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
  return beginsRecord(viewOf(buffer), 0, bytesRead);
}
