import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter as CoreWriter } from '@mcap/core';
import { TypeRegistry } from 'furrow';
import { convertRecording, EventFileWriter, McapWriter, openRecording, type RecordedEvent } from 'furrow/recording';
import { copyBlocks, useMemory, writeBlocks } from './blocks.js';
import { batchEvents, makeBatch, recordBytes } from './events.js';

export interface FileRate {
  readonly megabytesPerS: number;
  /** Time of all processors for each megabyte, which tells more than the rate on a machine that does other things. */
  readonly cpuMsPerMb: number;
}

const registry = new TypeRegistry();
// An MCAP file is larger than the event file, and the case needs some for itself.
const memoryFactor = 1.5;

/** In the order in which they are run: most read what one before has written. */
export const fileCaseNames = [
  'disk',
  'write-bin',
  'index-bin',
  'read-bin',
  'bin-to-mcap',
  'copy',
  'read-mcap',
  'mcap-to-bin',
  'copy-back',
  'write-mcap',
  'mcap-core',
] as const;

export type FileCaseName = (typeof fileCaseNames)[number];

/**
 * One case: bytes of the event file by the seconds that it took, until everything is on the disk where something is
 * written. What was written last is in the system's cache when it is read.
 */
export async function fileCase(name: FileCaseName, folder: string, megabytes: number): Promise<FileRate> {
  const batches = Math.ceil((megabytes * 1e6) / recordBytes / batchEvents);
  const bytes = batches * batchEvents * recordBytes;
  const file = (called: string): string => join(folder, called);
  const bin = file('bench.0000.bin');
  const mcap = file('bench.mcap');
  /** Written anew by the case. */
  const made: Partial<Record<FileCaseName, string>> = {
    disk: file('disk'),
    'write-bin': bin,
    'index-bin': `${bin}.idx`,
    'bin-to-mcap': mcap,
    copy: file('disk'),
    'mcap-to-bin': file('back.bin'),
    'copy-back': file('disk'),
    'write-mcap': file('written.mcap'),
    'mcap-core': file('written.mcap'),
  };
  const target = made[name];
  const runs: Record<FileCaseName, () => Promise<void>> = {
    disk: () => writeBlocks(target!, bytes),
    'write-bin': async () => {
      await using writer = await EventFileWriter.open(file('bench'));
      for (let index = 0; index < batches; index++) await writer.write(batch);
    },
    'index-bin': async () => {
      await using reader = await openRecording(bin, { registry });
      const { count } = await reader.summary();
      if (count !== batches * batchEvents) throw new Error(`the index has ${count} events`);
    },
    'read-bin': async () => {
      await using reader = await openRecording(bin, { registry });
      let count = 0;
      for await (const events of reader.batches()) count += events.length;
      if (count !== batches * batchEvents) throw new Error(`${count} events were read`);
    },
    'bin-to-mcap': async () => {
      await using reader = await openRecording(bin, { registry });
      await convertRecording(reader, mcap, { registry, compression: 'none' });
    },
    // What the disk can do at best while it is read and written: the same bytes in, and as many out.
    copy: async () => copyBlocks(bin, target!, (await stat(mcap)).size),
    'read-mcap': async () => {
      await using reader = await openRecording(mcap, { registry });
      for await (const _ of reader.batches());
    },
    'mcap-to-bin': async () => {
      await using reader = await openRecording(mcap, { registry });
      await convertRecording(reader, target!, { registry });
    },
    'copy-back': () => copyBlocks(mcap, target!, bytes),
    'write-mcap': async () => {
      await using writer = await McapWriter.open(target!, { registry, compression: 'none' });
      for (let index = 0; index < batches; index++) await writer.write(batch);
    },
    'mcap-core': () => writeByCore(target!, batch, batches),
  };
  const batch = makeBatch(registry);
  if (target !== undefined) {
    await rm(target, { force: true });
    await useMemory(target, memoryFactor * bytes);
  }
  const startMs = performance.now();
  const before = process.cpuUsage();
  await runs[name]();
  const { user, system } = process.cpuUsage(before);
  const megabytesPerS = bytes / 1e3 / (performance.now() - startMs);
  return { megabytesPerS, cpuMsPerMb: ((user + system) * 1e3) / bytes };
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
