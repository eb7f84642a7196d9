import type { FileHandle } from 'node:fs/promises';
import { isHeader } from './event-file-format.js';
import { type PathName, PathTable } from './path-table.js';
import { largeBlockBytes, recordChunks } from './record-chunks.js';
import { RecordParser } from './record-parser.js';
import type { Damage } from './recording.js';
import { type Anchor, RecordingClock } from './recording-clock.js';

/** A path of one file. */
export interface IndexedPath extends PathName {
  count: number;
  payloadBytes: number;
  firstS: number;
  lastS: number;
  firstSequence: number;
  lastSequence: number;
  missing: number;
}

/** Neighbouring records; it ends where the next block begins. */
export interface IndexBlock {
  readonly offset: number;
  /** Time of the event before it. */
  readonly beforeS: number;
  firstS: number;
  lastS: number;
  count: number;
  /** Numbers of the paths that it has events of. */
  paths: number[];
}

/** A header event at the start of the file, which may repeat one of the file before. */
export interface LeadingHeader {
  readonly path: number;
  readonly sequence: number;
  readonly payloadBytes: number;
  /** Where its record ends. */
  readonly end: number;
}

/** What an event file holds, and where; its size does not grow with that of the file. */
export interface FileIndex {
  readonly size: number;
  readonly anchor: Anchor;
  /** Whether all events have a `file/write` stamp: another anchor then only shifts the times. */
  readonly pure: boolean;
  readonly paths: readonly IndexedPath[];
  readonly blocks: readonly IndexBlock[];
  readonly headers: readonly LeadingHeader[];
  readonly damage: readonly Omit<Damage, 'file'>[];
}

export interface IndexOptions {
  readonly file: string;
  readonly size: number;
  readonly anchor: Anchor;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((readBytes: number) => void) | undefined;
}

const firstBlockBytes = 128 * 1024;
const maxBlocks = 8192;
const maxHeaders = 1000;
const maxDamage = 10_000;

/** Reads a file once, from its start to its end. Errors: `data-loss` when it is cut meanwhile. */
export async function buildIndex(handle: FileHandle, options: IndexOptions): Promise<FileIndex> {
  const { file, size, anchor, signal, onProgress } = options;
  const table = new PathTable();
  const clock = new RecordingClock(anchor);
  const parser = new RecordParser(table, clock.timeOf);
  const damage: Omit<Damage, 'file'>[] = [];
  const builder = new IndexBuilder(table);
  const onDamage = ({ file: _, ...rest }: Damage): void => addDamage(damage, rest);
  const chunks = recordChunks(handle, parser, { file, size, blockBytes: largeBlockBytes, signal, onDamage });
  for await (const { offset } of chunks) {
    builder.add(parser, offset);
    onProgress?.(offset + parser.consumed);
  }
  return { size, anchor, pure: clock.pure, ...builder.parts, damage };
}

/** The index as it is with another anchor; undefined when the file has to be read again for it. */
export function shiftIndex(index: FileIndex, anchor: Anchor): FileIndex | undefined {
  if (sameAnchor(index.anchor, anchor)) return index;
  if (!index.pure || index.anchor.clockName !== anchor.clockName) return undefined;
  const by = anchor.offsetS - index.anchor.offsetS;
  const shift = <T extends { firstS: number; lastS: number }>(one: T): T => ({
    ...one,
    firstS: one.firstS + by,
    lastS: one.lastS + by,
  });
  const blocks = index.blocks.map((block) => ({ ...shift(block), beforeS: block.beforeS + by }));
  return { ...index, anchor, paths: index.paths.map(shift), blocks };
}

export function sameAnchor(one: Anchor, other: Anchor): boolean {
  return one.clockName === other.clockName && one.offsetS === other.offsetS;
}

class IndexBuilder {
  private readonly paths: IndexedPath[] = [];
  /** Of a path in the table, its number in the index: the table also has those of events that turned out damaged. */
  private readonly numbers: (number | undefined)[] = [];
  private blocks: IndexBlock[] = [];
  private readonly headers: LeadingHeader[] = [];
  private leading = true;
  private blockBytes = firstBlockBytes;
  private block: IndexBlock | undefined;
  /** The last block that each path was entered into. */
  private readonly entered: (IndexBlock | undefined)[] = [];
  private beforeS = 0;

