import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvent, encodeEvent } from '../../src/messages/envelope.js';
import { appendStamp, EventStamper, removeStamps } from '../../src/messages/event-stamps.js';
import { eventUri } from '../../src/messages/uri.js';

const uri = eventUri('host', '/sample', 'google.protobuf.Struct', 'google/protobuf/struct.proto', 'agent-1');
const anyStamp = fc.record({
  stamp: fc.double({ noNaN: true }),
  clockName: fc.constantFrom('', 'host/monotonic', 'höst/system_clock/UTC'),
  semantics: fc.constantFrom('', 'service/send', 'client/receive', 'file/write'),
});
const anyEvent = fc.record({
  uri: fc.constant(uri),
  timestamps: fc.array(anyStamp),
  payloadLength: fc.nat(),
  sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
});

describe('stamps of an encoded event', () => {
  it('are added behind those it has', () => {
    fc.assert(
      fc.property(anyEvent, anyStamp, (event, stamp) => {
        const bytes = encodeEvent(event);
        const stamped = appendStamp(bytes, stamp);
        expect(stamped.subarray(0, bytes.length)).toEqual(bytes);
        expect(decodeEvent(stamped)).toEqual({ ...event, timestamps: [...event.timestamps, stamp] });
      }),
    );
  });

  it('are taken off by their semantics, and nothing else changes', () => {
    fc.assert(
      fc.property(anyEvent, fc.subarray(['file/write', 'client/receive', '']), (event, semantics) => {
        const bytes = encodeEvent(event);
        const timestamps = event.timestamps.filter((stamp) => !semantics.includes(stamp.semantics));
        expect(removeStamps(bytes, semantics)).toEqual(encodeEvent({ ...event, timestamps }));
      }),
    );
  });

  it('leave the bytes that were published when they are added and taken off', () => {
    const bytes = encodeEvent({ uri, timestamps: [], payloadLength: 7, sequence: 3 });
    expect(removeStamps(bytes, ['file/write'])).toBe(bytes);
    const stamper = new EventStamper([
      { clockName: 'host/monotonic', semantics: 'client/receive' },
      { clockName: 'host/monotonic', semantics: 'file/write' },
    ]);
    const stamped = stamper.append(bytes, [1.5, 2.5]);
    expect(decodeEvent(stamped).timestamps.map(({ stamp, semantics }) => [stamp, semantics])).toEqual([
      [1.5, 'client/receive'],
      [2.5, 'file/write'],
    ]);
    expect(removeStamps(stamped, ['file/write', 'client/receive'])).toEqual(bytes);
  });

  it('are refused for bytes that are no event', () => {
    expect(() => removeStamps(Buffer.from([0x12, 0x40]), ['file/write'])).toThrow(/not a protobuf message/);
  });
});
