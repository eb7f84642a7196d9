import { open } from 'node:fs/promises';
import { allocatorOf, type RecordKernel } from '../kernel/record-kernel.js';
import type { McapWriter } from '../mcap/mcap-writer.js';
import { PathTable } from '../path-table.js';
import { largeBlockBytes, recordChunks } from '../record-chunks.js';
import { RecordParser } from '../record-parser.js';
import type { ReadOptions } from '../recording.js';
import { RecordingClock, readAnchor } from '../recording-clock.js';
import { diskError } from '../recording-disk.js';

/**
 * Copies all records of an event file to an MCAP file without making events of them, which would take as long as all
 * the rest; gives their number. The kernel is that of the writer. Errors: those of the reader of event files, and of
 * the writer.
 */
export async function copyEventFile(
  file: string,
  writer: McapWriter,
  kernel: RecordKernel | undefined,
  { signal, onDamage, onProgress }: Pick<ReadOptions, 'signal' | 'onDamage' | 'onProgress'>,
): Promise<number> {
  const handle = await open(file, 'r').catch((error) => {
    throw diskError(error, `read ${file}`);
  });
  try {
    const { size } = await handle.stat();
    const clock = new RecordingClock(await readAnchor(handle, { file, size, signal }));
    const table = new PathTable();
    const parser = new RecordParser(table, clock.timeOf, kernel);
    let count = 0;
    const options = { file, size, blockBytes: largeBlockBytes, allocate: allocatorOf(kernel), signal, onDamage };
    for await (const { bytes, offset } of recordChunks(handle, parser, options)) {
      await writer.writeParsed(bytes, parser, table);
      count += parser.count;
      onProgress?.(offset + parser.consumed, size);
    }
    onProgress?.(size, size);
    return count;
  } finally {
    await handle.close();
  }
}
