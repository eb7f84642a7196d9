import { MeshError } from '../../base/errors.js';
import { toJson } from '../../messages/json.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
import type { Timestamp } from '../../messages/timestamp.js';
import type { RecordedEvent } from '../recording.js';
import type { RecordingExport } from './recording-export.js';
import { TextFile } from './text-file.js';

/**
 * One JSON document a line for each event: `{service, path, sequence, timeS, stamps, type, message}`, the message as
 * protobuf's own JSON mapping writes it; bytes in base64 where its type is unknown. A payload that is not of its type
 * has `error` and `payload` (base64) in place of the message.
 */
export class JsonLinesExport implements RecordingExport {
  /** Events whose payload is not of its type. */
  undecoded = 0;
  private readonly text: TextFile;
  private readonly names = new NameTexts();

  private constructor(text: TextFile) {
    this.text = text;
  }

  /** Makes the file. Errors: those of `TextFile.create`. */
  static async create(file: string): Promise<JsonLinesExport> {
    return new JsonLinesExport(await TextFile.create(file));
  }

  get file(): string {
    return this.text.name;
  }

  async write(events: readonly RecordedEvent[]): Promise<void> {
    for (const { event, timeS } of events) {
      const { service, path, sequence, timestamps, type } = event;
      const { names } = this;
      const head = `{"service":${names.of(service)},"path":${names.of(path)},"sequence":${sequence}`;
      const times = `"timeS":${numberText(timeS)},"stamps":[${timestamps.map(this.stampText).join(',')}]`;
      this.text.add(`${head},${times},"type":${names.of(type)},${this.contentOf(event)}}\n`);
      if (this.text.isFull) await this.text.flush();
    }
  }

  close(): Promise<void> {
    return this.text.finish();
  }

  abandon(): Promise<void> {
    return this.text.close();
  }

  private readonly stampText = ({ stamp, clockName, semantics }: Timestamp): string =>
    `{"stamp":${numberText(stamp)},"clockName":${this.names.of(clockName)},"semantics":${this.names.of(semantics)}}`;

  private contentOf(event: MeshEvent): string {
    try {
      return `"message":${JSON.stringify(toJson(event.message))}`;
    } catch (error) {
      this.undecoded++;
      const reason = MeshError.from(error).message;
      return `"error":${JSON.stringify(reason)},"payload":"${event.payload.toString('base64')}"`;
    }
  }
}

// Names come again and again; whatever is none must not fill the memory.
const mostNames = 10_000;

/** Names as JSON. */
class NameTexts {
  private readonly texts = new Map<string, string>();

  of(name: string): string {
    let text = this.texts.get(name);
    if (text === undefined) {
      if (this.texts.size >= mostNames) this.texts.clear();
      text = JSON.stringify(name);
      this.texts.set(name, text);
    }
    return text;
  }
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null';
}
