import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NanoDate } from '../../src/messages/natural.js';
import { failure, refusal, registry, roundTrip } from './kinds.js';

describe('the well-known types', () => {
  test.each([
    ['Struct', { sample: 0.5, tags: ['a', null, true], nested: {} }],
    ['Value', [1, 'two', null]],
    ['ListValue', [1, [2, [3]]]],
    ['DoubleValue', -0.1],
    ['FloatValue', 0.5],
    ['Int64Value', 2n ** 63n - 1n],
    ['UInt64Value', 2n ** 64n - 1n],
    ['Int32Value', -(2 ** 31)],
    ['UInt32Value', 2 ** 32 - 1],
    ['BoolValue', true],
    ['StringValue', 'naïve 🚜'],
    ['BytesValue', Buffer.from([0, 255])],
    ['Empty', {}],
    ['FieldMask', ['a.b', 'c']],
    ['Any', { typeUrl: 'type.googleapis.com/x.Y', value: Buffer.from([1]) }],
    ['Duration', { seconds: -3n, nanos: -5 }],
  ])('%s keeps its value', (name, value) => expect(roundTrip(`google.protobuf.${name}`, value)).toEqual(value));

  test.each([
    ['Struct', {}],
    ['Value', null],
    ['ListValue', []],
    ['DoubleValue', 0],
    ['Int64Value', 0n],
    ['UInt32Value', 0],
    ['BoolValue', false],
    ['StringValue', ''],
    ['BytesValue', new Uint8Array(0)],
    ['Empty', {}],
    ['FieldMask', []],
    ['Any', { typeUrl: '', value: new Uint8Array(0) }],
    ['Duration', { seconds: 0n, nanos: 0 }],
    ['Timestamp', new NanoDate(0, 0)],
  ])('%s without bytes is its default', (name, value) => {
    expect(registry.decode(`google.protobuf.${name}`, Buffer.alloc(0))).toEqual(value);
  });

  test('know the files that farm-ng peers import', () => {
    expect(registry.fileOf('google.protobuf.Struct')).toBe('google/protobuf/struct.proto');
    expect(registry.fileOf('google.protobuf.Int32Value')).toBe('google/protobuf/wrappers.proto');
    expect(registry.fileOf('google.protobuf.Empty')).toBe('google/protobuf/empty.proto');
    expect(registry.fileOf('farm_ng.core.proto.RecorderAnnotation')).toBe('farm_ng/core/recorder.proto');
  });

  test('a Timestamp keeps its nanoseconds, and a Date its milliseconds', () => {
    const type = 'google.protobuf.Timestamp';
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), fc.nat(999_999_999), (seconds, nanos) => {
        const date = roundTrip(type, new NanoDate(seconds, nanos)) as NanoDate;
        expect(Math.floor(date.getTime() / 1000)).toBe(seconds);
        expect(date.nanos).toBe(nanos);
      }),
    );
    const date = new Date(-1);
    expect((roundTrip(type, date) as NanoDate).getTime()).toBe(-1);
    const moved = new NanoDate(5, 123_456_789);
    moved.setTime(7_001);
    expect(roundTrip(type, moved)).toMatchObject({ nanos: 1_000_000 });
    expect(refusal(type, new Date(Number.NaN))).toContain('a valid Date');
    expect(refusal(type, 5)).toContain('5');
  });

  test('a Timestamp that no Date can hold is a data-loss', () => {
    // The same field 1, an int64.
    const bytes = registry.encode('google.protobuf.Int64Value', 2n ** 62n);
    const error = failure(() => registry.decode('google.protobuf.Timestamp', bytes));
    expect(error.code).toBe('data-loss');
    expect(error.message).toContain(`${2n ** 62n}`);
  });

  test('a Duration is also a number of seconds', () => {
    const type = 'google.protobuf.Duration';
    expect(roundTrip(type, 1.5)).toEqual({ seconds: 1n, nanos: 500_000_000 });
    expect(roundTrip(type, -0.25)).toEqual({ seconds: 0n, nanos: -250_000_000 });
    expect(roundTrip(type, 1.9999999999)).toEqual({ seconds: 2n, nanos: 0 });
    expect(roundTrip(type, { seconds: 3 })).toEqual({ seconds: 3n, nanos: 0 });
    expect(refusal(type, 1e300)).toContain('seconds');
    expect(refusal(type, { nanos: 1e9 })).toContain('nanos');
    expect(refusal(type, { seconds: 1, nanos: -1 })).toContain('sign');
    expect(refusal(type, { minutes: 1 })).toContain('{seconds, nanos}');
    expect(refusal(type, Number.NaN)).toContain('NaN');
    expect(refusal(type, null)).toContain('null');
  });

  test('a wrapper is also what its .proto file shows', () => {
    expect(roundTrip('google.protobuf.Int32Value', { value: 3 })).toBe(3);
    expect(refusal('google.protobuf.Int32Value', { value: 3, more: 1 })).toContain('an integer from');
    expect(refusal('google.protobuf.Int32Value', 2 ** 31)).toContain('2147483648');
    expect(refusal('google.protobuf.StringValue', 5)).toContain('a string');
    expect(refusal('google.protobuf.Int32Value', undefined)).toContain('undefined');
  });
});

