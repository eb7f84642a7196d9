import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { progressLine } from '../../src/cli/progress.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { startFurrow } from '../process.js';
import { registry, sample, samples } from '../recording/sample-events.js';

const folder = mkdtempSync(join(tmpdir(), 'furrow-recordings-'));
const field = join(folder, 'field');
const payload = Buffer.from(registry.encode('google.protobuf.StringValue', 'well'));

beforeAll(async () => {
  const writer = await EventFileWriter.open(field, { maxFileMb: 0.05 });
  await writer.write([sample({ path: '/header/map', payload }), ...samples(500, { payload })]);
  await writer.write(samples(100, { payload, atS: 130, sequence: 500, service: 'oak/0', path: '/imu' }));
  await writer.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function furrow(...args: readonly string[]): Promise<{ code: number | null; text: string; json: unknown[] }> {
  await using running = startFurrow([...args]);
  const { code } = await running.ended({ timeoutMs: 25_000 });
  const json = running.lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as unknown] : []));
  return { code, text: running.lines.join('\n'), json };
}

describe('furrow info', () => {
  it('says what is in a recording, and draws it', async () => {
    const png = join(folder, 'field.png');
    const [{ code, text }, { json }, wrong] = await Promise.all([
      furrow('info', field, '--plot', png),
      furrow('info', `${field}.0000.bin`, `${field}.0001.bin`, '--json'),
      furrow('info', join(folder, 'feild')),
    ]);
    expect(code).toBe(0);
    expect(text).toMatch(/field\.0000\.bin … .*field\.0003\.bin {2}\(bin, 4 files, 1\d\d kB\)/);
    expect(text).toContain('2025-06-15 15:08:20.000 UTC to 2025-06-15 15:09:09.900 UTC, 49.9 s');
    expect(text).toContain('601 events of 3 paths of 2 services');
    expect(text).toMatch(/agent-1\/sample +google\.protobuf\.StringValue +500 +3\.00 kB +10\.00 Hz +0 +100 ms/);
    expect(text).toMatch(/\/s ┤.*█/);
    expect(text).toMatch(/oak\/0\/imu │ +[▁-█]█+/);
    expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');
    expect(json).toMatchObject([{ format: 'bin', damage: [], files: [`${field}.0000.bin`, `${field}.0001.bin`] }]);
    expect(wrong.code).toBe(2);
    expect(wrong.text).toContain('did you mean "field"?');
  });
});

describe('furrow cut, merge and verify', () => {
  it('make recordings of recordings, and say whether they are whole', async () => {
    const [part, both, none] = [join(folder, 'part.mcap'), join(folder, 'both'), join(folder, 'none')];
    const [cut, wrong] = await Promise.all([
      furrow('cut', field, '--output', part, '--start', '10', '--end', '20', '--json'),
      furrow('cut', field, '--output', none, '--paths', 'agent-1/smaple'),
    ]);
    expect(cut.json).toEqual([{ files: [part], events: 101 }]);
    expect(wrong.code).toBe(2);
    expect(wrong.text).toContain('did you mean "agent-1/sample"?');
    // A wrong option makes no file.
    expect(existsSync(`${none}.0000.bin`)).toBe(false);
    const merged = await furrow('merge', part, field, '--output', both, '--json');
    expect(merged.json).toEqual([{ files: [`${both}.0000.bin`], events: 702 }]);
    const [verified, again] = await Promise.all([
      furrow('verify', part, both, '--json'),
      furrow('merge', part, field, '--output', both),
    ]);
    expect(verified.code).toBe(0);
    expect(verified.json).toMatchObject([
      { ok: true, events: 101 },
      { ok: true, events: 702 },
    ]);
    expect(again.code).toBe(2);
    expect(again.text).toContain('there is a recording at');
    truncateSync(`${both}.0000.bin`, 100_000);
    const torn = await furrow('verify', both);
    expect(torn.code).toBe(1);
    expect(torn.text).toMatch(/both\.0000\.bin: torn tail, \d+ bytes from byte \d+ on: it needs at least \d+ bytes/);
  });
});

describe('commands of recordings', () => {
  it('explain themselves with an example', async () => {
    for (const name of ['info', 'verify', 'cut', 'merge']) {
      const module = (await import(`../../src/cli/${name}.ts`)) as Record<string, () => Command>;
      const written: string[] = [];
      const command = module[`${name}Command`]?.();
      command?.configureOutput({ writeOut: (text) => void written.push(text) });
      command?.outputHelp();
      expect(written.join(''), name).toMatch(/Examples?:\n {2}\$ furrow /);
    }
  });

  it('show how far they have come', () => {
    const show = (amount: number): string => `${amount} B`;
    expect(progressLine('indexing', { done: 50, total: 200, elapsedS: 2, show })).toBe(
      'indexing  ██████░░░░░░░░░░░░░░░░░░  25 %  50 B of 200 B  6.00 s left',
    );
    expect(progressLine('indexing', { done: 0, total: 0, elapsedS: 0, show })).toContain('100 %');
  });
});
