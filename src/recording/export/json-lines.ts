import { MeshError } from '../../base/errors.js';
import { toJson } from '../../messages/json.js';
import type { MeshEvent } from '../../messages/mesh-event.js';
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
      const { service, path, sequence, timestamps: stamps, type } = event;
      this.text.add(`${JSON.stringify({ service, path, sequence, timeS, stamps, type, ...this.contentOf(event) })}\n`);
      if (this.text.isFull) await this.text.flush();
    }
  }

  close(): Promise<void> {
    return this.text.finish();
  }

  abandon(): Promise<void> {
    return this.text.close();
  }

  private contentOf(event: MeshEvent): object {
    try {
      return { message: toJson(event.message) };
    } catch (error) {
      this.undecoded++;
      return { error: MeshError.from(error).message, payload: event.payload.toString('base64') };
    }
  }
}
