import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Damage, RecordedEvent } from '../../src/recording/recording.js';
import { folder, readAll, reader, record, sample, samples, sequences, told } from './sample-events.js';

const events = Array.from({ length: 60 }, (_, index) =>
  sample({
    path: `/path-${index % 3}`,
    sequence: index,
    atS: index,
    payload: Buffer.alloc((index * 37) % 300, index),
  }),
);
const records = events.map(record);
const ends = records.map((_, index) => records.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
const whole = Buffer.concat(records);

async function readDamaged(file: string, bytes: Buffer): Promise<{ events: RecordedEvent[]; damage: Damage[] }> {
  await writeFile(file, bytes);
  const damage: Damage[] = [];
  const events = await readAll(reader(file), { onDamage: (one) => damage.push(one) });
  return { events, damage };
}

describe('a damaged event file', () => {
  it('loses only its tail, wherever it is cut', async () => {
    const file = join(await folder(), 'cut.0000.bin');
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length }), async (length) => {
        const left = ends.filter((end) => end <= length).length;
        const { events: found, damage } = await readDamaged(file, whole.subarray(0, length));
        expect(found.map(told)).toEqual(events.slice(0, left).map(told));
        const wholeBytes = ends[left - 1] ?? 0;
        const tail = { file, kind: 'tail', offset: wholeBytes, bytes: length - wholeBytes };
        expect(damage).toMatchObject(length === wholeBytes ? [] : [tail]);
      }),
      { numRuns: 150 },
    );
  });

  it('loses only records near the damage, and tells where that is', async () => {
    const file = join(await folder(), 'flipped.0000.bin');
    const flip = fc.record({ at: fc.nat({ max: whole.length - 1 }), with: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 3 }), async (flips) => {
        const bytes = Buffer.from(whole);
        for (const { at, with: mask } of flips) bytes[at]! ^= mask;
        const { events: found, damage } = await readDamaged(file, bytes);
        // A wrong length can swallow one record more on either side.
        const near = new Set(
          flips.flatMap(({ at }) => {
            const index = ends.findIndex((end) => at < end);
            return [index - 1, index, index + 1];
          }),
        );
        const texts = new Set(found.map(told));
        const lost = events.filter((event, index) => !near.has(index) && !texts.has(told(event)));
        expect(sequences(lost)).toEqual([]);
        for (const one of damage) expect(one.offset + one.bytes).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 400 },
    );
  });

  it('goes on behind bytes that are no records, and behind a record that lies about its length', async () => {
    const file = join(await folder(), 'middle.0000.bin');
    const noise = Buffer.alloc(70_000, 'no record ');
    const [first = Buffer.alloc(0), second = Buffer.alloc(0), ...rest] = records;
    const lie = record(sample({ sequence: 1000, payload: Buffer.alloc(5000) })).subarray(0, -5000);
    const { events: found, damage } = await readDamaged(file, Buffer.concat([first, noise, second, lie, ...rest]));
    expect(found.map(told)).toEqual(events.map(told));
    expect(damage).toMatchObject([
      { offset: first.length, bytes: noise.length, kind: 'middle' },
      { offset: first.length + noise.length + second.length, bytes: lie.length, kind: 'middle' },
    ]);
    expect(damage[0]?.reason).toMatch(/says? that the event has \d+ bytes/);
    const { damage: indexed } = await reader(file).summary();
    expect(indexed).toEqual(damage);
  });

  it('ends before zeros, as a file system leaves them after a power failure', async () => {
    const file = join(await folder(), 'zeros.0000.bin');
    const { events: found, damage } = await readDamaged(file, Buffer.concat([whole, Buffer.alloc(300_000)]));
    expect(found).toHaveLength(events.length);
    expect(damage).toMatchObject([{ offset: whole.length, bytes: 300_000, kind: 'tail' }]);
  });

  it('reads long payloads, and those that hold records', async () => {
    const file = join(await folder(), 'long.0000.bin');
    const nested = sample({ payload: whole, sequence: 1 });
    const long = sample({ payload: Buffer.alloc(3_000_000, 1), sequence: 2 });
    const all = [events[0]!, nested, long, nested, long, events[1]!];
    const { events: found, damage } = await readDamaged(file, Buffer.concat(all.map(record)));
    expect(found.map(told)).toEqual(all.map(told));
    expect(damage).toEqual([]);
  });

  it('does not read on for a length of a gigabyte', async () => {
    const file = join(await folder(), 'giga.0000.bin');
    // payload_length is the one field of 3 in the Event: 0x18 and its varint.
    const liar = Buffer.from(record(sample({ payload: Buffer.alloc(1_000_000), sequence: 1 })));
    const at = liar.indexOf(Buffer.from('18c0843d', 'hex'));
    liar[at + 3] = 0x10;
    const more = samples(3000, { payload: Buffer.alloc(500) }).map(record);
    const { events: found, damage } = await readDamaged(file, Buffer.concat([liar, ...more]));
    expect(found.length).toBeGreaterThanOrEqual(2999);
    expect(damage.length).toBeLessThanOrEqual(1);
  });

  it('is read again behind all of its damage, wherever two good records follow', async () => {
    const file = join(await folder(), 'many.0000.bin');
    // What is broken of a record: its length, the tag or the length of its URI.
    const kinds = fc.constantFrom<readonly number[]>([3], [4], [5], [0, 1, 2, 3]);
    const broken = fc.array(fc.tuple(fc.nat({ max: records.length - 1 }), kinds), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(broken, async (breaks) => {
        const bytes = Buffer.from(whole);
        const bad = new Set<number>();
        for (const [index, places] of breaks) {
          bad.add(index);
          for (const place of places) bytes[(ends[index - 1] ?? 0) + place] = 0x7f;
        }
        const { events: found, damage } = await readDamaged(file, bytes);
        // The last good one before damage may be taken for damaged itself.
        const good = events.filter((_, index) => !bad.has(index) && !bad.has(index + 1));
        const texts = new Set(found.map(told));
        expect(sequences(good.filter((event) => !texts.has(told(event))))).toEqual([]);
        expect(damage.length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  it('is no reason to fail: any bytes at all are read to their end', async () => {
    const file = join(await folder(), 'any.0000.bin');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
        const { events: found, damage } = await readDamaged(file, Buffer.from(bytes));
        const told = damage.reduce((sum, one) => sum + one.bytes, 0);
        const read = found.reduce((sum, { event }) => sum + 4 + event.eventBytes.length + event.payload.length, 0);
        expect(told + read).toBe(bytes.length);
      }),
    );
    expect(await readFile(file)).toBeDefined();
  });
});
