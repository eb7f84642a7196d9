import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from 'furrow';
import { startMesh } from 'furrow/testing';
import { afterAll, afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { everyPath } from '../../src/recording/recorded-paths.js';
import { Recorder } from '../../src/recording/recorder.js';
import type { Damage } from '../../src/recording/recording.js';
import { openOutput } from '../../src/recording/recording-output.js';
import { subscribersOf, until } from '../mesh/running.js';
import { startFurrow } from '../process.js';
import { registry, sample } from '../recording/sample-events.js';

const home = mkdtempSync(join(tmpdir(), 'furrow-full-'));
const disk = join(home, 'disk');
const isMounted =
  spawnSync('mkdir', [disk]).status === 0 &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]).status === 0;
const why = isMounted ? '' : ' (skipped: no file system can be mounted here)';

afterAll(() => {
  if (isMounted) spawnSync('umount', ['-l', disk]);
  rmSync(home, { recursive: true, force: true });
});
afterEach(() => {
  for (const name of readdirSync(disk)) rmSync(join(disk, name));
});

const path = '/text';
const uris = [
  {
    scheme: 'protobuf',
    path,
    query: 'type=google.protobuf.StringValue&pb=google/protobuf/wrappers.proto&history=5',
  },
];

function configText(port: number): string {
  return JSON.stringify({ configs: [{ name: 'agent-1', host: '127.0.0.1', port, uris }] });
}

/** A mesh whose only service publishes half a megabyte whenever it is told. */
async function runMesh() {
  const running = await startMesh(parseConfig(configText(5001), 'test.json'), {}, { registry });
  onTestFinished(() => running.close());
  const service = running.service('agent-1');
  const publish = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) await service.publish(path, 'x'.repeat(500_000));
  };
  return { running, service, publish };
}

/** Numbers of the events in a recording, and what is damaged of it. */
async function read(base: string): Promise<{ readonly sequences: number[]; readonly damage: Damage[] }> {
  await using recording = await openRecording(base, { registry });
  const sequences: number[] = [];
  const damage: Damage[] = [];
  for await (const batch of recording.batches({ onDamage: (one) => damage.push(one) })) {
    sequences.push(...batch.map(({ event }) => event.sequence));
  }
  return { sequences, damage };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe.skipIf(!isMounted)(`a disk of 8 MB that runs full${why}`, () => {
  it.each(['bin', 'mcap'] as const)('ends a recording as %s with a complete file that can be read', async (format) => {
    const { running, service, publish } = await runMesh();
    const base = join(disk, 'recording');
    const recorder = await Recorder.start(running.mesh, everyPath(running.config), {
      open: () => openOutput(base, { registry, format }),
    });
    await until(() => subscribersOf(service).length === 1);
    await publish(40);
    const report = await recorder.ended;
    expect(report.error).toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('disk is full'),
    });
    const { sequences } = await read(report.files[0]!);
    expect(sequences.length).toBeGreaterThan(5);
    expect(sequences).toEqual(upTo(sequences.length));
  });

  it('ends `furrow record`, which says so', async () => {
    const { running, service, publish } = await runMesh();
    const file = join(home, 'mesh.json');
    writeFileSync(file, configText(running.config.services[0]!.port!));
    const base = join(disk, 'told');
    const args = ['record', '--output', base, '--min-free-mb', '0.001', '-c', file];
    await using recording = startFurrow(args, { cwd: home });
    await until(() => subscribersOf(service).length === 1);
    await publish(40);
    expect(await recording.ended({ timeoutMs: 20_000 })).toEqual({ code: 1, signal: null });
    expect(recording.lines.join('\n')).toMatch(/disk is full \(ENOSPC\)/);
    const { sequences, damage } = await read(base);
    expect(sequences.length).toBeGreaterThan(5);
    expect(sequences).toEqual(upTo(sequences.length));
    expect(damage).toEqual([]);
  });

  it.each(['mcap', 'bin', 'parquet'])('ends `furrow convert` to .%s without a trace', async (format) => {
    const base = join(home, `large-${format}`);
    await using writer = await EventFileWriter.open(base);
    // Random letters as StringValue: nothing makes them shorter.
    for (let index = 0; index < 400; index++) {
      const letters = randomBytes(15_000).toString('hex');
      const payload = Buffer.from(registry.encode('google.protobuf.StringValue', letters));
      await writer.write([sample({ sequence: index, atS: 100 + index, payload })]);
    }
    await writer.close();
    const kept = join(disk, 'kept.txt');
    writeFileSync(kept, 'kept');
    const output = join(disk, `out.${format}`);
    await using running = startFurrow([
      'convert',
      base,
      output,
      ...(format === 'mcap' ? ['--compression', 'none'] : []),
    ]);
    expect(await running.ended({ timeoutMs: 25_000 })).toEqual({ code: 1, signal: null });
    expect(running.lines.join('\n')).toMatch(/disk is full \(ENOSPC\)/);
    expect(readdirSync(disk)).toEqual(['kept.txt']);
  });
});
