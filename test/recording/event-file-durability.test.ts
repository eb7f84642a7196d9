import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { nodeDisk, type RecordingDisk } from '../../src/recording/recording-disk.js';
import { TestProcess, testProgram } from '../process.js';
import { folder, readAll, reader, record, registry, samples, sequences } from './sample-events.js';

/** A process that writes and never closes. */
function startWriter(...args: readonly string[]): TestProcess {
  return new TestProcess(process.execPath, [testProgram('recording/writer-to-kill'), ...args]);
}

async function readBack(base: string): Promise<number[]> {
  const recording = await openRecording(base, { registry });
  const { damage } = await recording.summary();
  expect(damage.filter(({ kind }) => kind === 'middle')).toEqual([]);
  return sequences(await readAll(recording));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('kill -9', () => {
  it.each([70, 301, 1050])('takes nothing that `sync: each` has acknowledged (after %i events)', async (untilCount) => {
    const base = join(await folder(), 'killed');
    await using writer = startWriter(base, 'each');
    await writer.line(new RegExp(`^${untilCount}$`));
    writer.signal('SIGKILL');
    await writer.exit;
    const said = Number(writer.lines.findLast((line) => /^\d+$/.test(line)));
    const found = await readBack(base);
    expect(found.length).toBeGreaterThanOrEqual(said);
    expect(found).toEqual(upTo(found.length));
  });

  it.each(['interval', 'none'])('takes nothing that `sync: %s` has handed over', async (sync) => {
    const base = join(await folder(), 'killed');
    await using writer = startWriter(base, sync, '700');
    await writer.line(/^700$/);
    await vi.waitFor(async () => expect(await readBack(base)).toHaveLength(700), { timeout: 10_000 });
    writer.signal('SIGKILL');
    await writer.exit;
    expect(await readBack(base)).toEqual(upTo(700));
  });
});

/** A disk that tells what is done to it, and can fail. */
class WatchedDisk implements RecordingDisk {
  readonly calls: string[] = [];
  /** Bytes that it has room for. */
  room = Number.POSITIVE_INFINITY;
  /** Bytes that one write takes at most. */
  most = Number.POSITIVE_INFINITY;
  syncFails = false;

  list = nodeDisk.list;
  syncDirectory = nodeDisk.syncDirectory;

  async create(file: string) {
    const handle = await nodeDisk.create(file);
    return {
      write: async (bytes: Buffer, offset: number, length: number) => {
        if (this.room === 0) throw failure('ENOSPC');
        const taken = Math.min(length, this.room, this.most);
        this.room -= taken;
        this.calls.push(`write ${taken}`);
        return handle.write(bytes, offset, taken);
      },
      datasync: async () => {
        this.calls.push('datasync');
        if (this.syncFails) throw failure('EIO');
        await handle.datasync();
      },
      truncate: (length?: number) => handle.truncate(length),
      close: () => handle.close(),
    };
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: the disk says no`), { code });
}

describe('a full disk', () => {
  // All records are of one size.
  const events = samples(20, { sequence: 1000, payload: Buffer.from('payload') });
  const bytes = Buffer.concat(events.map(record));
  const size = record(events[0]!).length;

  it.each([0, 1, size - 1, size, 5 * size + 17])('with room for %i bytes leaves whole records', async (room) => {
    const disk = Object.assign(new WatchedDisk(), { room });
    const base = join(await folder(), 'full');
    const writer = await EventFileWriter.open(base, { disk, sync: 'each' });
    const full = { code: 'resource-exhausted', message: expect.stringContaining('disk is full (ENOSPC)') };
    await expect(writer.write(events)).rejects.toMatchObject(full);
    await expect(writer.write(events)).rejects.toMatchObject(full);
    await writer.close();
    const left = Math.floor(room / size);
    expect(await readFile(writer.files[0]!)).toEqual(bytes.subarray(0, left * size));
  });

  it('is told by close() when no write could tell it', async () => {
    const disk = Object.assign(new WatchedDisk(), { room: 3 * size });
    const base = join(await folder(), 'full');
    const writer = await EventFileWriter.open(base, { disk, sync: 'none' });
    await writer.write(events);
    await expect(writer.close()).rejects.toMatchObject({ code: 'resource-exhausted' });
    expect(sequences(await readAll(reader(...writer.files)))).toEqual([1000, 1001, 1002]);
  });

  it('does not follow from a write that takes only a part', async () => {
    const disk = Object.assign(new WatchedDisk(), { most: 7 });
    const base = join(await folder(), 'slow');
    const writer = await EventFileWriter.open(base, { disk });
    await writer.write(events);
    await writer.close();
    expect(await readFile(writer.files[0]!)).toEqual(bytes);
  });

  it('is another fault than a disk that fails', async () => {
    const disk = Object.assign(new WatchedDisk(), { syncFails: true });
    const writer = await EventFileWriter.open(join(await folder(), 'broken'), { disk, sync: 'each' });
    await expect(writer.write(events)).rejects.toMatchObject({ code: 'internal' });
    await writer.close();
  });
});

describe('what is on disk when', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  async function watched(options: object): Promise<{ disk: WatchedDisk; writer: EventFileWriter }> {
    const disk = new WatchedDisk();
    return { disk, writer: await EventFileWriter.open(join(await folder(), 'watched'), { disk, ...options }) };
  }

  it('each: on disk before write() resolves, one sync for the writes that wait', async () => {
    const { disk, writer } = await watched({ sync: 'each' });
    await writer.write(samples(1));
    expect(disk.calls.at(-1)).toBe('datasync');
    disk.calls.length = 0;
    await Promise.all(samples(100).map((event) => writer.write([event])));
    expect(disk.calls.at(-1)).toBe('datasync');
    expect(disk.calls.length).toBeLessThanOrEqual(6);
    await writer.close();
  });

  it('interval: handed over within flushMs, on disk within syncMs, many events in one call', async () => {
    const { disk, writer } = await watched({ sync: 'interval', flushMs: 50, syncMs: 400 });
    for (const event of samples(100)) await writer.write([event]);
    expect(disk.calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(50);
    await vi.waitFor(() => expect(disk.calls).toHaveLength(1));
    await writer.write(samples(1));
    await vi.advanceTimersByTimeAsync(150);
    await vi.waitFor(() => expect(disk.calls).toHaveLength(3));
    expect(disk.calls.at(-1)).toBe('datasync');
    // Without events nothing is synced.
    await vi.advanceTimersByTimeAsync(2000);
    expect(disk.calls).toHaveLength(3);
    await writer.close();
  });

  it('none: handed over within flushMs, and never synced', async () => {
    const { disk, writer } = await watched({ sync: 'none', flushMs: 50 });
    await writer.write(samples(10));
    await vi.advanceTimersByTimeAsync(50);
    await vi.waitFor(() => expect(disk.calls).toHaveLength(1));
    await writer.write(samples(10));
    await writer.close();
    await writer.close();
    expect(disk.calls).toHaveLength(2);
    expect(disk.calls.filter((call) => call === 'datasync')).toEqual([]);
    await expect(writer.write(samples(1))).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('a disk that is slower than the events makes write() wait', async () => {
    const { disk, writer } = await watched({ sync: 'none' });
    const big = samples(1, { payload: Buffer.alloc(5_000_000) });
    await writer.write(big);
    expect(disk.calls).toEqual([]);
    await writer.write(big);
    expect(disk.calls.length).toBeGreaterThan(0);
    await writer.close();
  });
});
