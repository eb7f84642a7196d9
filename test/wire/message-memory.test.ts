import { expect, test } from 'vitest';
import type { Memory } from '../../src/http2/memory.js';
import { MessageMemory } from '../../src/wire/message-memory.js';

function held(memory: MessageMemory, length: number): Memory {
  const room = memory.take(length);
  room.hold();
  return room;
}

test('what is released serves messages of about that length, whatever comes between them', () => {
  const memory = new MessageMemory();
  const large = held(memory, 300_000);
  const small = held(memory, 40_000);
  large.release();
  small.release();
  expect(held(memory, 45_000).bytes).not.toBe(small.bytes);
  expect(held(memory, 30_000).bytes).toBe(small.bytes);
  expect(held(memory, 290_000).bytes).toBe(large.bytes);
});

test('a message that is kept holds little more than itself', () => {
  const memory = new MessageMemory();
  let bytes = 0;
  for (let turn = 0; turn < 20; turn++) {
    held(memory, 4_000_000).release();
    bytes += held(memory, 33_000).bytes.buffer.byteLength;
  }
  expect(bytes).toBeLessThan(20 * 33_000 * 2);
});

test('only so much is kept for later, however much comes back at once', () => {
  const memory = new MessageMemory();
  const rooms = Array.from({ length: 50 }, () => held(memory, 100_000));
  for (const room of rooms) room.release();
  const before = new Set(rooms.map(({ bytes }) => bytes));
  const again = Array.from({ length: 50 }, () => held(memory, 100_000).bytes);
  expect(again.filter((bytes) => before.has(bytes))).toHaveLength(4);
});
