import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { McapReader } from '../../../src/recording/mcap/mcap-reader.js';
import { openRecording } from '../../../src/recording/open-recording.js';
import type { Damage } from '../../../src/recording/recording.js';
import { folder, readAll, registry, sample, sequences, told } from '../sample-events.js';
import { drive, openByLibrary, openMcap, writeMcap } from './mcap-files.js';

const anySample = fc
  .record({
    service: fc.constantFrom('agent-1', 'oak/0', 'ä'),
    path: fc.constantFrom('/sample', '/a/b', '/header/x', '/unit ✓'),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    payload: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    atS: fc.integer({ min: 0, max: 1e9 }).map((micros) => micros / 1e6),
    stamped: fc.boolean(),
  })
  .map(sample);

describe('reading an MCAP file', () => {
  it('gives every event as it was recorded, in its order, bytes and time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anySample, { maxLength: 60 }), async (events) => {
        const file = await writeMcap(events, { chunkBytes: 2000 });
        await using reader = await McapReader.open([file], { registry });
        const back = await readAll(reader);
        expect(back.map(told)).toEqual(events.map(told));
        expect(back.map(({ timeS }) => timeS)).toEqual(events.map(({ timeS }) => timeS));
      }),
      { numRuns: 40 },
    );
  });

  it('takes a part by time and by path', async () => {
    const reader = await openMcap(await writeMcap(drive(100), { chunkBytes: 3000 }));
    const part = await readAll(reader, { startS: 2, endS: 3, paths: ['agent-1/state'] });
    expect(sequences(part)).toEqual([10, 11, 12, 13, 14]);
    expect(await readAll(reader, { paths: ['agent-1/*'] })).toHaveLength(100);
    await expect(readAll(reader, { paths: ['agent-1/stat'] })).rejects.toThrow('did you mean "agent-1/state"?');
  });

  it('sums up what it holds, without reading it where furrow kept it', async () => {
    const events = drive(100).filter((_, index) => index !== 40 && index !== 42);
    const file = await writeMcap(events, { chunkBytes: 3000 });
    const kept = await (await openMcap(file)).summary();
    expect(kept).toMatchObject({ format: 'mcap', count: 98, bytes: (await stat(file)).size, damage: [] });
    expect(kept.lastS - kept.firstS).toBeCloseTo(9.9);
    expect(kept.paths.map(({ path, count, missing }) => [path, count, missing])).toEqual([
      ['/sample', 48, 2],
      ['/state', 50, 0],
    ]);
    const bytes = await readFile(file);
    const open = join(await folder(), 'open.mcap');
    // Without its end: the events themselves tell.
    const library = await openByLibrary(file);
    await writeFile(open, bytes.subarray(0, Number(library.dataEndOffset)));
    const { paths } = await (await openMcap(open)).summary();
    expect(paths).toEqual(kept.paths);
  });

  it('loses only the tail by any truncation', async () => {
    const events = drive(60);
    const bytes = await readFile(await writeMcap(events, { chunkBytes: 3000 }));
    const file = join(await folder(), 'torn.mcap');
    let before = -1;
    for (let length = 8; length < bytes.length; length += 131) {
      await writeFile(file, bytes.subarray(0, length));
      const damage: Damage[] = [];
      await using reader = await McapReader.open([file], { registry });
      const read = await readAll(reader, { onDamage: (one) => damage.push(one) });
      expect(read.map(told)).toEqual(events.slice(0, read.length).map(told));
      expect(read.length).toBeGreaterThanOrEqual(before);
      expect(damage.map(({ kind }) => kind)).toEqual(['tail']);
      expect(damage[0]!.offset + damage[0]!.bytes).toBe(length);
      before = read.length;
    }
    expect(before).toBe(60);
  });

  it('says where a torn file ends: behind its last whole message', async () => {
    const bytes = await readFile(await writeMcap(drive(10)));
    const file = join(await folder(), 'torn.mcap');
    // Within the Event of the last event: its payload stands there, but is of no use.
    const last = bytes.lastIndexOf(Buffer.from('file/write'));
    await writeFile(file, bytes.subarray(0, last));
    const damage: Damage[] = [];
    const read = await readAll(await openMcap(file), { onDamage: (one) => damage.push(one) });
    expect(read).toHaveLength(9);
    expect(bytes[damage[0]!.offset]).toBe(0x05);
    expect(damage[0]!.offset).toBeLessThan(last);
  });

  it('passes over a damaged chunk and says which', async () => {
    const events = drive(60);
    const file = await writeMcap(events, { chunkBytes: 3000 });
    const bytes = await readFile(file);
    const { chunkIndexes, dataEndOffset } = await openByLibrary(file);
    const [, second] = chunkIndexes;
    const at = Number(second!.chunkStartOffset);
    bytes[at + 500]! ^= 0xff;
    const closed = join(await folder(), 'closed.mcap');
    const open = join(await folder(), 'open.mcap');
    await writeFile(closed, bytes);
    await writeFile(open, bytes.subarray(0, Number(dataEndOffset)));
    const results = [];
    for (const name of [closed, open]) {
      const damage: Damage[] = [];
      const read = await readAll(await openMcap(name), { onDamage: (one) => damage.push(one) });
      expect(damage[0]).toMatchObject({ offset: at, bytes: Number(second!.chunkLength), kind: 'middle' });
      expect(read.length).toBeGreaterThan(40);
      expect(read.length).toBeLessThan(60);
      results.push(read.map(told));
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('finds the next chunk behind bytes that are no record', async () => {
    const events = drive(60);
    const file = await writeMcap(events, { chunkBytes: 3000 });
    const bytes = await readFile(file);
    const { chunkIndexes, dataEndOffset } = await openByLibrary(file);
    const at = Number(chunkIndexes[1]!.chunkStartOffset);
    const open = join(await folder(), 'open.mcap');
    const noise = Buffer.from(Array.from({ length: 999 }, (_, index) => (index * 7) % 256));
    await writeFile(open, Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at, Number(dataEndOffset))]));
    const damage: Damage[] = [];
    const read = await readAll(await openMcap(open), { onDamage: (one) => damage.push(one) });
    expect(read.map(told)).toEqual(events.map(told));
    expect(damage).toMatchObject([{ offset: at, bytes: 999, kind: 'middle' }, { kind: 'tail' }]);
  });

  it('ends when it is told to', async () => {
    const reader = await openMcap(await writeMcap(drive(100), { chunkBytes: 2000 }));
    const stop = new AbortController();
    const reading = async (): Promise<void> => {
      for await (const batch of reader.batches({ signal: stop.signal }))
        if (batch.length > 0) stop.abort(new Error('enough'));
    };
    await expect(reading()).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('is what openRecording gives for such a file, whatever its name', async () => {
    const file = join(await folder(), 'drive.dat');
    await writeFile(file, await readFile(await writeMcap(drive(5))));
    await using reader = await openRecording(file, { registry });
    expect(reader).toBeInstanceOf(McapReader);
    expect(sequences(await readAll(reader))).toEqual([0, 0, 1, 1, 2]);
  });
});
