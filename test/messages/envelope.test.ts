import fc from 'fast-check';
import Long from 'long';
import type protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { MeshError } from '../../src/base/errors.js';
import {
  decodeEvent,
  decodeHead,
  decodeTimestamps,
  encodeEvent,
  joinEnvelope,
  splitEnvelope,
} from '../../src/messages/envelope.js';
import { EnvelopeTemplate } from '../../src/messages/envelope-template.js';
import type { Event } from '../../src/messages/event.js';
import { EventMemo } from '../../src/messages/event-memo.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { encodeUri } from '../../src/messages/uri-codec.js';

// The reference: protobufjs's own codec of the .proto files.
const registry = new TypeRegistry();
const eventType = registry.reflect('farm_ng.core.proto.Event');
const envelopeType = registry.reflect('farm_ng.core.proto.SubscribeReply');
const uriType = registry.reflect('farm_ng.core.proto.Uri');

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.constant('/a'.repeat(100)));
const sequences = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49, 2 ** 53 - 1),
);
const stamps = fc.record({ stamp: fc.double(), clockName: text, semantics: text });
const events: fc.Arbitrary<Event> = fc.record({
  uri: fc.record({ scheme: text, authority: text, path: text, query: text }),
  timestamps: fc.array(stamps, { maxLength: 5 }),
  payloadLength: sequences,
  sequence: sequences,
});
const bytes = fc.uint8Array({ maxLength: 300 });

/** Bytes as text: vitest compares long buffers slowly. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function reference(type: protobuf.Type, value: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

function wide(event: Event): object {
  return {
    ...event,
    payloadLength: Long.fromNumber(event.payloadLength),
    sequence: Long.fromNumber(event.sequence),
  };
}

function failure(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

/** Runs `read`; the only thing it may throw is a MeshError. */
function meshErrorOnly(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(MeshError);
  }
}

