import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EventMemo } from '../messages/event-memo.js';
import { type EventDecoder, MeshEvent } from '../messages/mesh-event.js';
import type { TypeRegistry } from '../messages/registry.js';
import { lengthBytes, partOf } from './event-file-format.js';
import { buildIndex, type FileIndex, sameAnchor, shiftIndex } from './event-file-index.js';
import { loadIndex, saveIndex } from './index-file.js';
import { type IndexedFile, mergeIndexes } from './merge-indexes.js';
import { checkPatterns, pathKey, pathMatcher } from './path-patterns.js';
import { PathTable } from './path-table.js';
import { recordChunks } from './record-chunks.js';
import { RecordParser } from './record-parser.js';
import type { ReadOptions, RecordedEvent, RecordingReader, RecordingSummary } from './recording.js';
import { type Anchor, noAnchor, RecordingClock, readAnchor } from './recording-clock.js';
import { diskError } from './recording-disk.js';
import { throwIfAborted } from './throw-if-aborted.js';

export interface EventFileReaderOptions {
  readonly registry: TypeRegistry;
  /** Told of each look at a payload of a type that the registry does not know. */
  readonly unknownType?: (type: string) => void;
}

/** Neighbouring blocks of one file that are to be read. */
interface Range {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly size: number;
  readonly anchor: Anchor;
  /** Time of the event before. */
  readonly beforeS: number;
}

interface Wanted {
  readonly ranges: readonly Range[];
  readonly fromS: number;
  readonly toS: number;
}

const everything = { fromS: Number.NEGATIVE_INFINITY, toS: Number.POSITIVE_INFINITY };

/**
 * Reads event files: those of furrow, and those of farm-ng's programs. A file that is being written is read to its last
 * whole record. For parts of a recording (`startS`, `endS`, `paths`, or several files) an index is made once and kept
 * beside each file as `FILE.idx`.
 */
export class EventFileReader implements RecordingReader {
  readonly files: readonly string[];
  private readonly decoder: EventDecoder;
  private indexed: Promise<{ readonly files: readonly IndexedFile[]; readonly summary: RecordingSummary }> | undefined;

  /** `files`: one, or the parts of a recording in order. They are opened when they are read. */
  constructor(files: readonly string[], options: EventFileReaderOptions) {
    this.files = files;
    const { registry, unknownType = () => undefined } = options;
    this.decoder = { registry, unknownType, memo: new EventMemo() };
  }

  /** The files as they were when their index was first needed. Errors: as `batches`. */
  async summary(options: Pick<ReadOptions, 'signal' | 'onProgress'> = {}): Promise<RecordingSummary> {
    return (await this.index(options)).summary;
  }

