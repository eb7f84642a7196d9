import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import wabt from 'wabt';
import { type BytesPart, noBytes, viewOf, wholePart } from '../../src/recording/bytes-part.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { convertRecording } from '../../src/recording/export/convert-recording.js';
import { RecordKernel } from '../../src/recording/kernel/record-kernel.js';
import { ChunkBuilder } from '../../src/recording/mcap/chunk-builder.js';
import { McapChannels } from '../../src/recording/mcap/mcap-channels.js';
import { Nanos } from '../../src/recording/mcap/nanos.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { folder, registry, sample, samples } from './sample-events.js';

const sourceFile = 'src/recording/kernel/record-kernel.wat';
const lineChars = 110;

// After a change of the source: npx vitest run test/recording/record-kernel.test.ts -u
test('the code is what its source says', async () => {
  const features = { simd: true };
  const tools = await wabt();
  const module = tools.parseWat(sourceFile, readFileSync(sourceFile, 'utf8'), features);
  module.validate();
  const code = Buffer.from(module.toBinary({ log: false }).buffer).toString('base64');
  const lines = code.match(new RegExp(`.{1,${lineChars}}`, 'g'))!.map((line) => `  '${line}',`);
  const head = '// Made of record-kernel.wat: see test/recording/record-kernel.test.ts.';
  const text = [head, 'export const kernelCode = [', ...lines, "].join('');", ''].join('\n');
  await expect(text).toMatchFileSnapshot('../../src/recording/kernel/code.ts');
});

test('memory is given once, with room behind it for a lane, and ordinary memory when there is no more', () => {
  const kernel = new RecordKernel(1 << 16);
  const given = [1, 15, 16, 17, 60_000].map((bytes) => kernel.buffer(bytes));
  let behind = 0;
  for (const buffer of given) {
    const offset = kernel.offsetOf(buffer);
    expect(offset).toBeGreaterThanOrEqual(behind);
    behind = offset + buffer.length + 15;
  }
  const other = kernel.buffer(10_000);
  expect(other).toHaveLength(10_000);
  expect(kernel.offsetOf(other)).toBe(-1);
  expect(kernel.offsetOf(kernel.buffer(100))).not.toBe(-1);
});

/** Events of a few paths, of which many differ in their numbers only, and their payloads. */
const records = fc.array(
  fc.record({
    path: fc.constantFrom('/a', '/b', '/some/longer/path'),
    sequence: fc.oneof(fc.nat(100), fc.nat(70_000)),
    payload: fc
      .oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 100, maxLength: 400 }))
      .map((bytes) => Buffer.from(bytes)),
    timeS: fc.double({ min: 1.7e9, max: 1.8e9, noNaN: true }),
    /** Its payload is not as long as it says. */
    isWrong: fc.constantFrom(false, false, false, false, false, false, false, true),
    /** It stands elsewhere. */
    isOutside: fc.constantFrom(false, false, false, false, true),
  }),
  { maxLength: 60, size: 'max' },
);

test('an event file is the same to the byte, whoever copies its events', async () => {
  const home = await folder();
  const adds = vi.spyOn(RecordKernel.prototype, 'addRecord');
  let run = 0;
  await fc.assert(
    fc.asyncProperty(records, async (wanted) => {
      const kernel = new RecordKernel(4 << 20);
      const place = kernel.buffer(1000);
      const base = join(home, `${run++}`);
      await using plain = await EventFileWriter.open(`${base}-plain`, { sync: 'none' });
      await using copied = await EventFileWriter.open(`${base}-copied`, { sync: 'none' }, kernel);
      for (const { path, sequence, payload, timeS, isWrong, isOutside } of wanted) {
        const { event } = sample({ path, sequence, payload, atS: timeS });
        const { eventBytes } = event;
        const bytes = Buffer.concat([eventBytes, payload, Buffer.alloc(isWrong ? 1 : 0)]);
        place.set(bytes);
        const view = viewOf(place);
        const parts = (
          isOutside
            ? [wholePart(eventBytes), wholePart(bytes.subarray(eventBytes.length))]
            : [
                { view, start: 0, end: eventBytes.length },
                { view, start: eventBytes.length, end: bytes.length },
              ]
        ) as [BytesPart, BytesPart];
        const refused = [plain, copied].map((writer) => {
          try {
            writer.addParts({ event: parts[0], payload: parts[1], timeS, toEvent: () => event });
            return undefined;
          } catch (error) {
            return String(error);
          }
        });
        expect(refused[0] === undefined).toBe(!isWrong);
        expect(refused[1]).toBe(refused[0]);
      }
      await Promise.all([plain.commit(), copied.commit()]);
      await Promise.all([plain.close(), copied.close()]);
      expect(readFileSync(copied.files[0]!).equals(readFileSync(plain.files[0]!))).toBe(true);
    }),
    { numRuns: 40 },
  );
  expect(adds.mock.results.some(({ value }) => value === true)).toBe(true);
});

