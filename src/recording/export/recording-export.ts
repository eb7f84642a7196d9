import type { RecordedEvent, RecordingWriter } from '../recording.js';

/** One file of events in a format for other programs. */
export interface RecordingExport {
  readonly file: string;
  /** Events whose payload is not of its type, which the format could not hold as such. */
  readonly undecoded: number;
  /** Errors: `resource-exhausted` when the disk is full, `internal` for other failures of the disk. */
  write(events: readonly RecordedEvent[]): Promise<void>;
  /** The file is complete and on disk when this resolves. */
  close(): Promise<void>;
  /** Gives up: closes the file, complete or not. Can be called after `close`. */
  abandon(): Promise<void>;
}

/** A recording as an export. */
export function exportOf(writer: RecordingWriter, file: string): RecordingExport {
  return {
    file,
    undecoded: 0,
    write: (events) => writer.write(events),
    close: () => writer.close(),
    abandon: () => writer.close().catch(() => undefined),
  };
}