  /**
   * Errors: `not-found` for a file that is not there or a pattern that means no path, `permission-denied`, `data-loss`
   * when a file is cut while it is read, `internal`, `cancelled`.
   */
  async *batches(options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[], void> {
    const { signal, onProgress, onDamage, paths: patterns, lend = false } = options;
    throwIfAborted(signal);
    const { ranges, fromS, toS } = await this.wanted(options);
    const matches = pathMatcher(patterns);
    const totalBytes = ranges.reduce((total, { start, end }) => total + end - start, 0);
    let doneBytes = 0;
    for (const range of ranges) {
      const table = new PathTable();
      const chosen: boolean[] = [];
      const clock = new RecordingClock(range.anchor);
      clock.lastS = range.beforeS;
      const parser = new RecordParser(table, clock.timeOf);
      const handle = await openFile(range.file);
      try {
        const chunks = recordChunks(handle, parser, { ...range, keep: !lend, signal, onDamage });
        for await (const { bytes, offset } of chunks) {
          const batch: RecordedEvent[] = [];
          for (let row = 0; row < parser.count; row++) {
            const timeS = parser.times[row]!;
            if (!(timeS >= fromS && timeS < toS)) continue;
            const path = parser.paths[row]!;
            chosen[path] ??= matches(pathKey(table.names[path]!));
            if (!chosen[path]) continue;
            const eventEnd = parser.eventEnds[row]!;
            const place = {
              eventStart: parser.starts[row]! + lengthBytes,
              eventEnd,
              payloadStart: eventEnd,
              payloadEnd: parser.ends[row]!,
            };
            const publisher = table.names[path]!.service;
            batch.push({ event: MeshEvent.within(bytes, place, this.decoder, { publisher }), timeS });
          }
          const readBytes = doneBytes + offset + parser.consumed - range.start;
          if (batch.length > 0) yield batch;
          onProgress?.(readBytes, totalBytes);
        }
      } finally {
        await handle.close();
      }
      doneBytes += range.end - range.start;
    }
  }

  /** Nothing is held between calls; can be called twice. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async wanted(options: ReadOptions): Promise<Wanted> {
    const { startS = 0, endS, paths: patterns, signal } = options;
    const allPaths = patterns === undefined || patterns.includes('*');
    const [file] = this.files;
    if (this.files.length === 1 && startS <= 0 && endS === undefined && allPaths) {
      const { size, anchor } = await this.look(file!, noAnchor, signal);
      return { ranges: [{ file: file!, start: 0, end: size, size, anchor, beforeS: 0 }], ...everything };
    }
    const { files, summary } = await this.index({ ...(signal === undefined ? {} : { signal }) });
    checkPatterns(patterns, summary.paths);
    const fromS = startS <= 0 ? everything.fromS : summary.firstS + startS;
    const toS = endS === undefined ? everything.toS : summary.firstS + endS;
    return {
      ranges: files.flatMap((one) => rangesOf(one, { fromS, toS, matches: pathMatcher(patterns) })),
      fromS,
      toS,
    };
  }

  private index(options: Pick<ReadOptions, 'signal' | 'onProgress'>) {
    this.indexed ??= this.makeIndex(options).catch((error: unknown) => {
      // What was interrupted can be asked for again.
      this.indexed = undefined;
      throw error;
    });
    return this.indexed;
  }

  private async makeIndex({ signal, onProgress }: Pick<ReadOptions, 'signal' | 'onProgress'>) {
    const looks: Look[] = [];
    let base: string | undefined;
    let anchor = noAnchor;
    for (const file of this.files) {
      const own = partOf(file)?.base ?? file;
      const look = await this.look(file, own === base ? anchor : noAnchor, signal);
      looks.push(look);
      ({ anchor } = look);
      base = own;
    }
    const totalBytes = looks.reduce((total, { size }) => total + size, 0);
    const parts: { file: string; index: FileIndex }[] = [];
    let doneBytes = 0;
    for (const look of looks) {
      const before = doneBytes;
      const index = await indexOf(look, signal, (bytes) => onProgress?.(before + bytes, totalBytes));
      parts.push({ file: look.file, index });
      doneBytes += look.size;
    }
    return mergeIndexes(parts);
  }

  /** How a file is now; its anchor is that of the file before, where it continues that one. */
  private async look(file: string, before: Anchor, signal: AbortSignal | undefined): Promise<Look> {
    const handle = await openFile(file);
    try {
      const stats = await handle.stat({ bigint: true });
      const size = Number(stats.size);
      const anchor = sameAnchor(before, noAnchor) ? await readAnchor(handle, { file, size, signal }) : before;
      return { file, size, stats, anchor };
    } finally {
      await handle.close();
    }
  }
}

interface Look {
  readonly file: string;
  readonly size: number;
  readonly stats: BigIntStats;
  readonly anchor: Anchor;
}

async function indexOf(
  { file, size, stats, anchor }: Look,
  signal: AbortSignal | undefined,
  onProgress: (bytes: number) => void,
): Promise<FileIndex> {
  const kept = await loadIndex(file, stats);
  const shifted = kept === undefined ? undefined : shiftIndex(kept, anchor);
  if (shifted !== undefined) return shifted;
  const handle = await openFile(file);
  try {
    const index = await buildIndex(handle, { file, size, anchor, signal, onProgress });
    await saveIndex(file, index, stats);
    return index;
  } finally {
    await handle.close();
  }
}

function rangesOf(
  { file, index, start: first }: IndexedFile,
  wanted: { readonly fromS: number; readonly toS: number; readonly matches: (key: string) => boolean },
): Range[] {
  const { blocks, size, anchor, paths } = index;
  const chosen = paths.map((path) => wanted.matches(pathKey(path)));
  const ranges: Range[] = [];
  for (const [number, block] of blocks.entries()) {
    const end = blocks[number + 1]?.offset ?? size;
    const start = Math.max(block.offset, first);
    if (start >= end || block.lastS < wanted.fromS || block.firstS >= wanted.toS) continue;
    if (!block.paths.some((path) => chosen[path])) continue;
    const last = ranges.at(-1);
    if (last?.end === start) ranges[ranges.length - 1] = { ...last, end };
    else ranges.push({ file, start, end, size, anchor, beforeS: block.beforeS });
  }
  return ranges;
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw diskError(error, `read ${file}`);
  }
}