test('a chunk is the same to the byte, whoever copies its messages', () => {
  const channels = new McapChannels(registry);
  const paths = ['/a', '/b', '/some/longer/path'].map((path) =>
    channels.add({ service: 'agent-1', path, type: 'google.protobuf.Empty', pb: 'google/protobuf/empty.proto' }),
  );
  let inKernel = 0;
  fc.assert(
    fc.property(
      records,
      fc.constantFrom(300, 3000, 30_000),
      fc.constantFrom('', 'zstd'),
      (wanted, size, compression) => {
        const kernel = new RecordKernel(1 << 20);
        const place = kernel.buffer(1000);
        const plain = new ChunkBuilder(size, compression);
        const copied = new ChunkBuilder(size, compression, kernel);
        // Again, since what one chunk has left must not be in the next.
        for (let round = 0; round < 2; round++) {
          for (const { path, sequence, payload, timeS } of wanted) {
            const { eventBytes } = sample({ path, sequence, payload, atS: timeS }).event;
            const end = eventBytes.length + payload.length;
            place.set(Buffer.concat([eventBytes, payload]));
            const head = { sequence, log: new Nanos(), publish: new Nanos() };
            head.log.set(timeS);
            head.publish.set(timeS - 1.5);
            const view = viewOf(place);
            const channel = paths.find(({ payload: { topic } }) => topic.endsWith(path))!;
            const add = (builder: ChunkBuilder): void => {
              const eventEnd = eventBytes.length;
              builder.addMessage(channel.payload.id, head, { view, start: eventEnd, end }, noBytes);
              builder.addMessage(
                channel.event.id,
                head,
                { view, start: 0, end: 50 },
                { view, start: 50, end: eventEnd },
              );
            };
            add(plain);
            const offset = kernel.offsetOf(place);
            if (copied.addRecord(channel, head, offset, offset + eventBytes.length, offset + end)) inKernel++;
            else add(copied);
          }
          const [first, second] = [plain, copied].map((builder) => {
            const finished = builder.finish();
            const { headBytes, bytes } = builder.encoded(finished);
            return { file: Buffer.concat(bytes), about: [headBytes, finished.indexBytes, [...finished.indexOffsets]] };
          });
          // To look at them one by one would take a hundred times as long.
          expect(second!.file.equals(first!.file)).toBe(true);
          expect(second!.about).toEqual(first!.about);
          plain.clear();
          copied.clear();
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(inKernel).toBeGreaterThan(0);
});

test('conversions of event files to MCAP and back go by it', async () => {
  const home = await folder();
  await using writer = await EventFileWriter.open(join(home, 'from'));
  await writer.write(samples(200));
  await writer.close();
  const messages = vi.spyOn(ChunkBuilder.prototype, 'addRecord').mockClear();
  const records = vi.spyOn(RecordKernel.prototype, 'addRecord').mockClear();
  for (const [from, to] of [
    ['from.0000.bin', 'to.mcap'],
    ['to.mcap', 'back.bin'],
  ] as const) {
    await using reader = await openRecording(join(home, from), { registry });
    await convertRecording(reader, join(home, to), { registry, compression: 'none' });
  }
  expect(readFileSync(join(home, 'back.bin')).equals(readFileSync(join(home, 'from.0000.bin')))).toBe(true);
  expect(messages.mock.results.filter(({ value }) => value === true)).toHaveLength(200);
  expect(records.mock.results.filter(({ value }) => value === true).length).toBeGreaterThan(100);
});
