import { expect, test, vi } from 'vitest';
import { encodeEvent, joinEnvelope } from '../../src/messages/envelope.js';
import type { Event } from '../../src/messages/event.js';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { eventUri } from '../../src/messages/uri.js';

const registry = new TypeRegistry();
const payload = Buffer.from(registry.encode('google.protobuf.Struct', { sample: 0.5 }));
const event: Event = {
  uri: eventUri('here', '/sample', 'google.protobuf.Struct', 'google/protobuf/struct.proto', 'agent-1'),
  timestamps: [{ stamp: 1, clockName: 'here/monotonic', semantics: 'service/send' }],
  payloadLength: payload.length,
  sequence: 7,
};

function arrived(parts: Partial<Event> = {}, options: ConstructorParameters<typeof MeshEvent>[3] = {}) {
  const decode = vi.spyOn(registry, 'decode').mockClear();
  const unknownType = vi.fn();
  const encoded = encodeEvent({ ...event, ...parts });
  return { event: new MeshEvent(encoded, payload, { registry, unknownType }, options), decode, unknownType };
}

test('shows the envelope and the decoded message', () => {
  const seen = MeshEvent.fromEnvelope(joinEnvelope(encodeEvent(event), payload), { registry, unknownType: () => {} });
  expect(seen).toMatchObject({ ...event, path: '/sample', service: 'agent-1', type: 'google.protobuf.Struct' });
  expect(seen.message).toEqual({ sample: 0.5 });
  expect(seen.payload).toEqual(payload);
});

test('decodes the payload when it is first looked at, and once', () => {
  const { event, decode } = arrived();
  expect(event.sequence).toBe(7);
  expect(event.path).toBe('/sample');
  expect(decode).not.toHaveBeenCalled();
  expect(event.message).toBe(event.message);
  expect(decode).toHaveBeenCalledTimes(1);
});

test('gives path and sequence of an event whose stamps are broken', () => {
  const encoded = encodeEvent({ ...event, timestamps: [] });
  // A timestamp whose clock name ends beyond it.
  const broken = Buffer.concat([encoded, Buffer.from([0x12, 0x02, 0x12, 0x7f])]);
  const seen = new MeshEvent(broken, payload, { registry, unknownType: () => {} });
  expect(seen.sequence).toBe(7);
  expect(seen.path).toBe('/sample');
  expect(() => seen.timestamps).toThrow(expect.objectContaining({ name: 'MeshError', code: 'data-loss' }));
});

test.each([payload.length - 1, payload.length + 1, 0])('a payload_length of %s is a data-loss', (payloadLength) => {
  const { event } = arrived({ payloadLength });
  expect(() => event.message).toThrow(expect.objectContaining({ name: 'MeshError', code: 'data-loss' }));
  expect(() => event.message).toThrow(`event 7 of agent-1/sample says its payload has ${payloadLength} bytes`);
});

test('a payload that is not of its type is a data-loss that names the event', () => {
  const uri = eventUri('here', '/sample', 'google.protobuf.StringValue', 'google/protobuf/wrappers.proto', 'agent-1');
  const garbage = Buffer.from([0xff]);
  const encoded = encodeEvent({ ...event, uri, payloadLength: 1 });
  const seen = new MeshEvent(encoded, garbage, { registry, unknownType: () => {} });
  expect(() => seen.message).toThrow(expect.objectContaining({ code: 'data-loss' }));
  expect(() => seen.message).toThrow(/event 7 of agent-1\/sample: 1 bytes are not a google.protobuf.StringValue/);
});

test('an unknown type keeps its bytes and is told', () => {
  const { event, unknownType } = arrived({ uri: eventUri('here', '/sample', 'no.Such', 'no/such.proto', 'agent-1') });
  expect(event.message).toBe(event.payload);
  expect(event.message).toBe(event.payload);
  expect(unknownType.mock.calls).toEqual([['no.Such']]);
});

test('adds the stamp of reception behind the others, and finds stamps by semantics', () => {
  const received = { stamp: 1.5, clockName: 'here/monotonic', semantics: 'client/receive' };
  const { event: seen } = arrived({}, { received });
  expect(seen.timestamps).toEqual([...event.timestamps, received]);
  expect(seen.secondsBetween('service/send', 'client/receive')).toBe(0.5);
  expect(seen.stamp('client/receive', '/monotonic')).toEqual(received);
  expect(seen.stamp('file/write')).toBeUndefined();
});

test('the receiver knows the publisher better than the URI', () => {
  expect(arrived({}, { publisher: 'amiga' }).event.service).toBe('amiga');
  expect(arrived({ uri: { scheme: '', authority: '', path: '/p', query: '' } }).event).toMatchObject({
    service: '',
    type: '',
    path: '/p',
  });
});

test('an envelope without an event is a data-loss', () => {
  const decoder = { registry, unknownType: () => {} };
  for (const bytes of [Buffer.alloc(0), Buffer.from([0x12, 0x01, 0x00]), Buffer.from([0xff])]) {
    expect(() => MeshEvent.fromEnvelope(bytes, decoder)).toThrow(
      expect.objectContaining({ name: 'MeshError', code: 'data-loss' }),
    );
  }
});
