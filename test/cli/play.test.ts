import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Gap } from '../../src/mesh/sequence-tracker.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { clientAt, gather, until } from '../mesh/running.js';
import { writeConfig } from '../mesh-config.js';
import { freePorts, startFurrow } from '../process.js';
import { type Line, MemoryRecording } from '../recording/memory-recording.js';

vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), 'furrow-play-'));
const base = join(folder, 'field');
const file = `${base}.0000.bin`;
const lines: readonly Line[] = Array.from({ length: 30 }, (_, index) => ({
  path: index % 3 === 0 ? 'arm/state' : 'gps/pvt',
  atS: index * 0.01,
  // Two of three are the gps's.
  sequence: 100 + (index % 3 === 0 ? index / 3 : index - Math.ceil(index / 3)),
}));
let port: number;
let config: string;

beforeAll(async () => {
  await using writer = await EventFileWriter.open(base);
  for await (const batch of new MemoryRecording(lines).batches()) await writer.write(batch);
  [port] = (await freePorts(1)) as [number];
  config = writeConfig(folder, [{ name: 'gps', host: 'localhost', port }]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function play(...args: readonly string[]) {
  await using player = startFurrow(['play', ...args], { cwd: folder });
  const { code } = await player.ended();
  return { code, lines: player.lines };
}

test('says what is where, and what it has done', async () => {
  const { code, lines: said } = await play('field', '--rate', '2');
  expect(code).toBe(0);
  expect(said.map((line) => line.replace(/ {2,}/g, ' | '))).toEqual([
    'SERVICE | ADDRESS | PATHS | EVENTS',
    expect.stringMatching(/^arm \| localhost:\d+ \| 1 \| 10$/),
    `gps | localhost:${port} | 1 | 20`,
    expect.stringMatching(/^player \| localhost:\d+ \| – \| –$/),
    'field.0000.bin: 290 ms',
    expect.stringMatching(/^30 events played, late by [\d.]+ ms \(p50\) and [\d.]+ ms \(p99\)/),
  ]);
});

test('plays what is asked for, as JSON lines, on free ports', async () => {
  const { code, lines: said } = await play(
    ...[file, '--json', '--free-ports', '--rate', 'max', '--start', '0.1', '--end', '0.2', '--paths', 'gps/*'],
  );
  expect(code).toBe(0);
  const [started, ended] = said.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(started).toMatchObject({
    event: 'started',
    files: [file],
    player: { service: 'player', host: 'localhost', port: expect.any(Number) },
    services: [{ service: 'gps', host: 'localhost', port: expect.any(Number), paths: 1, events: 20 }],
  });
  expect((started!.services as { port: number }[])[0]!.port).not.toBe(port);
  expect(started!.durationS).toBeCloseTo(0.29);
  expect(ended).toMatchObject({ event: 'ended', skipped: 0, loops: 0, lateS: 0 });
});

test.concurrent.each([
  ['a recording that is not there', ['fiel'], 2, /there is no recording of that name; did you mean "field"/],
  ['a path that is not in it', ['field', '--paths', 'gps/pvd'], 2, /"gps\/pvd" is not in the recording; did you mean/],
  ['a rate that is none', ['field', '--rate', 'fast'], 2, /Write a number above 0, or max/],
  ['a configuration that is not there', ['field', '-c', 'other.json'], 2, /other\.json/],
])('refuses %s', async (_, args, code, message) => {
  const refused = await play(...args);
  expect(refused.code).toBe(code);
  expect(refused.lines.join('\n')).toMatch(message);
});

test('refuses a port in use, and says what to do', async () => {
  await using first = startFurrow(['play', 'field', '--step'], { cwd: folder });
  await first.line(/^player /);
  const { code, lines: said } = await play('field');
  expect(code).toBe(4);
  expect(said.join('\n')).toMatch(
    new RegExp(`${port}.*is the machine itself running\\? Stop it, or play on free ports`),
  );
  first.signal('SIGINT');
  expect(await first.ended()).toEqual({ code: 0, signal: null });
  expect(first.lines.at(-1)).toBe('0 events played');
});

test('plays a recording whose end was torn off, and says so', async () => {
  const torn = join(folder, 'torn');
  await using writer = await EventFileWriter.open(torn);
  for await (const batch of new MemoryRecording(lines).batches()) await writer.write(batch);
  await writer.close();
  truncateSync(writer.files[0]!, statSync(writer.files[0]!).size - 3);
  const { code, lines: said } = await play('torn', '--rate', 'max');
  expect(code).toBe(0);
  expect(said.join('\n')).toMatch(/torn\.0000\.bin: torn tail, \d+ bytes from byte \d+ on/);
  expect(said.at(-1)).toBe('29 events played');
});

test('killed and started again, again and again: subscribers come back and miss nothing', async () => {
  const client = clientAt(port, { name: 'gps', host: 'localhost' });
  const stream = client.events('/pvt');
  const gone: Gap[] = [];
  stream.gaps$.subscribe((gap) => gone.push(gap));
  const { items } = gather(stream);
  for (let round = 1; round <= 2; round += 1) {
    const before = items.length;
    const player = startFurrow(['play', 'field', '-c', config, '--loop', '--wait'], { cwd: folder });
    // Into the second loop, so that the kill comes in the midst of something.
    await until(() => items.length > before + 25);
    player.signal('SIGKILL');
    await player.exit;
    const sequences = items.slice(before).map(({ sequence }) => sequence);
    const pvt = lines.filter(({ path }) => path === 'gps/pvt').map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from(sequences, (_, index) => pvt[index % pvt.length]));
  }
  expect(gone).toEqual([]);
});
