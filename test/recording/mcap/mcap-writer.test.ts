import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { McapIndexedReader, McapStreamReader } from '@mcap/core';
import { loadDecompressHandlers, protobufFromBinaryDescriptor } from '@mcap/support';
import type protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { hasZstd } from '../../../src/recording/mcap/chunk-compression.js';
import { McapWriter } from '../../../src/recording/mcap/mcap-writer.js';
import type { RecordedEvent } from '../../../src/recording/recording.js';
import { nodeDisk, type RecordingDisk } from '../../../src/recording/recording-disk.js';
import { bootS, folder, readAll, registry, told } from '../sample-events.js';
import { drive, openByLibrary, openMcap, raw, typed, writeMcap } from './mcap-files.js';

const many: readonly RecordedEvent[] = [
  ...drive(400),
  typed('kept as text', { type: 'google.protobuf.StringValue', service: 'oak/0', path: '/note', atS: 141 }),
  typed(
    { name: 'p', subscriptions: [{ uri: { path: '/a' }, everyN: 2 }], metadata: { field: 'north' } },
    { type: 'farm_ng.core.proto.RecorderProfile', path: '/profile', sequence: 2 ** 40, atS: 142 },
  ),
];

const needsZstd = hasZstd ? '' : `(skipped: Node ${process.versions.node} cannot write zstd)`;