describe('an event', () => {
  test('is encoded to the bytes that protobufjs gives', () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(hex(encodeEvent(event))).toBe(hex(reference(eventType, wide(event))));
      }),
    );
  });

  test('is decoded from protobufjs to what it was', () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(decodeEvent(reference(eventType, wide(event)))).toEqual(event);
      }),
    );
  });

  test('gives its path and sequence without the rest', () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(inParts(encodeEvent(event))).toEqual(event);
      }),
    );
  });

  test('passes over fields it does not know', () => {
    // Field 100 with each wire type: varint, 64 bits, bytes, 32 bits.
    const unknown = Buffer.concat([
      Buffer.from('a006ffffffffffffffffff01', 'hex'),
      Buffer.from('a1060102030405060708', 'hex'),
      Buffer.from('a20603616263', 'hex'),
      Buffer.from('a50601020304', 'hex'),
    ]);
    fc.assert(
      fc.property(events, (event) => {
        const encoded = encodeEvent(event);
        expect(decodeEvent(Buffer.concat([unknown, encoded, unknown]))).toEqual(event);
        expect(inParts(Buffer.concat([unknown, encoded, unknown]))).toEqual(event);
      }),
    );
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('refuses to encode sequence %s', (sequence) => {
    const event = {
      uri: { scheme: '', authority: '', path: '', query: '' },
      timestamps: [],
      payloadLength: 0,
      sequence,
    };
    expect(() => encodeEvent(event)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
  });

  test.each(['9007199254740992', '9223372036854775807', '-9007199254740992'])(
    'refuses to round sequence %s',
    (digits) => {
      const encoded = reference(eventType, { sequence: Long.fromString(digits) });
      expect(() => decodeEvent(encoded)).toThrow(new RegExp(digits));
      expect(() => inParts(encoded)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
    },
  );

  test('takes a negative sequence as it is', () => {
    expect(decodeEvent(reference(eventType, { sequence: Long.fromNumber(-5) })).sequence).toBe(-5);
  });

  test('cut short anywhere gives a MeshError or what was left, never anything else', () => {
    fc.assert(
      fc.property(events, (event) => {
        const encoded = encodeEvent(event);
        for (let length = 0; length < encoded.length; length++) {
          meshErrorOnly(() => decodeEvent(encoded.subarray(0, length)));
          meshErrorOnly(() => inParts(encoded.subarray(0, length)));
        }
      }),
      { numRuns: 8 },
    );
  });
});

describe('an envelope', () => {
  test('joins to the bytes that protobufjs gives, and splits again without a copy', () => {
    fc.assert(
      fc.property(events, bytes, (event, payload) => {
        const encoded = encodeEvent(event);
        const joined = joinEnvelope(encoded, payload);
        expect(hex(joined)).toBe(hex(reference(envelopeType, { event: wide(event), payload })));
        const parts = splitEnvelope(joined);
        expect(hex(parts.event!)).toBe(hex(encoded));
        expect(hex(parts.payload)).toBe(hex(payload));
        expect(parts.event!.buffer).toBe(joined.buffer);
      }),
    );
  });

  test('without an event says so', () => {
    expect(splitEnvelope(Buffer.alloc(0))).toEqual({ event: undefined, payload: Buffer.alloc(0) });
  });

  test('cut short inside a part is a data-loss', () => {
    fc.assert(
      fc.property(events, bytes, (event, payload) => {
        const encoded = encodeEvent(event);
        const joined = joinEnvelope(encoded, payload);
        const eventEnd = joinEnvelope(encoded, Buffer.alloc(0)).length;
        for (let length = 1; length < joined.length; length++) {
          const split = () => splitEnvelope(joined.subarray(0, length));
          if (length === eventEnd) expect(split().payload).toHaveLength(0);
          else expect(failure(split)).toMatchObject({ name: 'MeshError', code: 'data-loss' });
        }
      }),
      { numRuns: 8 },
    );
  });

  test('of garbage gives a MeshError or something, never anything else', () => {
    fc.assert(
      fc.property(bytes, (garbage) => {
        meshErrorOnly(() => splitEnvelope(garbage));
        meshErrorOnly(() => decodeEvent(garbage));
        meshErrorOnly(() => inParts(Buffer.from(garbage)));
      }),
      { numRuns: 1000 },
    );
  });

  test('with a flipped byte gives a MeshError or something, never anything else', () => {
    fc.assert(
      fc.property(events, bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), (event, payload, at, flip) => {
        const joined = joinEnvelope(encodeEvent(event), payload);
        joined[at % joined.length]! ^= flip;
        meshErrorOnly(() => decodeEvent(splitEnvelope(joined).event ?? joined));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a template', () => {
  const clock: Clock = {
    host: 'here',
    monotonicName: 'here/monotonic',
    systemName: 'here/system_clock/UTC',
    monotonic: () => 12.5,
    system: () => 1.7e9,
  };
  const twoStamps = [
    { stamp: 12.5, clockName: 'here/monotonic', semantics: 'service/send' },
    { stamp: 1.7e9, clockName: 'here/system_clock/UTC', semantics: 'service/send' },
  ];

  test('writes the bytes that encoding the whole event gives', () => {
    fc.assert(
      fc.property(events, bytes, (event, payload) => {
        const { uri, timestamps, sequence } = event;
        const written = new EnvelopeTemplate(uri, clock, 'service/send').encode(payload, sequence, timestamps);
        const whole = { ...event, payloadLength: payload.length, timestamps: [...timestamps, ...twoStamps] };
        expect(hex(written)).toBe(hex(joinEnvelope(encodeEvent(whole), payload)));
      }),
    );
  });

  test('takes clocks with names of any length', () => {
    fc.assert(
      fc.property(fc.nat(300), (length) => {
        const host = 'h'.repeat(length);
        const long = { ...clock, monotonicName: `${host}/monotonic`, systemName: `${host}/system_clock/UTC` };
        const uri = { scheme: 'protobuf', authority: host, path: '/sample', query: '' };
        const { event } = splitEnvelope(new EnvelopeTemplate(uri, long, 'service/send').encode(Buffer.alloc(0), 1));
        expect(decodeEvent(event!).timestamps).toEqual([
          { ...twoStamps[0], clockName: long.monotonicName },
          { ...twoStamps[1], clockName: long.systemName },
        ]);
      }),
    );
  });

  test('leaves the template as it was', () => {
    const uri = { scheme: 'protobuf', authority: 'here', path: '/sample', query: '' };
    let now = 1;
    const template = new EnvelopeTemplate(uri, { ...clock, monotonic: () => now++ }, 'service/send');
    const first = template.encode(Buffer.from('a'), 0);
    const copy = Buffer.from(first);
    template.encode(Buffer.from('b'), 1);
    expect(first).toEqual(copy);
  });
});

test('a URI is encoded to the bytes that protobufjs gives', () => {
  fc.assert(
    fc.property(events, ({ uri }) => {
      expect(hex(encodeUri(uri))).toBe(hex(reference(uriType, uri)));
    }),
  );
});

// One memo for all of them: what it remembers of one event must not leak into another.
const memo = new EventMemo();

/** Decodes an event as a stream does: the head at once, the stamps when somebody looks. */
function inParts(bytes: Buffer): Event {
  const { known, payloadLength, sequence } = decodeHead(bytes, 0, bytes.length, memo);
  return { uri: known.uri, timestamps: decodeTimestamps(bytes, 0, bytes.length, memo), payloadLength, sequence };
}
