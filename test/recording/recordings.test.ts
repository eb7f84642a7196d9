import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeEvent } from '../../src/messages/envelope.js';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { semantics } from '../../src/messages/timestamp.js';
import { eventUri } from '../../src/messages/uri.js';
import { analyzeRecording } from '../../src/recording/analyze-recording.js';
import { cutRecording } from '../../src/recording/cut-recording.js';
import { DurationCounts } from '../../src/recording/duration-counts.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { mergeRecordings } from '../../src/recording/merge-recordings.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { picture } from '../../src/recording/picture.js';
import { recordingPlot } from '../../src/recording/plot.js';
import type { RecordedEvent, RecordingReader } from '../../src/recording/recording.js';
import { openOutput } from '../../src/recording/recording-output.js';
import { verifyRecording } from '../../src/recording/verify-recording.js';
import { bootS, folder, readAll, registry, sample, samples, sequences, told } from './sample-events.js';

async function recording(events: readonly RecordedEvent[], base?: string): Promise<RecordingReader> {
  const writer = await EventFileWriter.open(base ?? join(await folder(), 'drive'), { sync: 'none' });
  await writer.write(events);
  await writer.close();
  return openRecording(writer.files, { registry });
}

/** An event of another machine, whose clocks began elsewhere. */
function foreign(atS: number, unixS: number, sequence: number): RecordedEvent {
  const payload = Buffer.from(registry.encode('google.protobuf.StringValue', 'far'));
  const uri = eventUri('far', '/far', 'google.protobuf.StringValue', 'google/protobuf/wrappers.proto', 'far');
  const timestamps = [
    { stamp: unixS, clockName: 'far/system_clock/UTC', semantics: semantics.serviceSend },
    { stamp: atS, clockName: 'far/monotonic', semantics: semantics.fileWrite },
  ];
  const bytes = encodeEvent({ uri, timestamps, payloadLength: payload.length, sequence });
  return { event: new MeshEvent(bytes, payload, { registry, unknownType: () => undefined }), timeS: unixS };
}

describe('cut', () => {
  const drive = [sample({ path: '/header/map', atS: 100 }), ...samples(100, { atS: 100 })];

  it.each(['bin', 'mcap'] as const)('copies a part, and what it needs to be understood, to %s', async (format) => {
    const source = await recording(drive);
    const output = await openOutput(join(await folder(), 'part'), { registry, format });
    const count = await cutRecording(source, output, { registry, startS: 5, endS: 6 });
    await output.close();
    await using cut = await openRecording(output.files, { registry });
    const part = await readAll(cut);
    expect(part).toHaveLength(count);
    expect(part[0]?.event.path).toBe('/header/map');
    expect(part[0]?.timeS).toBeCloseTo(bootS + 105, 3);
    const expected = drive.slice(51, 61).map(told);
    expect(part.slice(1).map(told)).toEqual(expected);
  });

  it('takes paths, and refuses an end before the start', async () => {
    const source = await recording(drive);
    await using output = await EventFileWriter.open(join(await folder(), 'part'));
    await expect(cutRecording(source, output, { registry, startS: 2, endS: 1 })).rejects.toThrow(/not behind/);
    expect(await cutRecording(source, output, { registry, startS: 1, paths: ['agent-1/header/*'] })).toBe(1);
    expect(await cutRecording(source, output, { registry, startS: 1, headers: false, endS: 2 })).toBe(10);
  });
});

