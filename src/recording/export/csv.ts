import { toJson } from '../../messages/json.js';
import type { RecordedEvent } from '../recording.js';
import { type Cell, flatten, JsonCell } from './flatten.js';
import type { RecordingExport } from './recording-export.js';
import type { Column } from './table-columns.js';
import { TextFile } from './text-file.js';

/** The columns before those of the message. */
const eventColumns = ['time_s', 'sequence'];

/**
 * A table of the events of one path: `time_s` (Unix seconds, when it was recorded), `sequence`, and the fields of the
 * message; a field of that name gets `message.` before it. Lists stand in it as JSON. Events whose payload is not of
 * its type are left out and counted.
 * Source: https://www.rfc-editor.org/rfc/rfc4180 (lines end in CRLF)
 */
export class CsvExport implements RecordingExport {
  /** Events that were left out. */
  undecoded = 0;
  private readonly text: TextFile;
  private readonly places: ReadonlyMap<string, number>;

  private constructor(text: TextFile, columns: readonly Column[]) {
    this.text = text;
    this.places = new Map(columns.map(({ name }, index) => [name, index + eventColumns.length]));
    const names = columns.map(({ name }) => (eventColumns.includes(name) ? `message.${name}` : name));
    text.add(`${[...eventColumns, ...names].map(quote).join(',')}\r\n`);
  }

  /** Makes the file. Errors: those of `TextFile.create`. */
  static async create(file: string, columns: readonly Column[]): Promise<CsvExport> {
    return new CsvExport(await TextFile.create(file), columns);
  }

  get file(): string {
    return this.text.name;
  }

  async write(events: readonly RecordedEvent[]): Promise<void> {
    for (const { event, timeS } of events) {
      const row: string[] = new Array(eventColumns.length + this.places.size).fill('');
      row[0] = timeS.toFixed(6);
      row[1] = String(event.sequence);
      try {
        flatten(event.message, (name, cell) => {
          const place = this.places.get(name);
          if (place === undefined) return;
          row[place] = typeof cell === 'number' ? String(cell) : quote(textOf(cell));
        });
      } catch {
        this.undecoded++;
        continue;
      }
      this.text.add(`${row.join(',')}\r\n`);
      if (this.text.isFull) await this.text.flush();
    }
  }

  close(): Promise<void> {
    return this.text.finish();
  }

  abandon(): Promise<void> {
    return this.text.close();
  }
}

/** A cell as text: as protobuf's own JSON mapping writes it, without quotes. */
export function textOf(cell: Cell | JsonCell): string {
  if (cell === null) return '';
  return cell instanceof JsonCell ? cell.text : String(toJson(cell));
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
