import { MeshError } from '../../base/errors.js';
import { listNames } from '../../base/suggest.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
import type { TypeRegistry } from '../../messages/registry.js';
import type { Uri } from '../../messages/uri.js';
import { EventFileReader } from '../event-file-reader.js';
import { EventFileWriter } from '../event-file-writer.js';
import { RecordKernel } from '../kernel/record-kernel.js';
import type { McapCompression } from '../mcap/chunk-compression.js';
import { McapReader } from '../mcap/mcap-reader.js';
import { McapWriter } from '../mcap/mcap-writer.js';
import { pathKey } from '../path-patterns.js';
import type { Damage, ReadOptions, RecordedEvent, RecordingReader } from '../recording.js';
import { throwIfAborted } from '../throw-if-aborted.js';
import { copyEventFile } from './copy-event-file.js';
import { copyMcap } from './copy-mcap.js';
import { CsvExport } from './csv.js';
import { JsonLinesExport } from './json-lines.js';
import { PartialFiles } from './partial-files.js';
import { exportOf, type RecordingExport } from './recording-export.js';
import { type Column, TableColumns } from './table-columns.js';

/** Formats that a recording is converted to, by the end of the file's name. */
export const convertFormats = ['bin', 'mcap', 'jsonl', 'csv', 'parquet'] as const;

export type ConvertFormat = (typeof convertFormats)[number];

export interface ConvertOptions extends Pick<ReadOptions, 'startS' | 'endS' | 'paths' | 'signal'> {
  /** Describes and decodes the payloads. */
  readonly registry: TypeRegistry;
  /** Default: what the name of the output ends in. */
  readonly format?: ConvertFormat;
  /** Of an MCAP file. Default: zstd where Node has it. */
  readonly compression?: McapCompression;
  /** Whether files that are there are replaced. Default false. */
  readonly overwrite?: boolean;
  /** Told now and then how far it has come; tables are read twice. */
  readonly onProgress?: (doing: 'looking' | 'converting', doneBytes: number, totalBytes: number) => void;
}

export interface ConvertResult {
  readonly format: ConvertFormat;
  readonly files: readonly string[];
  readonly events: number;
  /** Events whose payload is not of its type: without a row in a table, with an `error` in JSON lines. */
  readonly undecoded: number;
  /** Of what was read. */
  readonly damage: readonly Damage[];
}

/** Errors: `invalid-argument` for a name that ends in none of the formats. */
export function formatOf(output: string): ConvertFormat {
  const format = convertFormats.find((one) => output.endsWith(`.${one}`));
  if (format !== undefined) return format;
  const endings = convertFormats.map((one) => `.${one}`);
  throw new MeshError('invalid-argument', `${output} does not say its format; end it in one of ${listNames(endings)}`);
}

/**
 * Writes a recording, or a part of it, in another format, in bounded memory. `.bin` and `.mcap` keep every event to the
 * byte; a table (`.csv`, `.parquet`) holds one path, so several paths become `OUTPUT-<service>-<path>.csv`. Nothing has
 * its final name before all is complete.
 *
 * Errors: `invalid-argument` for an unknown format, `failed-precondition` for a file that is there already,
 * `resource-exhausted`, `internal`, those of the reader, `cancelled` among them.
 */
export async function convertRecording(
  reader: RecordingReader,
  output: string,
  options: ConvertOptions,
): Promise<ConvertResult> {
  return new Conversion(reader, output, options).run();
}

// For what is read and what is written, two buffers each, and for some thousand forms of events.
const kernelBytes = 16 << 20;

interface Table {
  readonly key: string;
  readonly about: { readonly service: string; readonly path: string; readonly type: string };
  readonly columns: TableColumns;
}

class Conversion {
  private readonly reader: RecordingReader;
  private readonly output: string;
  private readonly options: ConvertOptions;
  private readonly format: ConvertFormat;
  private readonly partial: PartialFiles;
  private readonly exports = new Map<string, RecordingExport>();
  /** Those of tables by the URI of their events, which neighbours share: no text is made for each event. */
  private readonly tables = new WeakMap<Uri, { readonly service: string; readonly table: RecordingExport }>();
  /** Copies the events where none has to be looked at; gives their number. */
  private copy: ((options: ReadOptions) => Promise<number>) | undefined;

  constructor(reader: RecordingReader, output: string, options: ConvertOptions) {
    this.reader = reader;
    this.output = output;
    this.options = options;
    this.format = options.format ?? formatOf(output);
    this.partial = new PartialFiles({ overwrite: options.overwrite ?? false });
  }

  async run(): Promise<ConvertResult> {
    const damage: Damage[] = [];
    let events = 0;
    try {
      const isTable = this.format === 'csv' || this.format === 'parquet';
      if (isTable) await this.openTables();
      else this.exports.set('', await this.open());
      const onDamage = (one: Damage): void => void damage.push(one);
      const options = this.readOptions('converting', onDamage);
      if (this.copy !== undefined) events = await this.copy(options);
      else {
        for await (const batch of this.reader.batches(options)) {
          events += batch.length;
          if (isTable) await this.writeRows(batch);
          else await this.exports.get('')!.write(batch);
        }
      }
      for (const one of this.exports.values()) await one.close();
      throwIfAborted(options.signal);
      const undecoded = [...this.exports.values()].reduce((total, one) => total + one.undecoded, 0);
      return { format: this.format, files: await this.partial.complete(), events, undecoded, damage };
    } finally {
      for (const one of this.exports.values()) await one.abandon();
      await this.partial.remove();
    }
  }

