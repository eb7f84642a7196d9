import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BytesMemo } from '../../src/messages/bytes-memo.js';

/** A memo of texts that counts what it decodes. */
function countingMemo() {
  const decoded: string[] = [];
  const memo = new BytesMemo((bytes, start, end) => {
    const text = bytes.toString('utf8', start, end);
    decoded.push(text);
    return text;
  });
  return { memo, decoded };
}

test('what comes again is decoded once, however many there are in turn', () => {
  const { memo, decoded } = countingMemo();
  const uris = Array.from({ length: 60 }, (_, index) => `type=sensor.Sample&service_name=agent-${index}`);
  const bytes = Buffer.from(uris.join(''));
  for (let round = 0; round < 3; round++) {
    let at = 0;
    for (const uri of uris) {
      expect(memo.read(bytes, at, at + uri.length)).toBe(uri);
      at += uri.length;
    }
  }
  expect(decoded).toEqual(uris);
});

test('whatever comes, in whatever order and however much of it, means what its bytes say', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('/a', '/sample', '/sampla'));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 120 }), fc.nat(7), (texts, offset) => {
      const { memo } = countingMemo();
      for (const one of texts) {
        const bytes = Buffer.from(`${'.'.repeat(offset)}${one}`);
        expect(memo.read(bytes, offset, bytes.length)).toBe(one);
      }
    }),
  );
});
