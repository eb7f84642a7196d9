import { MeshError } from '../../base/errors.js';
import { viewOf } from '../bytes-part.js';
import type { Damage } from '../recording.js';
import { chunkRecords, readChunkHead } from './chunk-record.js';
import { findChunk } from './find-chunk.js';
import type { McapSection, OnDamage } from './indexed-sections.js';
import type { McapFile } from './mcap-file.js';
import { magic, opcode, recordHeadBytes } from './mcap-format.js';
import { type RecordPlace, readRecordHead } from './record-walk.js';

const windowBytes = 4 << 20;

/**
 * All that a file without a usable summary holds, from its start to its end or to where it breaks off. What is no
 * record is told to `onDamage`; reading goes on at the next chunk.
 */
export async function* scannedSections(file: McapFile, onDamage: OnDamage): AsyncGenerator<McapSection, void> {
  const { size } = file;
  const report = (from: number, to: number, reason: string): void => {
    const kind: Damage['kind'] = to === size ? 'tail' : 'middle';
    onDamage({ file: file.file, offset: from, bytes: to - from, kind, reason });
  };
  let position = await behindMagic(file);
  let neededBytes = 0;
  while (position < size) {
    const bytes = await file.read(position, Math.min(Math.max(windowBytes, neededBytes), size - position));
    const window = new RecordWindow(bytes, position, size);
    for (let found = window.next(); found !== undefined; found = window.next()) {
      if (found.kind === 'end') {
        if (!(await endsInMagic(file))) report(found.end, size, 'its summary is not whole');
        return;
      }
      const section = found.kind === 'records' ? found : await sectionOf(found);
      if (section instanceof MeshError) report(found.offset, found.end, section.message);
      else yield section;
    }
    position = window.position;
    neededBytes = window.neededBytes;
    const { trouble } = window;
    if (trouble === undefined) continue;
    const next = await findChunk(file, position + 1);
    const torn = next === undefined && window.isChunk ? await tornChunk(file, position) : undefined;
    if (torn !== undefined) {
      // Whoever reads it says where its last whole record ends.
      yield torn;
      return;
    }
    report(position, next ?? size, trouble);
    if (next === undefined) return;
    position = next;
  }
  report(size, size, 'it has no end, since it was not closed');
}

interface Found extends McapSection {
  readonly kind: 'records' | 'chunk' | 'end';
}

/** Splits a part of the file at its top level: runs of messages, chunks, and what is passed over. */
class RecordWindow {
  /** Bytes that the record at `position` needs to be read as a whole; 0 for what any window does. */
  neededBytes = 0;
  /** Why no record can be read at `position`. */
  trouble: string | undefined;
  /** Whether that would be a chunk. */
  isChunk = false;
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private readonly offset: number;
  private readonly size: number;
  private readonly place: RecordPlace = { code: 0, start: 0, end: 0 };
  private at = 0;

  constructor(bytes: Buffer, offset: number, size: number) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.offset = offset;
    this.size = size;
  }

  /** Where in the file the next record begins. */
  get position(): number {
    return this.offset + this.at;
  }

  /** What comes next as a whole; undefined when this window has no more. */
  next(): Found | undefined {
    const { bytes, place } = this;
    const runStart = this.at;
    while (this.read()) {
      const { code, start, end } = place;
      if (code === opcode.message || code === opcode.schema || code === opcode.channel) {
        this.at = end;
        continue;
      }
      if (this.at > runStart) break;
      if (code === opcode.dataEnd) return this.found('end', start, end);
      if (code === opcode.chunk) return this.found('chunk', start, end);
      this.at = end;
      return this.next();
    }
    return this.at > runStart
      ? this.foundAt('records', runStart, this.at, bytes.subarray(runStart, this.at))
      : undefined;
  }

  /** Whether a record that this window can deal with begins here. */
  private read(): boolean {
    const { bytes, place, offset, size, at } = this;
    if (at >= bytes.length) return false;
    if (!readRecordHead(this.view, at, place)) {
      if (offset + at + recordHeadBytes > size) this.trouble = 'its last record is not whole';
      return false;
    }
    const { code, end } = place;
    this.isChunk = code === opcode.chunk;
    if (code === 0 || (code > opcode.dataEnd && code < 0x80)) this.trouble = `a record of the unknown kind ${code}`;
    else if (offset + end > size)
      this.trouble = `a record that needs ${end - at} bytes; the file has ${size - offset - at}`;
    else if (end > bytes.length && isRead(code)) this.neededBytes = end - at;
    else return true;
    return false;
  }

  private found(kind: Found['kind'], start: number, end: number): Found {
    const from = this.at;
    this.at = end;
    return this.foundAt(kind, from, end, this.bytes.subarray(start, end));
  }

  private foundAt(kind: Found['kind'], from: number, to: number, records: Buffer): Found {
    return { kind, records, offset: this.offset + from, end: this.offset + to };
  }
}

/** Attachments, indexes and what else there may be is passed over, however long. */
function isRead(code: number): boolean {
  return code === opcode.message || code === opcode.schema || code === opcode.channel || code === opcode.chunk;
}

async function sectionOf({ records, offset, end }: Found): Promise<McapSection | MeshError> {
  try {
    return { records: await chunkRecords(records), offset, end };
  } catch (error) {
    return MeshError.from(error, 'data-loss');
  }
}

/** What there is of a chunk at the end of the file; undefined when that cannot be read, since it is compressed. */
async function tornChunk(file: McapFile, position: number): Promise<McapSection | undefined> {
  const bytes = await file.read(position, file.size - position);
  try {
    const { compression, recordsAt } = readChunkHead(bytes.subarray(recordHeadBytes));
    if (compression !== '') return undefined;
    return { records: bytes.subarray(recordHeadBytes + recordsAt), offset: position, end: file.size, isTorn: true };
  } catch {
    return undefined;
  }
}

async function behindMagic(file: McapFile): Promise<number> {
  const bytes = await file.read(0, Math.min(magic.length, file.size));
  // What is there instead is damage, which the scan finds.
  return bytes.equals(magic) ? magic.length : 0;
}

async function endsInMagic(file: McapFile): Promise<boolean> {
  return file.size >= magic.length && (await file.read(file.size - magic.length, magic.length)).equals(magic);
}
