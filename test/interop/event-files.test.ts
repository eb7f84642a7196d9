import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { folder, readAll, reader, record } from '../recording/sample-events.js';
import { describeWithPython, type PythonPeer } from './python-peer.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const golden = at('../vectors/event-file.bin');

interface PythonRecord {
  readonly name: string;
  readonly event: { readonly sequence?: string; readonly payloadLength?: string; readonly timestamps: unknown[] };
  readonly message: unknown;
}

function python({ python }: PythonPeer, ...args: readonly string[]): PythonRecord[] {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONIOENCODING: 'utf-8' };
  const { status, stdout, stderr } = spawnSync(python, [at('./python/event_file.py'), ...args], { env });
  if (status !== 0) throw new Error(`python3 event_file.py ${args.join(' ')}: ${stderr}`);
  const lines = stdout.toString().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as PythonRecord);
}

describe('the golden event file, which Python has written', () => {
  it('is read, message by message', async () => {
    const events = await readAll(reader(golden));
    expect(events).toHaveLength(15);
    expect(events.slice(0, 5).map(({ event }) => [event.service, event.path, event.sequence])).toEqual([
      ['oak/0', '/header/calibration', 0],
      ['agent-1', '/sample', 0],
      ['agent-1', '/größe', 0],
      ['agent-1', '/empty', 0],
      ['agent-1', '/image', 0],
    ]);
    expect(events.slice(0, 4).map(({ event }) => event.message)).toEqual([
      'fx=1',
      { sample: 0.5, task_id: 1 },
      9007199254740991n,
      {},
    ]);
    expect(events[4]?.event.message).toHaveLength(1200);
    // The time of writing, made Unix time by the stamps of sending.
    for (const [index, { timeS }] of events.entries()) expect(timeS).toBeCloseTo(1_700_000_100 + index / 10, 3);
    expect(events.at(-1)?.event.sequence).toBe(2);
  });

  it('is written byte for byte the same', async () => {
    const writer = await EventFileWriter.open(join(await folder(), 'copy'));
    const events = await readAll(reader(golden));
    await writer.write(events);
    await writer.close();
    expect(readFileSync(writer.files[0]!)).toEqual(readFileSync(golden));
    expect(Buffer.concat(events.map(record))).toEqual(readFileSync(golden));
  });
});

describeWithPython('Python', (peer) => {
  it('writes the golden event file', async () => {
    const file = join(await folder(), 'python.0000.bin');
    python(peer, 'write', file);
    expect(readFileSync(file)).toEqual(readFileSync(golden));
  });

  it('reads what we write, every file of it', async () => {
    const events = await readAll(reader(golden));
    const writer = await EventFileWriter.open(join(await folder(), 'ours'), { maxFileMb: 0.002 });
    await writer.write(events);
    await writer.close();
    expect(writer.files.length).toBeGreaterThan(1);
    const read = writer.files.flatMap((file, part) => {
      const records = python(peer, 'read', file);
      // Each file begins with the header again.
      expect(records[0]).toMatchObject({ name: 'oak/0/header/calibration', message: 'fx=1' });
      return part === 0 ? records : records.slice(1);
    });
    expect(read.map(({ name }) => name)).toEqual(events.map(({ event }) => `${event.service}${event.path}`));
    expect(read.map(({ event }) => Number(event.sequence ?? 0))).toEqual(events.map(({ event }) => event.sequence));
    expect(read.map(({ event }) => Number(event.payloadLength ?? 0))).toEqual(
      events.map(({ event }) => event.payload.length),
    );
    expect(read[1]?.message).toEqual({ sample: 0.5, task_id: 1 });
  });
});
