import type { EventFileWriter } from '../event-file-writer.js';
import type { McapReader } from '../mcap/mcap-reader.js';
import type { ReadOptions } from '../recording.js';

/**
 * Copies the events of an MCAP file that are wanted to an event file without making objects of them, which would take
 * as long as all the rest; gives their number. Errors: those of the reader, and of the writer.
 */
export async function copyMcap(reader: McapReader, writer: EventFileWriter, options: ReadOptions): Promise<number> {
  const before = writer.count;
  for await (const _ of reader.parts(options, (parts) => writer.addParts(parts))) await writer.commit();
  return writer.count - before;
}
