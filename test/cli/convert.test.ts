import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { startFurrow } from '../process.js';
import { drive } from '../recording/mcap/mcap-files.js';

const home = mkdtempSync(join(tmpdir(), 'furrow-convert-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

beforeAll(async () => {
  await using writer = await EventFileWriter.open(join(home, 'drive'));
  await writer.write(drive(100));
});

interface Ended {
  readonly code: number | null;
  readonly lines: readonly string[];
}

function convert(...args: readonly string[]): Promise<Ended> {
  return convertWith({}, ...args);
}

async function convertWith(env: Record<string, string>, ...args: readonly string[]): Promise<Ended> {
  await using running = startFurrow(['convert', ...args], { cwd: home, env });
  const { code } = await running.ended({ timeoutMs: 25_000 });
  return { code, lines: running.lines };
}

describe('furrow convert', () => {
  it('makes MCAP of event files, and the same event file of that', async () => {
    const there = await convert('drive', 'drive.mcap', '--compression', 'none', '--json');
    expect(there.code).toBe(0);
    expect(JSON.parse(there.lines[0]!)).toMatchObject({
      format: 'mcap',
      files: ['drive.mcap'],
      events: 100,
      undecoded: 0,
      damage: [],
    });
    const back = await convert('drive.mcap', 'back.bin');
    expect(back.code).toBe(0);
    expect(back.lines[0]).toBe('back.bin');
    expect(back.lines[1]).toMatch(/^furrow convert: 100 events, [\d.]+ kB in /);
    expect(readFileSync(join(home, 'back.bin'))).toEqual(readFileSync(join(home, 'drive.0000.bin')));
  });

  it('writes the same where Node has no WebAssembly', async () => {
    const env = { NODE_OPTIONS: '--jitless' };
    expect((await convertWith({}, 'drive', 'with.mcap', '--compression', 'none')).code).toBe(0);
    expect((await convertWith(env, 'drive', 'without.mcap', '--compression', 'none')).code).toBe(0);
    expect(readFileSync(join(home, 'without.mcap')).equals(readFileSync(join(home, 'with.mcap')))).toBe(true);
    expect((await convertWith(env, 'with.mcap', 'without.bin')).code).toBe(0);
    expect(readFileSync(join(home, 'without.bin')).equals(readFileSync(join(home, 'drive.0000.bin')))).toBe(true);
  });

  it('ends at Ctrl-C without a trace', async () => {
    // Long enough that nobody is done before the signal comes.
    const part = drive(2000);
    await using writer = await EventFileWriter.open(join(home, 'large'));
    for (let repeat = 0; repeat < 100; repeat++) await writer.write(part);
    await writer.close();
    await using running = startFurrow(['convert', 'large', 'large.jsonl'], { cwd: home });
    await expect
      .poll(() => readdirSync(home).some((name) => name.endsWith('.partial')), { timeout: 20_000 })
      .toBe(true);
    running.signal('SIGINT');
    expect(await running.ended()).toEqual({ code: 1, signal: null });
    expect(running.lines.at(-1)).toBe('furrow convert: interrupted');
    expect(readdirSync(home).filter((name) => name.includes('large.jsonl'))).toEqual([]);
  });

  it('says what is wrong with what it is asked for, and makes nothing', async () => {
    const before = await readdir(home);
    const [format, path, away] = await Promise.all([
      convert('drive', 'drive.db3'),
      convert('drive', 'x.csv', '--paths', 'agent-1/smaple'),
      convert('drve', 'x.csv'),
    ]);
    expect([format?.code, path?.code, away?.code]).toEqual([2, 2, 2]);
    expect(format?.lines.join()).toContain('".parquet"');
    expect(path?.lines.join()).toContain('did you mean "agent-1/sample"?');
    expect(away?.lines.join()).toContain('did you mean "drive');
    expect((await readdir(home)).filter((name) => !name.endsWith('.idx'))).toEqual(before);
  });
});
