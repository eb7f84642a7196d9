import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { printable, printValue } from '../../src/cli/print-value.js';
import { readValue } from '../../src/cli/read-value.js';
import { NanoDate } from '../../src/messages/natural.js';
import { registry } from '../mesh/running.js';

const event = 'farm_ng.core.proto.Event';

function errorOf(action: () => unknown): MeshError {
  try {
    action();
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('printing values', () => {
  it('writes what JSON cannot hold as protobuf’s JSON mapping does', () => {
    expect(printable(2n ** 60n)).toBe('1152921504606846976');
    expect(printable(new Uint8Array([1, 2, 255]))).toBe('AQL/');
    expect(printable(Number.NaN)).toBe('NaN');
    expect(printable(-Infinity)).toBe('-Infinity');
    expect(printable({ deep: [{ at: 5n }] })).toEqual({ deep: [{ at: '5' }] });
  });

  it('keeps the nanoseconds of times', () => {
    expect(printable(new NanoDate(1_700_000_000, 0))).toBe('2023-11-14T22:13:20.000Z');
    expect(printable(new NanoDate(1_700_000_000, 123_456_789))).toBe('2023-11-14T22:13:20.123456789Z');
    expect(printable(new NanoDate(1_700_000_000, 123_456_000))).toBe('2023-11-14T22:13:20.123456Z');
  });

  it('cuts long bytes for people, and says how many there are', () => {
    expect(printValue({ image: new Uint8Array(5000) })).toMatch(/^\{"image":"A+… \(5000 bytes\)"\}$/);
  });
});

describe('reading values', () => {
  it('reads what printing writes', () => {
    const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(uint64, (value) => {
        const text = JSON.stringify(printable(value));
        expect(readValue(registry, 'google.protobuf.UInt64Value', text)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        const text = JSON.stringify(printable(value));
        expect(new Uint8Array(readValue(registry, 'google.protobuf.BytesValue', text) as Buffer)).toEqual(value);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 4e9 }), fc.integer({ min: 0, max: 999_999_999 }), (seconds, nanos) => {
        const text = JSON.stringify(printable(new NanoDate(seconds, nanos)));
        const read = readValue(registry, 'google.protobuf.Timestamp', text) as NanoDate;
        expect([read.getTime(), read.nanos]).toEqual([new NanoDate(seconds, nanos).getTime(), nanos]);
      }),
    );
    fc.assert(
      fc.property(fc.double(), (value) => {
        const text = JSON.stringify(printable(value));
        expect(readValue(registry, 'google.protobuf.DoubleValue', text)).toBe(Object.is(value, -0) ? 0 : value);
      }),
    );
  });

  it('reads fields in both spellings, integers and integers in strings', () => {
    const read = readValue(
      registry,
      event,
      '{"uri": {"path": "/sample"}, "timestamps": [{"stamp": "NaN", "clock_name": "x"}], "payloadLength": "12", "sequence": 3}',
    );
    const bytes = registry.encode(event, read);
    expect(registry.decode(event, bytes)).toMatchObject({
      uri: { path: '/sample' },
      timestamps: [{ stamp: Number.NaN, clockName: 'x' }],
      payloadLength: 12n,
      sequence: 3n,
    });
  });

  it('reads durations and leaves out nulls', () => {
    expect(readValue(registry, 'google.protobuf.Duration', '"-1.5s"')).toEqual({ seconds: -1n, nanos: -500_000_000 });
    const read = readValue(registry, event, '{"uri": null, "sequence": 3}');
    expect(registry.decode(event, registry.encode(event, read))).toMatchObject({ sequence: 3n });
  });

  it('leaves a Struct as it is', () => {
    const text = '{"sample": 0.5, "sequence": "12", "nothing": null}';
    expect(readValue(registry, 'google.protobuf.Struct', text)).toEqual(JSON.parse(text));
  });

  it('says what is no JSON, and how to write it', () => {
    const { code, message } = errorOf(() => readValue(registry, 'google.protobuf.Int32Value', 'abc'));
    expect(code).toBe('invalid-argument');
    expect(message).toMatch(
      /abc is not JSON.*write the google\.protobuf\.Int32Value as JSON in quotes, for example '5'/,
    );
  });

  it('leaves a wrong value to the encoder, which names the field', () => {
    const read = readValue(registry, event, '{"uri": {"pth": "/sample"}}');
    expect(errorOf(() => registry.encode(event, read)).message).toMatch(/no field "uri\.pth"; did you mean "path"\?/);
  });
});
