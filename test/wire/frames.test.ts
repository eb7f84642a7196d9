import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { OwnMemory } from '../../src/http2/memory.js';
import { FrameReader } from '../../src/wire/frame-reader.js';
import { FrameMemory, framePrefix } from '../../src/wire/frames.js';
import type { MessageBlock } from '../../src/wire/types.js';
import { framed, messagesOf } from './framed.js';

const frames = (sent: readonly Uint8Array[]): Buffer => Buffer.concat(sent.map((message) => framed(message).bytes));

const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

test('messages come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = frames(sent);
      const reader = new FrameReader(300);
      const read: MessageBlock[] = [];
      for (let at = 0, piece = 0; at < bytes.length; piece++) {
        const end = Math.min(bytes.length, at + cuts[piece % cuts.length]!);
        const before = read.length;
        const held = vi.fn();
        reader.read({ bytes, hold: held, release: () => undefined }, at, end, read);
        expect(held.mock.calls.length > 0).toBe(read.slice(before).some((block) => block.bytes === bytes));
        at = end;
      }
      expect(messagesOf(read).map((message) => [...message])).toEqual(sent.map((message) => [...message]));
      expect(reader.atBoundary).toBe(true);
    }),
  );
});

test('every single cut of two messages', () => {
  const bytes = frames([Buffer.from('first'), Buffer.from('second')]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new FrameReader(10);
    const read: MessageBlock[] = [];
    reader.read(new OwnMemory(bytes), 0, cut, read);
    expect(reader.atBoundary).toBe([0, 10, 21].includes(cut));
    reader.read(new OwnMemory(bytes), cut, bytes.length, read);
    expect(messagesOf(read).map(String)).toEqual(['first', 'second']);
  }
});

test('a message over the limit is refused as soon as its length is known, however it comes', () => {
  const prefix = framePrefix(11);
  for (let cut = 0; cut <= prefix.length; cut++) {
    const reader = new FrameReader(10);
    expect(() => {
      reader.read(new OwnMemory(prefix), 0, cut, []);
      reader.read(new OwnMemory(prefix), cut, prefix.length, []);
    }).toThrow(/a message of 11 bytes came; the limit is 10/);
  }
});

test('a compressed message, which nobody asked for, is an error', () => {
  expect(() => new FrameReader(10).read(new OwnMemory(Buffer.from([1, 0, 0, 0, 1, 65])), 0, 6, [])).toThrow(
    /compressed/,
  );
});

test('memory is given once, piece by piece, and a large piece has memory of its own', () => {
  const memory = new FrameMemory();
  const given: { bytes: Buffer; start: number; end: number }[] = [];
  for (const size of [10, 300, 64 * 1024 + 1, 1, 60_000, 10_000]) {
    const start = memory.reserve(size);
    expect(start + size).toBeLessThanOrEqual(memory.bytes.length);
    for (const other of given.filter(({ bytes }) => bytes === memory.bytes)) {
      expect(start).toBeGreaterThanOrEqual(other.end);
    }
    given.push({ bytes: memory.bytes, start, end: start + size });
  }
  expect(given[1]).toMatchObject({ start: 10, bytes: given[0]!.bytes });
});