describe('int64', () => {
  test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), -1n, 0n])(
    '%s stays exact',
    (value) => {
      const kinds = {
        int64Value: value,
        sint64Value: value,
        sfixed64Value: value,
        ids: [value],
        byInt64: { [`${value}`]: 'x' },
      };
      expect(roundTrip('field.Kinds', kinds)).toMatchObject(kinds);
    },
  );

  test('any 64 bits stay exact, signed and unsigned, as value and as key', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (bits) => {
        const signed = BigInt.asIntN(64, bits);
        const kinds = {
          int64Value: signed,
          uint64Value: bits,
          fixed64Value: bits,
          byInt64: { [`${signed}`]: 'x' },
          byFixed64: { [`${bits}`]: 'y' },
        };
        expect(roundTrip('field.Kinds', kinds)).toMatchObject(kinds);
      }),
    );
  });

  test('a key whose eight bytes are digits stays exact', () => {
    const key = Buffer.from('12345678').readBigInt64LE();
    expect(roundTrip('field.Kinds', { byInt64: { [`${key}`]: 'x', '12345678': 'y' } })).toMatchObject({
      byInt64: { [`${key}`]: 'x', '12345678': 'y' },
    });
  });

  test('is also a number while that is exact', () => {
    expect(roundTrip('google.protobuf.Int64Value', 7)).toBe(7n);
    expect(refusal('google.protobuf.Int64Value', 2 ** 53)).toContain('9007199254740992');
    expect(refusal('google.protobuf.Int64Value', 2n ** 63n)).toContain('9223372036854775808n');
    expect(refusal('google.protobuf.UInt64Value', -1)).toContain('uint64');
    expect(refusal('google.protobuf.Int64Value', '7')).toContain('"7"');
  });
});

