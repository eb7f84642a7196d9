import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyBytes, encodePayload } from '../../src/messages/payload.js';
import { TypeRegistry } from '../../src/messages/registry.js';

const registry = new TypeRegistry();
const bytesType = 'google.protobuf.BytesValue';

test('a payload is what its type says, in one piece or in two', () => {
  const sizes = fc.oneof(
    fc.nat({ max: 300 }),
    fc.integer({ min: bodyBytes - 10, max: bodyBytes + 10 }),
    fc.integer({ min: 1 << 16, max: 1 << 22 }),
  );
  fc.assert(
    fc.property(sizes, fc.boolean(), fc.boolean(), (size, isText, immutable) => {
      const [type, value] = isText
        ? ['google.protobuf.StringValue', 'ä'.repeat(size)]
        : [bytesType, Buffer.alloc(size, 7)];
      const { head, body } = encodePayload(registry, type, value, { immutable });
      expect(Buffer.concat([head, body ?? Buffer.alloc(0)]).equals(registry.encode(type, value))).toBe(true);
      expect(head.length).toBeLessThan(bodyBytes);
    }),
    { numRuns: 60 },
  );
});

test('large bytes that are not written again are not copied', () => {
  const large = Buffer.alloc(bodyBytes);
  expect(encodePayload(registry, bytesType, large, { immutable: true }).body).toBe(large);
  const copied = encodePayload(registry, bytesType, large, { immutable: false }).body!;
  large.fill(1);
  expect(copied.subarray(-bodyBytes).every((byte) => byte === 0)).toBe(true);
});

test('what is no bytes is refused, however long', () => {
  expect(() => encodePayload(registry, bytesType, 'x'.repeat(bodyBytes), { immutable: true })).toThrow(/cannot encode/);
});