  private readOptions(doing: 'looking' | 'converting', onDamage: (damage: Damage) => void): ReadOptions {
    const { startS, endS, paths, signal, onProgress } = this.options;
    return {
      onDamage,
      lend: true,
      onProgress: (done, total) => onProgress?.(doing, done, total),
      ...(startS === undefined ? {} : { startS }),
      ...(endS === undefined ? {} : { endS }),
      ...(paths === undefined ? {} : { paths }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  private async open(): Promise<RecordingExport> {
    const { output, format, reader, partial } = this;
    const { registry, compression } = this.options;
    const name = partial.begin(output);
    if (format === 'jsonl') return JsonLinesExport.create(name);
    const kernel = RecordKernel.open(kernelBytes);
    if (format === 'bin') {
      const writer = await EventFileWriter.open(name, {}, kernel);
      const file = writer.files[0]!;
      partial.renamed(name, file);
      if (reader instanceof McapReader) this.copy = (wanted) => copyMcap(reader, writer, kernel, wanted);
      return exportOf(writer, file);
    }
    const mcapOptions = {
      registry,
      ...(compression === undefined ? {} : { compression }),
      // What only another MCAP file describes stays described.
      ...(reader instanceof McapReader ? { schemaOf: (type: string) => reader.schemaOf(type) } : {}),
    };
    const writer = await McapWriter.open(name, mcapOptions, kernel);
    const { startS = 0, endS, paths } = this.options;
    const [file, ...others] = reader.files;
    const isWhole = startS <= 0 && endS === undefined && paths === undefined && others.length === 0;
    if (isWhole && file !== undefined && reader instanceof EventFileReader) {
      this.copy = (whole) => copyEventFile(file, writer, kernel, whole);
    }
    return exportOf(writer, name);
  }

  private tableOf(event: MeshEvent): RecordingExport | undefined {
    const { uri, service } = event;
    const known = this.tables.get(uri);
    if (known?.service === service) return known.table;
    const table = this.exports.get(tableKey(event));
    if (table !== undefined) this.tables.set(uri, { service, table });
    return table;
  }

  private async writeRows(batch: readonly RecordedEvent[]): Promise<void> {
    const rows = new Map<RecordingExport, RecordedEvent[]>();
    for (const one of batch) {
      const table = this.tableOf(one.event);
      if (table === undefined) continue;
      const own = rows.get(table);
      if (own === undefined) rows.set(table, [one]);
      else own.push(one);
    }
    for (const [table, own] of rows) await table.write(own);
  }

  /** Reads all of it once for the columns, and makes a table for each path. */
  private async openTables(): Promise<void> {
    const tables = new Map<string, Table>();
    const byUri = new WeakMap<Uri, Table>();
    for await (const batch of this.reader.batches(this.readOptions('looking', () => undefined))) {
      for (const one of batch) {
        const { uri } = one.event;
        let table = byUri.get(uri);
        if (table?.about.service === one.event.service) {
          addColumns(table.columns, one);
          continue;
        }
        const key = tableKey(one.event);
        table = tables.get(key);
        if (table === undefined) {
          const { service, path, type } = one.event;
          const name = pathKey({ service, path });
          table = { key, about: { service, path, type }, columns: new TableColumns(name) };
          tables.set(key, table);
        }
        byUri.set(uri, table);
        addColumns(table.columns, one);
      }
    }
    const [first] = tables.values();
    if (first === undefined) throw new MeshError('not-found', 'there are no events to make a table of');
    const names = tables.size === 1 ? new Map([[first.key, this.output]]) : this.tableFiles([...tables.values()]);
    for (const { key, about, columns } of tables.values()) {
      const name = this.partial.begin(names.get(key)!);
      this.exports.set(key, await openTable(this.format, name, columns.columns, { about, tables: tables.size }));
    }
  }

  private tableFiles(tables: readonly Table[]): Map<string, string> {
    const ending = `.${this.format}`;
    const base = this.output.endsWith(ending) ? this.output.slice(0, -ending.length) : this.output;
    const taken = new Set<string>();
    const files = new Map<string, string>();
    for (const { key, about } of tables) {
      const plain = pathKey(about).replace(/[^\w.-]+/g, '-');
      let name = `${base}-${plain}${ending}`;
      for (let number = 2; taken.has(name); number++) name = `${base}-${plain}-${number}${ending}`;
      taken.add(name);
      files.set(key, name);
    }
    return files;
  }
}

async function openTable(
  format: ConvertFormat,
  name: string,
  columns: readonly Column[],
  options: { readonly about: Table['about']; readonly tables: number },
): Promise<RecordingExport> {
  if (format === 'csv') return CsvExport.create(name, columns);
  // Every program that uses furrow would load it.
  const { ParquetExport } = await import('./parquet.js');
  return ParquetExport.create(name, columns, { ...options, about: { ...options.about } });
}

/** A path that changes its type becomes two tables. */
function tableKey({ service, path, type }: MeshEvent): string {
  return [service, path, type].join('\n');
}

function addColumns(columns: TableColumns, { event }: RecordedEvent): void {
  let message: unknown;
  try {
    message = event.message;
  } catch {
    // It is counted when it is written.
    return;
  }
  columns.add(message);
}