describe('merge', () => {
  it('puts the events of several machines in the order of their times', async () => {
    const home = await folder();
    const near = await recording(samples(50, { atS: 100 }), join(home, 'near'));
    // Its clock says 7000 when ours says 102; in its file the system clock's stamp comes first.
    const far = await recording(
      Array.from({ length: 20 }, (_, index) => foreign(7000 + index / 10, bootS + 102.05 + index / 10, index)),
      join(home, 'far'),
    );
    const writer = await EventFileWriter.open(join(home, 'both'));
    expect(await mergeRecordings([near, far], writer)).toBe(70);
    await writer.close();
    const both = await readAll(await openRecording(writer.files, { registry }));
    const times = both.map(({ timeS }) => timeS);
    expect(times).toEqual([...times].sort((one, other) => one - other));
    expect(both.slice(20, 25).map(({ event }) => event.service)).toEqual([
      'agent-1',
      'far',
      'agent-1',
      'far',
      'agent-1',
    ]);
    const away = both.filter(({ event }) => event.service === 'far');
    expect(sequences(away)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(away[0]?.timeS).toBeCloseTo(bootS + 102.05, 3);
    expect(away[0]?.event.stamp(semantics.fileWrite)?.clockName).toBe('host/monotonic');
    // What was recorded on the clock of the first is copied to the byte.
    const own = both.filter(({ event }) => event.service === 'agent-1');
    expect(own.map(told)).toEqual(samples(50, { atS: 100 }).map(told));
  });

  it('joins .bin and .mcap, and an empty recording', async () => {
    const home = await folder();
    const one = await recording(samples(10, { atS: 200 }), join(home, 'one'));
    const none = await recording([], join(home, 'none'));
    await using output = await openOutput(join(home, 'two'), { registry, format: 'mcap' });
    await output.write(samples(10, { atS: 100, service: 'oak/0' }));
    await output.close();
    await using two = await openRecording(join(home, 'two.mcap'), { registry });
    const writer = await EventFileWriter.open(join(home, 'both'));
    expect(await mergeRecordings([one, none, two], writer)).toBe(20);
    await writer.close();
    const both = await readAll(await openRecording(join(home, 'both'), { registry }));
    expect(both.slice(0, 10).every(({ event }) => event.service === 'oak/0')).toBe(true);
  });
});

describe('verify', () => {
  it('finds payloads that are none of their type, and knows gaps from damage', async () => {
    const good = Buffer.from(registry.encode('google.protobuf.StringValue', 'well'));
    const source = await recording([
      sample({ payload: good, sequence: 0 }),
      sample({ payload: Buffer.from('nothing of the kind'), sequence: 1 }),
      sample({ payload: good, sequence: 5 }),
    ]);
    const found = await verifyRecording(source);
    expect(found).toMatchObject({ ok: false, events: 3, damage: [], wrongCount: 1, unknownTypes: [] });
    expect(found.wrong).toMatchObject([{ service: 'agent-1', path: '/sample', sequence: 1 }]);
    expect(found.gaps).toMatchObject([{ path: '/sample', missing: 3 }]);
  });
});

describe('analysis', () => {
  it('knows rates, silences and latencies of a recording', async () => {
    const events = [...samples(100, { atS: 100 }), ...samples(100, { atS: 130, sequence: 100 })];
    const analysis = await analyzeRecording(await recording(events), { columns: 40 });
    expect(analysis.durationS).toBeCloseTo(39.9);
    const [path] = analysis.paths;
    expect(path).toMatchObject({ count: 200, missing: 0 });
    expect(path?.rateHz).toBeCloseTo(199 / 39.9, 3);
    expect(path?.silentS).toBeCloseTo(20.1);
    expect(path?.columns.reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(path?.columns.slice(12, 28)).toEqual(new Array(16).fill(0));
    expect(path?.latencies).toMatchObject([{ from: 'service/send', to: 'file/write', count: 200, maxS: 0 }]);
  });

  it('is drawn, also when there is nothing to draw', async () => {
    const home = await folder();
    for (const [name, events] of Object.entries({ some: samples(50), one: samples(1), none: [] })) {
      const analysis = await analyzeRecording(await recording(events, join(home, name)));
      const png = await picture(recordingPlot(analysis));
      expect(png.subarray(1, 4).toString(), name).toBe('PNG');
    }
    await expect(stat(join(home, 'some.0000.bin.idx'))).resolves.toBeDefined();
  });

  it('gives quantiles to 2 %', () => {
    const times = new DurationCounts();
    for (let index = 1; index <= 1000; index++) times.add(index / 1000);
    expect(times.quantileS(0.5)).toBeGreaterThan(0.49);
    expect(times.quantileS(0.5)).toBeLessThan(0.511);
    expect(times.quantileS(0.99)).toBeLessThan(1.0);
    expect(times).toMatchObject({ count: 1000, minS: 0.001, maxS: 1, negative: 0 });
    times.add(-3);
    expect(times).toMatchObject({ negative: 1, minS: -3 });
    expect(new DurationCounts().quantileS(0.5)).toBeNaN();
  });
});