describe('a directory of protos that a user adds', () => {
  const full = {
    doubleValue: 1.5,
    floatValue: -0.5,
    int32Value: -1,
    uint32Value: 2 ** 32 - 1,
    sint32Value: -(2 ** 31),
    fixed32Value: 7,
    sfixed32Value: -7,
    int64Value: -(2n ** 63n),
    uint64Value: 2n ** 64n - 1n,
    sint64Value: -5n,
    fixed64Value: 2n ** 63n,
    sfixed64Value: -6n,
    boolValue: true,
    stringValue: 'text',
    bytesValue: Buffer.from('bytes'),
    gear: 'REVERSE',
    inner: { count: 3, deep: { text: 'deep' } },
    optionalValue: 0,
    ids: [1n, -(2n ** 60n)],
    inners: [{ count: 1 }, { count: 2, deep: { text: '' } }],
    gears: ['PARK', 'DRIVE', 9],
    number: 5n,
    byName: { a: { count: 1 }, ['__proto__']: { count: 2 } },
    byInt64: { '-1': 'minus', '9223372036854775807': 'most' },
    byFixed64: { '18446744073709551615': 'most' },
    byInt32: { '-2147483648': true },
    byBool: { true: 'DRIVE', false: 'PARK' },
    struct: { a: [1, { b: null }] },
    value: null,
    list: ['x'],
    at: new NanoDate(1, 500_000_001),
    lasting: { seconds: 1n, nanos: 5 },
    wrapped: 2n ** 62n,
    wrappedBytes: new Uint8Array(0),
    mask: ['a'],
    any: { typeUrl: 'x/y', value: Buffer.from([1]) },
    uri: { scheme: 's', authority: 'a', path: '/p', query: 'q' },
    length: { metres: 2 },
    again: { int32Value: 4 },
  };

  test('every kind of field keeps its value', () => {
    expect(roundTrip('field.Kinds', full)).toMatchObject(full);
  });

  test('what is not on the wire is a default, or absent where proto3 knows presence', () => {
    expect(registry.decode('field.Kinds', Buffer.alloc(0))).toEqual({
      doubleValue: 0,
      floatValue: 0,
      int32Value: 0,
      uint32Value: 0,
      sint32Value: 0,
      fixed32Value: 0,
      sfixed32Value: 0,
      int64Value: 0n,
      uint64Value: 0n,
      sint64Value: 0n,
      fixed64Value: 0n,
      sfixed64Value: 0n,
      boolValue: false,
      stringValue: '',
      bytesValue: new Uint8Array(0),
      gear: 'PARK',
      ids: [],
      inners: [],
      gears: [],
      byName: {},
      byInt64: {},
      byFixed64: {},
      byInt32: {},
      byBool: {},
    });
  });

  test("its file's spelling of a field is accepted", () => {
    expect(roundTrip('field.Kinds', { int32_value: 5, by_name: { a: { count: 1 } } })).toMatchObject({
      int32Value: 5,
      byName: { a: { count: 1 } },
    });
    expect(refusal('field.Kinds', { int32_value: 5, int32Value: 6 })).toContain('given twice');
  });

  test('nested types have names of their own, and each its file', () => {
    expect(roundTrip('field.Kinds.Inner.Deep', { text: 'x' })).toEqual({ text: 'x' });
    expect(registry.fileOf('field.Kinds.Inner.Deep')).toBe('field/kinds.proto');
    expect(registry.fileOf('field.Length')).toBe('field/units.proto');
    expect(registry.typeNames()).toContain('field.Kinds.Inner');
  });

  test.each([
    ['an unknown field', { int32Valeu: 1 }, '"int32Valeu"; did you mean "int32Value"?'],
    ['an unknown nested field', { inner: { deep: { txt: '' } } }, '"inner.deep.txt"'],
    ['a text for a number', { int32Value: '5' }, '"int32Value" is "5"'],
    ['a fraction', { int32Value: 0.5 }, '"int32Value" is 0.5'],
    ['a negative unsigned', { uint32Value: -1 }, '"uint32Value" is -1'],
    ['a number for a text', { stringValue: 5 }, '"stringValue" is 5'],
    ['a number for a boolean', { boolValue: 1 }, '"boolValue" is 1'],
    ['text for bytes', { bytesValue: 'x' }, '"bytesValue" is "x"'],
    ['null for a message', { inner: null }, '"inner" is null'],
    ['a Date for a message', { inner: new Date() }, '"inner" is a Date'],
    ['a promise for a message', { inner: Promise.resolve({}) }, '"inner" is a Promise'],
    ['an array for a message', { inner: [] }, '"inner" is an array'],
    ['an unknown enum name', { gear: 'DRVIE' }, 'Gear is one of "PARK", "DRIVE", "REVERSE"'],
    ['an enum number beyond 32 bits', { gear: 2 ** 40 }, '"gear" is 1099511627776'],
    ['one value for many', { ids: 1n }, '"ids" is 1n'],
    ['a wrong item', { ids: [1n, 'x'] }, '"ids[1]" is "x"'],
    ['a hole', { ids: [1n, undefined] }, '"ids[1]" is undefined'],
    ['two members of a oneof', { name: 'x', number: 1n }, '"name" and "number" are both set'],
    ['an array for a map', { byName: [] }, '"byName" is an array'],
    ['a text key for integers', { byInt64: { x: 'y' } }, '"byInt64.x" is "x"'],
    ['a key beyond 64 bits', { byInt64: { '9223372036854775808': 'y' } }, '9223372036854775808'],
    ['a key beyond 32 bits', { byInt32: { '2147483648': true } }, '2147483648'],
    ['a text key for booleans', { byBool: { yes: 'PARK' } }, '"yes"'],
    ['a wrong map value', { byName: { a: { count: 'x' } } }, '"byName.a.count" is "x"'],
    ['an Any without a type', { any: { value: new Uint8Array(1) } }, '"any" is a Object'],
    ['a bigint in a Struct', { struct: { a: [1n] } }, '"struct": "a[0]" is a bigint'],
    ['an array for the message', [], 'the value is an array'],
  ])('%s is refused by name', (_what, value, part) => expect(refusal('field.Kinds', value)).toContain(part));

  test('a value within itself is refused', () => {
    const kinds: Record<string, unknown> = {};
    kinds.again = kinds;
    expect(failure(() => registry.encode('field.Kinds', kinds)).code).toBe('invalid-argument');
  });

  test('garbage and flipped bytes give a data-loss or a value, never anything else', () => {
    const bytes = Buffer.from(registry.encode('field.Kinds', full));
    const attempt = (content: Uint8Array): void => {
      try {
        registry.decode('field.Kinds', content);
      } catch (error) {
        expect(error).toMatchObject({ name: 'MeshError', code: 'data-loss' });
      }
    };
    for (let length = 0; length < bytes.length; length++) attempt(bytes.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= flip;
        attempt(flipped);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), attempt), { numRuns: 500 });
  });
});
