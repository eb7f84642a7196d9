import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Memory } from '../../src/http2/memory.js';
import { ReadMemory } from '../../src/http2/read-memory.js';

const large = 64 * 1024;

interface Held {
  readonly memory: Memory;
  readonly copy: Buffer;
}

const isIntact = ({ memory, copy }: Held): boolean => memory.bytes.compare(copy, 0, copy.length, 0, copy.length) === 0;

test('what is held is not written over, whoever releases what and when', () => {
  const step = fc.record({
    length: fc.constantFrom(1, 32 * 1024 - 1, 32 * 1024, large),
    /** How many hold what was read, and which of those that hold let go before, during and after it. */
    holders: fc.nat(3),
    early: fc.nat(3),
    before: fc.array(fc.nat(50), { maxLength: 3 }),
    during: fc.array(fc.nat(50), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const memory = new ReadMemory();
      const held: Held[] = [];
      const release = (index: number): void => {
        if (held.length === 0) return;
        const [one] = held.splice(index % held.length, 1);
        expect(isIntact(one!)).toBe(true);
        one!.memory.release();
      };
      for (const [turn, { length, holders, early, before, during }] of steps.entries()) {
        for (const index of before) release(index);
        memory.next.fill(turn + 1, 0, length);
        memory.filled(length, (piece, bytes) => {
          expect(bytes).toBe(length);
          const copy = Buffer.from(piece.bytes.subarray(0, length));
          expect(copy.every((byte) => byte === turn + 1)).toBe(true);
          // Held and released within the read, as by a subscription that knows the events already.
          for (let index = 0; index < early; index++) piece.hold();
          for (let index = 0; index < early; index++) piece.release();
          for (let index = 0; index < holders; index++) {
            piece.hold();
            held.push({ memory: piece, copy });
          }
          for (const index of during) release(index);
        });
        expect(held.every(isIntact)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('memory that nobody needs is used again', () => {
  const memory = new ReadMemory();
  const seen = new Set<Buffer>();
  const queue: Memory[] = [];
  for (let turn = 0; turn < 100; turn++) {
    seen.add(memory.next);
    memory.filled(large, (piece) => {
      piece.hold();
      queue.push(piece);
    });
    if (queue.length === 3) queue.shift()!.release();
  }
  expect(seen.size).toBeLessThan(6);
});

test('what comes in small pieces keeps no more than itself', () => {
  const memory = new ReadMemory();
  const { next } = memory;
  next.fill(7);
  memory.filled(100, (piece) => {
    expect(piece.bytes).toHaveLength(100);
    expect(piece.bytes.buffer).not.toBe(next.buffer);
  });
});
