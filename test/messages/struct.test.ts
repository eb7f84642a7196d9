import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import {
  decodeListValue,
  decodeStruct,
  decodeValue,
  encodeListValue,
  encodeStruct,
  encodeValue,
  type StructObject,
  type StructValue,
} from '../../src/messages/struct.js';

const structType = new TypeRegistry().reflect('google.protobuf.Struct');

const text = fc.string({ unit: 'grapheme', maxLength: 10 });
const keys = fc.oneof(text, fc.constantFrom('', '__proto__', 'constructor', 'toString', 'a.b', 'fields'));
const { value: values } = fc.letrec<{ value: StructValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    text,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const objects = fc.dictionary(keys, values, { maxKeys: 5, noNullPrototype: true });

/** The same Struct as protobufjs's own message object. */
function asMessage(object: StructObject): object {
  return { fields: Object.fromEntries(Object.entries(object).map(([key, value]) => [key, asValueMessage(value)])) };
}

function asValueMessage(value: StructValue): object {
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(asValueMessage) } };
  return { structValue: asMessage(value) };
}

test('a Struct comes back as it was', () => {
  fc.assert(
    fc.property(objects, (object) => {
      expect(decodeStruct(encodeStruct(object))).toEqual(object);
    }),
  );
});

test('Values and lists come back as they were', () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(decodeValue(encodeValue(value))).toEqual(value);
      expect(decodeListValue(encodeListValue([value, value]))).toEqual([value, value]);
    }),
  );
});

test('a Struct is encoded to the bytes that protobufjs gives, and read from them', () => {
  fc.assert(
    fc.property(objects, (object) => {
      const reference = structType.encode(asMessage(object)).finish();
      expect(Buffer.from(encodeStruct(object))).toEqual(Buffer.from(reference));
      expect(decodeStruct(reference)).toEqual(object);
    }),
  );
});

test('a key __proto__ is a property, not a prototype', () => {
  const decoded = decodeStruct(encodeStruct(JSON.parse('{"__proto__": {"polluted": true}}')));
  expect(Object.keys(decoded)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  expect((decoded as { polluted?: boolean }).polluted).toBeUndefined();
});

test('keys without a value are left out, and -0, NaN and infinities stay', () => {
  const numbers = { a: -0, b: Number.NaN, c: Number.POSITIVE_INFINITY, d: Number.NEGATIVE_INFINITY };
  expect(decodeStruct(encodeStruct({ ...numbers, e: undefined }))).toEqual(numbers);
});

test.each([
  ['a bigint', { a: { b: [1, 2n] } }, '"a.b[1]" is a bigint'],
  ['a function', { a: () => 0 }, '"a" is a function'],
  ['a Date', { at: new Date() }, '"at" is a Date'],
  ['bytes', { at: new Uint8Array(2) }, '"at" is a Uint8Array'],
  ['a Map', new Map(), 'the value is a Map'],
  ['an array', [], 'the value is a Array'],
  ['an object without a constructor', { a: Object.create(Object.create(null)) }, '"a" is a object'],
  ['undefined in an array', { list: [undefined] }, '"list[0]" is a undefined'],
])('%s is refused by name', (_what, value, message) => {
  expect(() => encodeStruct(value)).toThrow(expect.objectContaining({ name: 'MeshError', code: 'invalid-argument' }));
  expect(() => encodeStruct(value)).toThrow(message);
});

function nested(levels: number): StructObject {
  return levels === 1 ? { end: 1 } : { a: nested(levels - 1) };
}

test('33 objects within each other are taken, 34 are refused both ways, as by every other protobuf', () => {
  expect(decodeStruct(encodeStruct(nested(33)))).toEqual(nested(33));
  expect(() => encodeStruct(nested(34))).toThrow(/33 objects/);
  const deep = structType.encode(asMessage(nested(34))).finish();
  expect(() => decodeStruct(deep)).toThrow(expect.objectContaining({ name: 'MeshError', code: 'data-loss' }));
});

test('an object within itself is refused', () => {
  const object: Record<string, unknown> = {};
  object.self = object;
  expect(() => encodeStruct(object)).toThrow(MeshError);
});

test('unknown fields are passed over', () => {
  const unknown = Buffer.from('a20603616263a006ff01', 'hex');
  expect(decodeStruct(Buffer.concat([unknown, encodeStruct({ a: 1 }), unknown]))).toEqual({ a: 1 });
  expect(decodeValue(Buffer.concat([unknown, encodeValue('x'), unknown]))).toBe('x');
});

test('garbage and cut bytes give a MeshError or a value, never anything else', () => {
  const decoders = [decodeStruct, decodeValue, decodeListValue];
  const tryAll = (bytes: Uint8Array): void => {
    for (const decode of decoders) {
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toMatchObject({ name: 'MeshError', code: 'data-loss' });
      }
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), tryAll), { numRuns: 1000 });
  fc.assert(
    fc.property(objects, fc.nat(), fc.integer({ min: 1, max: 255 }), (object, at, flip) => {
      const bytes = Buffer.from(encodeStruct(object));
      for (let length = 0; length < Math.min(bytes.length, 50); length++) tryAll(bytes.subarray(0, length));
      if (bytes.length === 0) return;
      bytes[at % bytes.length]! ^= flip;
      tryAll(bytes);
    }),
  );
});

test('a field that reaches beyond its message is refused', () => {
  // A map entry of 2 bytes whose key claims 5, which are there, but belong to what follows.
  const overlapping = Buffer.from('0a020a056162636465', 'hex');
  expect(() => decodeStruct(overlapping)).toThrow(expect.objectContaining({ code: 'data-loss' }));
});