  constructor(private readonly table: PathTable) {}

  get parts(): Pick<FileIndex, 'paths' | 'blocks' | 'headers'> {
    for (const block of this.blocks) block.paths.sort((one, other) => one - other);
    return { paths: this.paths, blocks: this.blocks, headers: this.headers };
  }

  /** Takes the records that the parser has found behind `offset`. */
  add(parser: RecordParser, offset: number): void {
    const { starts, eventEnds, ends, paths, sequences, times, count } = parser;
    for (let row = 0; row < count; row++) {
      const timeS = times[row]!;
      const number = this.numbers[paths[row]!] ?? this.addPath(paths[row]!, sequences[row]!, timeS);
      const start = offset + starts[row]!;
      const payloadBytes = ends[row]! - eventEnds[row]!;
      const sequence = sequences[row]!;
      let { block } = this;
      if (block === undefined || start - block.offset >= this.blockBytes) block = this.begin(start);
      block.count += 1;
      if (timeS < block.firstS) block.firstS = timeS;
      if (timeS > block.lastS) block.lastS = timeS;
      if (this.entered[number] !== block) {
        this.entered[number] = block;
        block.paths.push(number);
      }
      const path = this.paths[number]!;
      path.count += 1;
      path.payloadBytes += payloadBytes;
      if (timeS < path.firstS) path.firstS = timeS;
      if (timeS > path.lastS) path.lastS = timeS;
      // One that goes back is of a publisher that began again.
      if (sequence > path.lastSequence + 1) path.missing += sequence - path.lastSequence - 1;
      path.lastSequence = sequence;
      this.beforeS = timeS;
      if (this.leading) this.addHeader({ path: number, sequence, payloadBytes, end: offset + ends[row]! });
    }
  }

  private begin(offset: number): IndexBlock {
    if (this.blocks.length >= maxBlocks) this.halve();
    const { beforeS } = this;
    const block = {
      offset,
      beforeS,
      firstS: Number.POSITIVE_INFINITY,
      lastS: Number.NEGATIVE_INFINITY,
      count: 0,
      paths: [],
    };
    this.blocks.push(block);
    this.block = block;
    return block;
  }

  /** Joins blocks two by two. */
  private halve(): void {
    this.blockBytes *= 2;
    const joined: IndexBlock[] = [];
    for (let index = 0; index < this.blocks.length; index += 2) {
      const one = this.blocks[index]!;
      const other = this.blocks[index + 1];
      if (other !== undefined) {
        one.firstS = Math.min(one.firstS, other.firstS);
        one.lastS = Math.max(one.lastS, other.lastS);
        one.count += other.count;
        one.paths = [...new Set([...one.paths, ...other.paths])];
      }
      joined.push(one);
    }
    this.blocks = joined;
  }

  private addPath(tableNumber: number, sequence: number, timeS: number): number {
    const number = this.paths.length;
    this.paths.push({
      ...this.table.names[tableNumber]!,
      count: 0,
      payloadBytes: 0,
      firstS: timeS,
      lastS: timeS,
      firstSequence: sequence,
      lastSequence: sequence,
      missing: 0,
    });
    this.numbers[tableNumber] = number;
    return number;
  }

  private addHeader(header: LeadingHeader): void {
    if (isHeader(this.paths[header.path]!.path) && this.headers.length < maxHeaders) this.headers.push(header);
    else this.leading = false;
  }
}

function addDamage(all: Omit<Damage, 'file'>[], next: Omit<Damage, 'file'>): void {
  const last = all.at(-1);
  if (all.length < maxDamage || last === undefined) all.push(next);
  else {
    const bytes = next.offset + next.bytes - last.offset;
    all[all.length - 1] = { ...last, bytes, kind: next.kind, reason: 'this and all damage behind it' };
  }
}
