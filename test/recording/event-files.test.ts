import { appendFile, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { openRecording, recordingFiles } from '../../src/recording/open-recording.js';
import type { RecordedEvent } from '../../src/recording/recording.js';
import { bootS, folder, readAll, reader, record, registry, sample, samples, sequences, told } from './sample-events.js';

const anySample = fc
  .record({
    service: fc.constantFrom('agent-1', 'oak/0', 'ä'),
    path: fc.constantFrom('/sample', '/a/b', '/header/x', '/unit ✓'),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    payload: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    atS: fc.integer({ min: 0, max: 1000 }),
    stamped: fc.boolean(),
  })
  .map(sample);

async function write(base: string, events: readonly RecordedEvent[], options = {}): Promise<readonly string[]> {
  await using writer = await EventFileWriter.open(base, { sync: 'none', ...options });
  await writer.write(events);
  await writer.close();
  return writer.files;
}

describe('event files', () => {
  it('are records of the contract and nothing else', async () => {
    const base = join(await folder(), 'drive');
    const events = samples(3);
    const files = await write(base, events);
    expect(files).toEqual([`${base}.0000.bin`]);
    expect(await readFile(files[0]!)).toEqual(Buffer.concat(events.map(record)));
  });

  it('give back every sequence of events, byte for byte', async () => {
    const home = await folder();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(anySample, { maxLength: 30 }), { maxLength: 8 }), async (batches) => {
        const base = join(home, `run-${run++}`);
        const writer = await EventFileWriter.open(base, { sync: 'none' });
        for (const batch of batches) await writer.write(batch);
        await writer.close();
        const back = await readAll(reader(...writer.files));
        expect(back.map(told)).toEqual(batches.flat().map(told));
      }),
      { numRuns: 60 },
    );
  });

  it('start anew when one is long, with its headers first', async () => {
    const base = join(await folder(), 'drive');
    const header = sample({ path: '/header/calibration', payload: Buffer.from('camera'), atS: 99 });
    const events = [header, ...samples(100, { payload: Buffer.alloc(100) })];
    const files = await write(base, events, { maxFileMb: 0.005 });
    expect(files.length).toBeGreaterThan(3);
    for (const file of files.slice(0, -1)) expect((await stat(file)).size).toBeGreaterThan(5000);
    for (const file of files) {
      const [first] = await readAll(reader(file));
      expect(first?.event.path).toBe('/header/calibration');
      expect(first?.event.payload.toString()).toBe('camera');
    }
    // Together they are the recording: what is repeated comes once.
    const all = await openRecording(base, { registry });
    expect(all.files).toEqual(files);
    expect((await readAll(all)).map(told)).toEqual(events.map(told));
    const summary = await all.summary();
    expect(summary).toMatchObject({ count: 101, damage: [], firstS: bootS + 99 });
    expect(summary.paths.map(({ path, count, missing }) => [path, count, missing])).toEqual([
      ['/header/calibration', 1, 0],
      ['/sample', 100, 0],
    ]);
  });

  it('repeat headers as of the time of the new file', async () => {
    const base = join(await folder(), 'drive');
    const events = [sample({ path: '/header/x', atS: 10 }), sample({ atS: 11 }), sample({ sequence: 1, atS: 80 })];
    const files = await write(base, events, { maxFileS: 60 });
    expect(files).toHaveLength(2);
    const second = await readAll(reader(files[1]!));
    expect(second.map(({ event, timeS }) => [event.path, timeS])).toEqual([
      ['/header/x', bootS + 80],
      ['/sample', bootS + 80],
    ]);
    expect(second[0]?.event.timestamps).toHaveLength(3);
  });

  it('are never written over', async () => {
    const base = join(await folder(), 'drive');
    await write(base, samples(1));
    await expect(EventFileWriter.open(base)).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(EventFileWriter.open(`${base}.0000.bin`)).rejects.toThrow(/drive already \(drive\.0000\.bin\)/);
  });

  it('take no event that would damage them, and keep what came before it', async () => {
    const base = join(await folder(), 'drive');
    const [good, bad] = samples(2);
    const cut = new MeshEvent(bad!.event.eventBytes, Buffer.from('short'), { registry, unknownType: () => undefined });
    const writer = await EventFileWriter.open(base);
    await expect(writer.write([good!, { ...bad!, event: cut }])).rejects.toThrow(
      /event 1 of agent-1\/sample says .* 9 bytes; it has 5/,
    );
    await writer.write(samples(1, { sequence: 7 }));
    await writer.close();
    expect(sequences(await readAll(reader(...writer.files)))).toEqual([0, 7]);
  });
});

