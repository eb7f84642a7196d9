import type { EventFileWriter, EventParts } from '../event-file-writer.js';
import { allocatorOf, type RecordKernel } from '../kernel/record-kernel.js';
import type { McapReader } from '../mcap/mcap-reader.js';
import type { ReadOptions } from '../recording.js';

/**
 * Copies the events of an MCAP file that are wanted to an event file without making objects of them, which would take
 * as long as all the rest; gives their number. The kernel is that of the writer. Errors: those of the reader, and of
 * the writer.
 */
export async function copyMcap(
  reader: McapReader,
  writer: EventFileWriter,
  kernel: RecordKernel | undefined,
  options: ReadOptions,
): Promise<number> {
  const before = writer.count;
  const add = (parts: EventParts): void => writer.addParts(parts);
  for await (const _ of reader.parts(options, add, allocatorOf(kernel))) await writer.commit();
  return writer.count - before;
}
