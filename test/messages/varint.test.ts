import fc from 'fast-check';
import Long from 'long';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { varintSize, WireCursor, writeVarint } from '../../src/messages/varint.js';

const edges = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32];
const wholes = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.constantFrom(...edges, 2 ** 35, 2 ** 42, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1),
);

function written(value: number): Buffer {
  const bytes = Buffer.alloc(varintSize(value));
  expect(writeVarint(bytes, 0, value)).toBe(bytes.length);
  return bytes;
}

function reference(value: number | bigint): Buffer {
  return Buffer.from(protobuf.Writer.create().int64(Long.fromString(value.toString())).finish());
}

test('varints are written as protobufjs writes them, in the size foretold', () => {
  fc.assert(
    fc.property(wholes, (value) => {
      expect(written(value)).toEqual(reference(value));
    }),
  );
});

test('int64 reads back every safe integer, negative ones too', () => {
  fc.assert(
    fc.property(fc.oneof(wholes, fc.maxSafeInteger()), (value) => {
      const cursor = new WireCursor(reference(value));
      expect(cursor.int64()).toBe(value);
      expect(cursor.done).toBe(true);
    }),
  );
});

test('int64 refuses what a number would round, and names it', () => {
  const beyond = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .filter((value) => value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER));
  fc.assert(
    fc.property(fc.oneof(beyond, fc.constantFrom(2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n))), (value) => {
      expect(() => new WireCursor(reference(value)).int64()).toThrow(`${value}`);
    }),
  );
});

test('uint32 reads 32 bits and refuses more', () => {
  fc.assert(
    fc.property(wholes, (value) => {
      const read = () => new WireCursor(written(value)).uint32();
      if (value < 2 ** 32) expect(read()).toBe(value);
      else expect(read).toThrow(expect.objectContaining({ code: 'data-loss' }));
    }),
  );
});

test('a varint without an end is refused', () => {
  for (const length of [1, 5, 9, 10, 11, 100]) {
    const endless = Buffer.alloc(length, 0xff);
    for (const read of [
      (cursor: WireCursor) => cursor.int64(),
      (cursor: WireCursor) => cursor.uint32(),
      (cursor: WireCursor) => cursor.skip(0),
    ]) {
      expect(() => read(new WireCursor(endless))).toThrow(expect.objectContaining({ code: 'data-loss' }));
    }
  }
});

test('no reader goes beyond its end', () => {
  const steps = fc.constantFrom('uint32', 'int64', 'string', 'double', 0, 1, 2, 3, 4, 5, 6, 7);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.array(steps), (content, limit, reads) => {
      const end = Math.min(limit, content.length);
      const cursor = new WireCursor(Buffer.from(content), 0, end);
      try {
        for (const step of reads) {
          if (typeof step === 'number') cursor.skip(step);
          else cursor[step as 'uint32']();
          expect(cursor.at).toBeLessThanOrEqual(end);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(MeshError);
      }
    }),
    { numRuns: 500 },
  );
});