describe('reading', () => {
  it('begins and ends where it is told, and takes the paths it is told', async () => {
    const base = join(await folder(), 'drive');
    const both = samples(2000).flatMap((one, index) => [
      one,
      sample({ service: 'oak/0', path: '/imu', sequence: index, atS: 100 + index / 10 }),
    ]);
    await write(base, both);
    const recording = await openRecording(`${base}.0000.bin`, { registry });
    const part = await readAll(recording, { startS: 50, endS: 60, paths: ['oak/0/*'] });
    expect(sequences(part)).toEqual(Array.from({ length: 100 }, (_, index) => 500 + index));
    expect(new Set(part.map(({ event }) => event.service))).toEqual(new Set(['oak/0']));
    expect(await readAll(recording, { startS: 1e6 })).toEqual([]);
    await expect(readAll(recording, { paths: ['oak/0/imo'] })).rejects.toThrow(/did you mean "oak\/0\/imu"/);
  });

  it('keeps an index beside the file, and makes it anew when the file has changed', async () => {
    const base = join(await folder(), 'drive');
    const [file = ''] = await write(base, samples(50));
    const index = `${file}.idx`;
    await reader(file).summary();
    const first = await readFile(index, 'utf8');
    await writeFile(index, first.replaceAll('/sample', '/kept'));
    expect((await reader(file).summary()).paths[0]?.path).toBe('/kept');
    await utimes(file, 1, 1);
    expect((await reader(file).summary()).paths[0]?.path).toBe('/sample');
    await writeFile(index, first.slice(0, 40));
    expect((await reader(file).summary()).count).toBe(50);
    await appendFile(file, record(sample({ sequence: 50, atS: 105 })));
    expect((await reader(file).summary()).count).toBe(51);
  });

  it('reads what is whole of a file that is being written', async () => {
    const base = join(await folder(), 'drive');
    const writer = await EventFileWriter.open(base, { sync: 'each' });
    await writer.write(samples(10));
    await appendFile(`${base}.0000.bin`, record(sample({ sequence: 10 })).subarray(0, 30));
    const damage: unknown[] = [];
    const events = await readAll(reader(...writer.files), { onDamage: (one) => damage.push(one) });
    expect(sequences(events)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(damage).toMatchObject([{ kind: 'tail', bytes: 30 }]);
    await writer.close();
  });

  it('stops when it is told to, and can begin again', async () => {
    const base = join(await folder(), 'drive');
    const [file = ''] = await write(base, samples(5000));
    const recording = reader(file);
    const stopped = AbortSignal.abort('enough');
    await expect(recording.summary({ signal: stopped })).rejects.toMatchObject({ code: 'cancelled', cause: 'enough' });
    const controller = new AbortController();
    const reading = readAll(recording, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
    expect((await recording.summary()).count).toBe(5000);
  });

  it('counts what is missing between sequences', async () => {
    const base = join(await folder(), 'drive');
    const numbers = [5, 6, 9, 10, 0, 1, 3];
    await write(
      base,
      numbers.map((sequence, index) => sample({ sequence, atS: index })),
    );
    const { paths } = await (await openRecording(base, { registry })).summary();
    expect(paths).toMatchObject([{ count: 7, missing: 3, firstS: bootS, lastS: bootS + 6, payloadBytes: 49 }]);
  });

  it('takes the time of sending where a file has no stamps of writing', async () => {
    const base = join(await folder(), 'drive');
    const [file = ''] = await write(base, samples(3, { stamped: false }));
    expect((await readAll(reader(file))).map(({ timeS }) => timeS)).toEqual([
      bootS + 100,
      bootS + 100.1,
      bootS + 100.2,
    ]);
  });

  it('takes the time of the event before where a stamp is no time', async () => {
    const base = join(await folder(), 'drive');
    const odd = [Number.NaN, Number.POSITIVE_INFINITY].map((atS) => sample({ atS }));
    const [file = ''] = await write(base, [sample({ atS: 100 }), ...odd, sample({ atS: 101 })]);
    const times = [100, 100, 100, 101].map((atS) => bootS + atS);
    expect((await readAll(reader(file))).map(({ timeS }) => timeS)).toEqual(times);
    expect((await readAll(reader(file), { startS: 0.5 })).map(({ timeS }) => timeS)).toEqual(times.slice(3));
  });

  it('says which recordings there are when the name is wrong', async () => {
    const home = await folder();
    await write(join(home, 'drive'), samples(1));
    await expect(recordingFiles(join(home, 'drife'))).rejects.toThrow(/did you mean "drive"/);
    await expect(recordingFiles(join(home, 'nothing at all'))).rejects.toMatchObject({ code: 'not-found' });
  });
});