describe('an MCAP file', () => {
  it("is opened by MCAP's own library, by its index", async () => {
    const file = await writeMcap(many, { chunkBytes: 8000 });
    const library = await openByLibrary(file);
    expect(library.chunkIndexes.length).toBeGreaterThan(5);
    expect(library.statistics).toMatchObject({
      messageCount: 804n,
      chunkCount: library.chunkIndexes.length,
      messageStartTime: BigInt(bootS + 100) * 1_000_000_000n,
      messageEndTime: BigInt(bootS + 142) * 1_000_000_000n,
    });
    const topics = [...library.channelsById.values()].map(({ topic }) => topic);
    expect(topics.filter((topic) => !topic.endsWith('#event'))).toEqual([
      'agent-1/sample',
      'agent-1/state',
      'oak/0/note',
      'agent-1/profile',
    ]);
    const states: number[] = [];
    const from = BigInt(bootS + 110) * 1_000_000_000n;
    for await (const message of library.readMessages({
      topics: ['agent-1/state'],
      startTime: from,
      validateCrcs: true,
    })) {
      states.push(message.sequence);
      expect(message.publishTime).toBe(message.logTime - 250_000_000n);
    }
    expect(states).toEqual(Array.from({ length: 150 }, (_, index) => index + 50));
  });

  it('is read as a stream, too, checksums and all', async () => {
    const reader = new McapStreamReader({ validateCrcs: true });
    reader.append(await readFile(await writeMcap(many, { chunkBytes: 8000 })));
    let messages = 0;
    for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
      if (record.type === 'Message') messages++;
    }
    expect([messages, reader.done()]).toEqual([804, true]);
  });

  it.skipIf(!hasZstd)(`is compressed with zstd, which MCAP's own library reads ${needsZstd}`, async () => {
    const [file, plain] = [await writeMcap(many, { chunkBytes: 8000, compression: 'zstd' }), await writeMcap(many)];
    expect((await stat(file)).size).toBeLessThan((await stat(plain)).size / 2);
    const bytes = await readFile(file);
    const readable = {
      size: async () => BigInt(bytes.length),
      read: async (offset: bigint, length: bigint) => bytes.subarray(Number(offset), Number(offset + length)),
    };
    const decompressHandlers = await loadDecompressHandlers();
    const library = await McapIndexedReader.Initialize({ readable, decompressHandlers });
    expect(library.chunkIndexes.map(({ compression }) => compression)).toContain('zstd');
    let messages = 0;
    for await (const _ of library.readMessages({ validateCrcs: true })) messages++;
    expect(messages).toBe(804);
    expect((await readAll(await openMcap(file))).map(told)).toEqual(many.map(told));
  });

  it('describes every message by the schemas inside', async () => {
    const library = await openByLibrary(await writeMcap(many));
    const types = new Map<number, protobuf.Type>();
    for (const { id, name, encoding, data } of library.schemasById.values()) {
      expect(encoding).toBe('protobuf');
      types.set(id, protobufFromBinaryDescriptor(data).lookupType(name) as unknown as protobuf.Type);
    }
    const decoded = new Map<string, object[]>();
    for await (const { channelId, data } of library.readMessages()) {
      const { topic, schemaId } = library.channelsById.get(channelId)!;
      const message = types.get(schemaId)!.decode(data);
      const of = decoded.get(topic) ?? [];
      decoded.set(topic, [...of, types.get(schemaId)!.toObject(message, { longs: Number })]);
    }
    expect(decoded.get('agent-1/state')?.[7]).toEqual({
      fields: { val: { numberValue: 15 }, text: { stringValue: 'event 15' } },
    });
    expect(decoded.get('agent-1/profile')).toEqual([
      {
        name: 'p',
        subscriptions: [{ uri: { path: '/a' }, everyN: 2 }],
        metadata: { fields: { field: { stringValue: 'north' } } },
      },
    ]);
    expect(decoded.get('agent-1/profile#event')?.[0]).toMatchObject({
      uri: { scheme: 'protobuf', path: '/profile' },
      sequence: 2 ** 40,
    });
  });

  it('names no schema for a type that nobody knows, and keeps its bytes', async () => {
    const unknown = raw(Buffer.from([1, 2, 3]), {
      type: 'away.Type',
      pb: 'away.proto',
      service: 'agent-1',
      path: '/x',
      sequence: 5,
      atS: 1,
    });
    const file = await writeMcap([unknown]);
    const library = await openByLibrary(file);
    expect([...library.channelsById.values()][0]).toMatchObject({ schemaId: 0, messageEncoding: 'x-unknown' });
    expect((await readAll(await openMcap(file))).map(told)).toEqual([told(unknown)]);
  });

  it('holds messages larger than a chunk, and none at all', async () => {
    const large = typed('x'.repeat(300_000), { type: 'google.protobuf.StringValue' });
    const file = await writeMcap([large, ...drive(3)], { chunkBytes: 1000 });
    expect((await readAll(await openMcap(file))).map(told)).toEqual([large, ...drive(3)].map(told));
    const empty = await openMcap(await writeMcap([]));
    expect(await empty.summary()).toMatchObject({ count: 0, paths: [], damage: [], firstS: 0, lastS: 0 });
    expect((await openByLibrary(empty.files[0]!)).statistics?.messageCount).toBe(0n);
  });

  it('can be read to the last flush before it is closed', async () => {
    const file = join(await folder(), 'drive.mcap');
    await using writer = await McapWriter.open(file, { registry, compression: 'none' });
    await writer.write(drive(10));
    await writer.flush({ sync: true });
    await writer.write(drive(5));
    const damage: string[] = [];
    const read = await readAll(await openMcap(file), { onDamage: ({ kind }) => damage.push(kind) });
    expect(read.map(told)).toEqual(drive(10).map(told));
    expect(damage).toEqual(['tail']);
  });

  it('is never written over', async () => {
    const file = await writeMcap(drive(1));
    await expect(McapWriter.open(file, { registry })).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('ends with its last whole chunk when the disk is full', async () => {
    const file = join(await folder(), 'drive.mcap');
    const writer = await McapWriter.open(file, {
      registry,
      compression: 'none',
      chunkBytes: 5000,
      disk: diskOf(30_000),
    });
    const writing = async (): Promise<void> => {
      for (const event of drive(1000)) await writer.write([event]);
    };
    await expect(writing()).rejects.toMatchObject({ code: 'resource-exhausted' });
    await expect(writer.write(drive(1))).rejects.toMatchObject({ code: 'resource-exhausted' });
    await expect(writer.close()).rejects.toMatchObject({ code: 'resource-exhausted' });
    expect((await stat(file)).size).toBeLessThan(30_000);
    const read = await readAll(await openMcap(file));
    expect(read.length).toBeGreaterThan(20);
    expect(read.map(told)).toEqual(drive(1000).slice(0, read.length).map(told));
  });
});

/** A disk with room for so many bytes. */
function diskOf(bytes: number): RecordingDisk {
  let left = bytes;
  return {
    ...nodeDisk,
    create: async (file) => {
      const handle = await nodeDisk.create(file);
      return {
        datasync: () => handle.datasync(),
        truncate: (length) => handle.truncate(length),
        close: () => handle.close(),
        write: async (data, offset, length) => {
          if (left === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          const part = Math.min(length, left);
          left -= part;
          return handle.write(data, offset, part);
        },
      };
    },
  };
}
