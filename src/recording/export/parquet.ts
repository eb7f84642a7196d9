import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { MeshError } from '../../base/errors.js';
import { toJson } from '../../messages/json.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
import { NanoDate } from '../../messages/natural.js';
import { AppendingFile } from '../appending-file.js';
import type { RecordedEvent } from '../recording.js';
import { nodeDisk } from '../recording-disk.js';
import { textOf } from './csv.js';
import { type Cell, flatten, JsonCell } from './flatten.js';
import { AnyCells, NumberCells, type ParquetCells } from './parquet-cells.js';
import type { RecordingExport } from './recording-export.js';
import type { Column, ColumnKind } from './table-columns.js';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

/** The columns before those of the message. */
const eventColumns: readonly Column[] = [
  { name: 'time', kind: 'time' },
  { name: 'sequence', kind: 'int64' },
];

// A row group is gathered in memory, those of all tables together at most so much; readers like groups of such sizes.
const mostRows = 50_000;
const mostCells = 150_000;
const mostBytes = 16_000_000;
const fewestRows = 100;

export interface ParquetOptions {
  /** Kept in the file as metadata. */
  readonly about: Readonly<Record<string, string>>;
  /** Tables that are written at the same time, which share the memory. Default 1. */
  readonly tables?: number;
}

/**
 * A Parquet file of the events of one path: `time` (when it was recorded), `sequence`, and the fields of the message; a
 * field of that name gets `message.` before it. 64-bit integers are INT64, times microseconds of UTC; lists, and
 * fields that hold now this and now that, are text. Events whose payload is not of its type are left out and counted.
 */
export class ParquetExport implements RecordingExport {
  /** Events that were left out. */
  undecoded = 0;
  private readonly output: AppendingFile;
  private readonly bytes = new ByteWriter(1 << 16);
  private readonly parquet: ParquetWriter;
  private readonly columns: readonly Column[];
  private readonly places: ReadonlyMap<string, number>;
  private readonly names: readonly string[];
  private readonly mostRows: number;
  private readonly mostBytes: number;
  /** The columns before those of the message: what lives as long as a group should not be objects. */
  private readonly times: BigInt64Array;
  private readonly sequences: BigInt64Array;
  private readonly cells: readonly ParquetCells[];
  private rows = 0;
  private gatheredBytes = 0;

  private constructor(output: AppendingFile, columns: readonly Column[], { about, tables = 1 }: ParquetOptions) {
    this.output = output;
    this.columns = [...eventColumns, ...columns];
    this.names = this.columns.map(({ name }, index) =>
      index >= eventColumns.length && eventColumns.some((column) => column.name === name) ? `message.${name}` : name,
    );
    this.places = new Map(columns.map(({ name }, index) => [name, index]));
    const rows = Math.floor(mostCells / tables / this.columns.length);
    this.mostRows = Math.max(fewestRows, Math.min(mostRows, rows));
    this.mostBytes = mostBytes / tables;
    this.times = new BigInt64Array(this.mostRows);
    this.sequences = new BigInt64Array(this.mostRows);
    this.cells = columns.map(({ kind }) => (kind === 'double' ? new NumberCells(this.mostRows) : new AnyCells()));
    const schema: SchemaElement[] = [{ name: 'root', num_children: this.columns.length }];
    for (const [index, { kind }] of this.columns.entries()) {
      const repetition = index < eventColumns.length ? 'REQUIRED' : 'OPTIONAL';
      schema.push({ name: this.names[index]!, repetition_type: repetition, ...elementOf(kind) });
    }
    const kvMetadata = Object.entries(about).map(([key, value]) => ({ key, value }));
    this.parquet = new ParquetWriter({ writer: this.bytes, schema, kvMetadata, createdBy: 'furrow' });
  }

  /** Makes the file. Errors: those of `AppendingFile.create`. */
  static async create(file: string, columns: readonly Column[], options: ParquetOptions): Promise<ParquetExport> {
    return new ParquetExport(await AppendingFile.create(file, nodeDisk), columns, options);
  }

  get file(): string {
    return this.output.file;
  }

  async write(events: readonly RecordedEvent[]): Promise<void> {
    for (const { event, timeS } of events) {
      this.add(event, timeS);
      if (this.rows >= this.mostRows || this.gatheredBytes >= this.mostBytes) await this.writeGroup();
    }
  }

  async close(): Promise<void> {
    await this.writeGroup();
    await this.parquet.finish();
    await this.flush();
    await this.output.sync();
    await this.output.close();
  }

  abandon(): Promise<void> {
    return this.output.close();
  }

  private add(event: MeshEvent, timeS: number): void {
    const { rows, cells } = this;
    try {
      const { message } = event;
      for (const column of cells) column.set(rows, undefined);
      this.times[rows] = BigInt(Math.round(timeS * 1e6));
      this.sequences[rows] = BigInt(event.sequence);
      flatten(message, (name, cell) => {
        const place = this.places.get(name);
        if (place !== undefined)
          cells[place]!.set(rows, cellValue(cell, this.columns[place + eventColumns.length]!.kind));
      });
    } catch (error) {
      // Only what decoding says; a fault of ours is none of the payload's.
      if (!(error instanceof MeshError)) throw error;
      this.undecoded++;
      return;
    }
    this.rows++;
    this.gatheredBytes += event.payload.length;
  }

  private async writeGroup(): Promise<void> {
    if (this.rows === 0) return;
    const { rows } = this;
    const columns = [
      this.times.subarray(0, rows),
      this.sequences.subarray(0, rows),
      ...this.cells.map((cells) => cells.take(rows)),
    ];
    // Where pages lie would be held for every group until the end, and a group's column is one page or few.
    const columnData = columns.map((data, index) => ({ name: this.names[index]!, data, offsetIndex: false }));
    await this.parquet.write({ columnData, rowGroupSize: rows });
    this.rows = 0;
    this.gatheredBytes = 0;
    await this.flush();
  }

  /** Hands what the library has encoded to the disk. */
  private async flush(): Promise<void> {
    const { buffer, byteOffset, byteLength } = this.bytes.getBytes();
    await this.output.append([Buffer.from(buffer, byteOffset, byteLength)]);
    this.bytes.index = 0;
  }
}

function elementOf(kind: ColumnKind): Omit<SchemaElement, 'name'> {
  switch (kind) {
    case 'boolean':
      return { type: 'BOOLEAN' };
    case 'int64':
      return { type: 'INT64' };
    case 'double':
      return { type: 'DOUBLE' };
    case 'bytes':
      return { type: 'BYTE_ARRAY' };
    case 'time':
      return { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } };
    default:
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8' };
  }
}

function cellValue(cell: Cell | JsonCell, kind: ColumnKind): unknown {
  if (cell === null) return undefined;
  if (kind === 'time' && cell instanceof Date) {
    const micros = cell instanceof NanoDate ? Math.floor(cell.nanos / 1e3) % 1000 : 0;
    return BigInt(cell.getTime()) * 1000n + BigInt(micros);
  }
  if (kind === 'json' && !(cell instanceof JsonCell)) return JSON.stringify(toJson(cell));
  if (kind === 'json' || kind === 'string') return textOf(cell);
  // What was read is lent, and a row group holds rows of many batches.
  return cell instanceof Uint8Array ? new Uint8Array(cell) : cell;
}
