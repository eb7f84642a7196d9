import { crc32 } from 'node:zlib';
import type { McapChannels } from './mcap-channels.js';
import { opcode, summaryMetadataName } from './mcap-format.js';
import { RecordEncoder } from './record-encoder.js';

/** What a finished file says of itself. */
export interface McapContent {
  readonly channels: McapChannels;
  readonly chunks: number;
  readonly chunkIndexes: RecordEncoder;
  /** Unix seconds of the first and the last event; the first is later in a file without any. */
  readonly startS: number;
  readonly endS: number;
}

/** Everything behind the chunks: totals, summary and footer. `start`: where in the file it begins. */
export function encodeEnding(start: number, content: McapContent): Buffer {
  const { paths, schemas } = content.channels;
  const end = new RecordEncoder().metadata(summaryMetadataName, pathTotals(content));
  const metadataBytes = end.length;
  end.dataEnd();
  const summaryStart = end.length;
  const groups: { code: number; start: number; length: number }[] = [];
  const group = (code: number, write: () => void): void => {
    const from = end.length;
    write();
    if (end.length > from) groups.push({ code, start: start + from, length: end.length - from });
  };
  group(opcode.schema, () => schemas.forEach((schema) => void end.schema(schema)));
  group(opcode.channel, () => paths.forEach((path) => void end.channel(path.payload).channel(path.event)));
  group(opcode.statistics, () => end.statistics(statistics(content)));
  group(opcode.metadataIndex, () => end.metadataIndex(summaryMetadataName, start, metadataBytes));
  group(opcode.chunkIndex, () => end.raw(content.chunkIndexes.bytes));
  const offsetsStart = end.length;
  for (const { code, start, length } of groups) end.summaryOffset(code, start, length);
  end.footerStart(start + summaryStart, start + offsetsStart);
  return end.footerEnd(crc32(end.bytes.subarray(summaryStart))).magic().bytes;
}

function statistics({ channels: { paths, schemas }, chunks, startS, endS }: McapContent) {
  const messages = new Map<number, number>();
  for (const { payload, event, tally } of paths) {
    messages.set(payload.id, tally.count);
    messages.set(event.id, tally.count);
  }
  const isEmpty = endS < startS;
  return { messages, schemas: schemas.length, chunks, metadata: 1, startS: isEmpty ? 0 : startS, endS };
}

function pathTotals({ channels }: McapContent): Record<string, string> {
  const totals = channels.paths.map(({ payload, tally }) => [payload.id, JSON.stringify(tally.totals)]);
  return Object.fromEntries(totals) as Record<string, string>;
}
