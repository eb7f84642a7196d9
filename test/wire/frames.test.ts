import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type Memory, OwnMemory } from '../../src/http2/memory.js';
import { FrameReader } from '../../src/wire/frame-reader.js';
import { FrameMemory, framePrefix, frameStarts } from '../../src/wire/frames.js';
import { MessageMemory } from '../../src/wire/message-memory.js';
import { StreamPieces } from '../../src/wire/stream-pieces.js';
import type { KnownFrames, MessageBlock } from '../../src/wire/types.js';
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

/** Frames that are known, the first of them at index `first`; gives blocks by another's count, as the interface says. */
class Known {
  readonly memory: OwnMemory;
  private readonly starts: readonly number[];

  constructor(sent: readonly Uint8Array[]) {
    this.memory = new OwnMemory(frames(sent));
    this.starts = frameStarts(this.memory.bytes, 0, this.memory.bytes.length);
  }

  from(first: number): KnownFrames | undefined {
    const { memory, starts } = this;
    const start = starts[first];
    if (start === undefined || first === starts.length - 1) return undefined;
    return {
      bytes: memory.bytes,
      start,
      end: starts.at(-1)!,
      blockTo: (to) => {
        const behind = starts.findLastIndex((at) => at <= to);
        if (behind <= first) return undefined;
        return { bytes: memory.bytes, start, end: starts[behind]!, count: behind - first, memory };
      },
    };
  }
}

const piecesOf = (bytes: Buffer, cuts: readonly number[]): StreamPieces => {
  const pieces = new StreamPieces();
  for (let at = 0, index = 0; at < bytes.length; index++) {
    // Each in memory of its own, as where frames of other streams lie between them.
    const piece = Buffer.from(bytes.subarray(at, at + cuts[index % cuts.length]!));
    pieces.add(new OwnMemory(piece), 0, piece.length);
    at += piece.length;
  }
  return pieces;
};

test('what is known already comes out the same, however it was cut and whatever was expected', () => {
  let reused = 0;
  const lengths = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 });
  fc.assert(
    fc.property(
      messages,
      lengths,
      lengths,
      /** What others have brought: how much of it, what is different in it, and how wrong the count is. */
      fc.record({ to: fc.nat(20), other: fc.option(fc.nat(19), { freq: 4 }), off: fc.constantFrom(0, 0, 0, 0, 1, -1) }),
      (sent, cuts, reads, { to, other, off }) => {
        const known = new Known(
          sent.slice(0, to).map((message, index) => (index === other ? Buffer.from('another') : message)),
        );
        const bytes = frames(sent);
        const reader = new FrameReader(300);
        const read: MessageBlock[] = [];
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const end = Math.min(bytes.length, at + reads[index % reads.length]!);
          const before = read.reduce((sum, { count }) => sum + count, 0);
          reader.readAll(piecesOf(bytes.subarray(at, end), cuts), (count) => known.from(before + count + off), read);
          at = end;
        }
        expect(messagesOf(read).map((message) => [...message])).toEqual(sent.map((message) => [...message]));
        expect(reader.atBoundary).toBe(true);
        const blocks = read.filter((block) => block.memory === known.memory);
        reused += blocks.length;
        // All that is known is given, and nothing is put together.
        if (other === null && off === 0 && to >= sent.length) expect(blocks).toHaveLength(read.length);
      },
    ),
  );
  expect(reused).toBeGreaterThan(0);
});

test('memory for a large message that was begun serves the next one, when it turns out to be known', () => {
  const message = Buffer.alloc(100_000, 1);
  const known = new Known([message]);
  const bytes = frames([message]);
  const reader = new FrameReader(message.length);
  const takes = vi.spyOn(MessageMemory.prototype, 'take');
  const begin = (): void => reader.readAll(piecesOf(bytes.subarray(0, 50_000), [50_000]), undefined, []);
  for (let round = 0; round < 2; round++) {
    begin();
    const read: MessageBlock[] = [];
    reader.readAll(piecesOf(bytes.subarray(50_000), [16_384]), (count) => known.from(count), read);
    expect(read.map(({ memory }) => memory)).toEqual([known.memory]);
  }
  const [first, second] = takes.mock.results.map(({ value }) => (value as Memory).bytes);
  expect(second).toBe(first);
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
