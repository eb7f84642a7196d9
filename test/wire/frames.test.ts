import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader } from '../../src/wire/frame-reader.js';
import { FrameJoiner, framePrefix } from '../../src/wire/frames.js';

const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

test('messages come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = new FrameJoiner().join(sent);
      const reader = new FrameReader(300);
      const read: Buffer[] = [];
      for (let at = 0, piece = 0; at < bytes.length; piece++) {
        const end = at + cuts[piece % cuts.length]!;
        reader.read(bytes.subarray(at, end), read);
        at = end;
      }
      expect(read.map((message) => [...message])).toEqual(sent.map((message) => [...message]));
      expect(reader.atBoundary).toBe(true);
    }),
  );
});

test('every single cut of two messages', () => {
  const bytes = new FrameJoiner().join([Buffer.from('first'), Buffer.from('second')]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new FrameReader(10);
    const read: Buffer[] = [];
    reader.read(bytes.subarray(0, cut), read);
    expect(reader.atBoundary).toBe([0, 10, 21].includes(cut));
    reader.read(bytes.subarray(cut), read);
    expect(read.map(String)).toEqual(['first', 'second']);
  }
});

test('a message over the limit is refused as soon as its length is known, however it comes', () => {
  const prefix = framePrefix(11);
  for (let cut = 0; cut <= prefix.length; cut++) {
    const reader = new FrameReader(10);
    expect(() => {
      reader.read(prefix.subarray(0, cut), []);
      reader.read(prefix.subarray(cut), []);
    }).toThrow(/a message of 11 bytes came; the limit is 10/);
  }
});

test('a compressed message, which nobody asked for, is an error', () => {
  expect(() => new FrameReader(10).read(Buffer.from([1, 0, 0, 0, 1, 65]), [])).toThrow(/compressed/);
});

test('a joiner frames the same messages once, and other ones anew', () => {
  const joiner = new FrameJoiner();
  const [one, two] = [Buffer.from('one'), Buffer.from('two')];
  const joined = joiner.join([one, two]);
  expect(joiner.join([one, two])).toBe(joined);
  expect(joiner.join([two, one])).not.toEqual(joined);
  joiner.reset();
  expect(joiner.join([one, two])).toEqual(joined);
});
