import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter as CoreWriter } from '@mcap/core';
import { TypeRegistry } from 'furrow';
import { convertRecording, EventFileWriter, McapWriter, openRecording, type RecordedEvent } from 'furrow/recording';
import { batchEvents, makeBatch, recordBytes } from './events.js';

export interface FileRate {
  readonly name: string;
  readonly megabytesPerS: number;
}

const registry = new TypeRegistry();

/**
 * Each case once: bytes of the event file by the seconds that it took, until everything is on the disk where something
 * is written. What was written last is in the system's cache when it is read.
 */
export async function* fileCases(folder: string, megabytes: number): AsyncGenerator<FileRate, void> {
  const batches = Math.ceil((megabytes * 1e6) / recordBytes / batchEvents);
  const bytes = batches * batchEvents * recordBytes;
  const batch = makeBatch(registry);
  const base = join(folder, 'bench');
  const bin = `${base}.0000.bin`;
  const measured = async (name: string, file: string | undefined, run: () => Promise<void>): Promise<FileRate> => {
    if (file !== undefined) await rm(file, { force: true });
    const startMs = performance.now();
    await run();
    return { name, megabytesPerS: bytes / 1e6 / ((performance.now() - startMs) / 1000) };
  };

  const disk = join(folder, 'disk');
  yield await measured('disk', disk, () => writeZeros(disk, bytes));
  await rm(disk);
  yield await measured('write-bin', bin, async () => {
    await using writer = await EventFileWriter.open(base);
    for (let index = 0; index < batches; index++) await writer.write(batch);
  });
  yield await measured('index-bin', `${bin}.idx`, async () => {
    await using reader = await openRecording(bin, { registry });
    const { count } = await reader.summary();
    if (count !== batches * batchEvents) throw new Error(`the index has ${count} events`);
  });
  yield await measured('read-bin', undefined, async () => {
    await using reader = await openRecording(bin, { registry });
    let count = 0;
    for await (const events of reader.batches()) count += events.length;
    if (count !== batches * batchEvents) throw new Error(`${count} events were read`);
  });
  const mcap = join(folder, 'bench.mcap');
  const converted = await measured('bin-to-mcap', mcap, async () => {
    await using reader = await openRecording(bin, { registry });
    await convertRecording(reader, mcap, { registry, compression: 'none' });
  });
  yield converted;
  const { size } = await stat(mcap);
  yield { name: 'bin-to-mcap (written)', megabytesPerS: (converted.megabytesPerS * size) / bytes };
  yield await measured('read-mcap', undefined, async () => {
    await using reader = await openRecording(mcap, { registry });
    for await (const _ of reader.batches());
  });
  const back = join(folder, 'back.bin');
  yield await measured('mcap-to-bin', back, async () => {
    await using reader = await openRecording(mcap, { registry });
    await convertRecording(reader, back, { registry });
  });
  await rm(back);
  yield await measured('write-mcap', mcap, async () => {
    await using writer = await McapWriter.open(mcap, { registry, compression: 'none' });
    for (let index = 0; index < batches; index++) await writer.write(batch);
  });
  yield await measured('mcap-core', mcap, () => writeByCore(mcap, batch, batches));
  for (const file of [mcap, bin, `${bin}.idx`]) await rm(file, { force: true });
}

async function writeZeros(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'w');
  const block = Buffer.alloc(4 << 20);
  for (let left = bytes; left > 0; left -= block.length) await handle.write(block, 0, Math.min(left, block.length));
  await handle.datasync();
  await handle.close();
}

/** The same messages as `McapWriter` writes, two for each event, with chunks of the same size. */
async function writeByCore(file: string, batch: readonly RecordedEvent[], batches: number): Promise<void> {
  const handle = await open(file, 'w');
  let position = 0n;
  const writable = {
    position: () => position,
    write: async (bytes: Uint8Array) => {
      await handle.write(bytes);
      position += BigInt(bytes.length);
    },
  };
  const writer = new CoreWriter({ writable, chunkSize: 1 << 20 });
  await writer.start({ profile: '', library: 'bench' });
  const schemaId = await writer.registerSchema({ name: 'bench', encoding: 'protobuf', data: new Uint8Array(100) });
  const channels = new Map<string, readonly [number, number]>();
  for (const { event } of batch) {
    const topic = `${event.service}${event.path}`;
    if (channels.has(topic)) continue;
    const channel = { schemaId, messageEncoding: 'protobuf', metadata: new Map<string, string>() };
    const payloads = await writer.registerChannel({ ...channel, topic });
    channels.set(topic, [payloads, await writer.registerChannel({ ...channel, topic: `${topic}#event` })]);
  }
  const messages = batch.map(({ event, timeS }) => {
    const [payloads, events] = channels.get(`${event.service}${event.path}`)!;
    const logTime = BigInt(Math.round(timeS * 1e9));
    const common = { sequence: event.sequence, logTime, publishTime: logTime };
    return [
      { ...common, channelId: payloads, data: event.payload },
      { ...common, channelId: events, data: event.eventBytes },
    ] as const;
  });
  for (let index = 0; index < batches; index++) {
    for (const [payload, event] of messages) {
      await writer.addMessage(payload);
      await writer.addMessage(event);
    }
  }
  await writer.end();
  await handle.datasync();
  await handle.close();
}
