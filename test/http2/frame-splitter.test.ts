import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameSplitter } from '../../src/http2/frame-splitter.js';
import { errorCodes, frameFlags } from '../../src/http2/frames.js';
import { OwnMemory } from '../../src/http2/memory.js';
import { ProtocolError } from '../../src/http2/protocol-error.js';
import { rawFrame } from './raw-peer.js';

/** What a splitter has said, pieces of one DATA frame joined. */
function split(pieces: readonly Buffer[], maxFrameBytes = 1000): unknown[] {
  const said: (string | { stream: number; bytes: string })[] = [];
  const splitter = new FrameSplitter(
    {
      data: (stream, { bytes }, start, end) => {
        expect(end).toBeGreaterThan(start);
        const last = said.at(-1);
        const text = bytes.toString('hex', start, end);
        if (typeof last === 'object' && last.stream === stream) last.bytes += text;
        else said.push({ stream, bytes: text });
      },
      padding: (stream, bytes) => said.push(`${bytes} bytes of padding on ${stream}`),
      dataEnd: (stream) => said.push(`end of ${stream}`),
      frame: ({ type, flags, stream, payload }) => said.push(`${type} ${flags} ${stream} ${payload.toString('hex')}`),
    },
    maxFrameBytes,
  );
  // Each read comes in the same memory, as those of a socket do.
  const memory = new OwnMemory(Buffer.alloc(Math.max(1, ...pieces.map(({ length }) => length))));
  for (const piece of pieces) {
    piece.copy(memory.bytes);
    splitter.read(memory, piece.length);
  }
  return said;
}

const payload = fc.uint8Array({ maxLength: 60 });
const stream = fc.integer({ min: 0, max: 2 ** 31 - 1 });
// Every second bit of a stream's number is one that says nothing.
const reserved = fc.boolean();
const frame = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }), stream, payload, reserved, fc.nat(40))
  .map(([type, flags, id, bytes, isReserved, padding]) => {
    const isPadded = (flags & frameFlags.padded) !== 0 && type < 2;
    const whole = isPadded ? Buffer.concat([Buffer.of(padding), bytes, Buffer.alloc(padding)]) : bytes;
    const made = rawFrame(type, flags, id, whole);
    if (isReserved) made[5]! |= 0x80;
    return made;
  });

test('the same frames come out, however they were cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
      (frames, cuts) => {
        const all = Buffer.concat(frames);
        const pieces: Buffer[] = [];
        for (let at = 0; at < all.length; at += pieces.at(-1)!.length) {
          pieces.push(all.subarray(at, at + cuts.next().value));
        }
        const whole = split([all]);
        expect(split(pieces)).toEqual(whole);
        expect(split(Array.from(all, (byte) => Buffer.of(byte)))).toEqual(whole);
        const others = frames.filter((one) => one[3] !== 0);
        expect(whole.filter((one) => typeof one === 'string' && /^\d+ \d+ \d+ /.test(one))).toHaveLength(others.length);
      },
    ),
  );
});

test('what is padded loses its padding, and what is not keeps its bytes', () => {
  const padded = Buffer.of(2, 0xaa, 0xbb, 0, 0);
  expect(split([rawFrame(0, 9, 5, padded), rawFrame(1, 8, 5, padded), rawFrame(6, 8, 0, padded)])).toEqual([
    '3 bytes of padding on 5',
    { stream: 5, bytes: 'aabb' },
    'end of 5',
    '1 8 5 aabb',
    '6 8 0 02aabb0000',
  ]);
});

test('garbage is frames or a ProtocolError', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), (pieces) => {
      try {
        split(pieces.map((piece) => Buffer.from(piece)));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

test.each<[string, Buffer, number]>([
  ['a frame that is too long', rawFrame(4, 0, 0, Buffer.alloc(1001)), errorCodes.frameSizeError],
  ['more padding than bytes', rawFrame(0, 8, 1, Buffer.of(2, 0)), errorCodes.protocolError],
  ['no room for the length of the padding', rawFrame(1, 8, 1), errorCodes.protocolError],
])('%s is an error', (_, bytes, code) => {
  expect(() => split([bytes])).toThrow(expect.objectContaining({ code }));
});
