import { expect, test } from 'vitest';
import { TypeRegistry } from '../../../src/messages/registry.js';
import { bufferOf, viewOf } from '../../../src/recording/bytes-part.js';
import { FileSchemas } from '../../../src/recording/mcap/file-schemas.js';
import { eventSchemaName, eventTopic } from '../../../src/recording/mcap/mcap-format.js';
import { MessagePairs } from '../../../src/recording/mcap/message-pairs.js';

const payloads = { id: 1, schemaId: 1, topic: 'agent-1/a', messageEncoding: 'protobuf', metadata: {} };
const events = { id: 2, schemaId: 2, topic: eventTopic(payloads.topic), messageEncoding: 'protobuf', metadata: {} };
const data = new Uint8Array();

/** Pairs of one path, of which the first 50 seconds are wanted. */
function newPairs(): MessagePairs {
  const schemas = new FileSchemas();
  schemas.addSchema({ id: 1, name: 'google.protobuf.BytesValue', encoding: 'protobuf', data });
  schemas.addSchema({ id: 2, name: eventSchemaName, encoding: 'protobuf', data });
  const decoder = { registry: new TypeRegistry(), unknownType: () => undefined };
  const pairs = new MessagePairs(schemas, decoder, { fromS: 0, toS: 50, matches: () => true });
  pairs.addChannel(payloads);
  pairs.addChannel(events);
  return pairs;
}

function add(pairs: MessagePairs, channel: number, sequence: number, timeS: number, text: string): boolean {
  const message = Buffer.alloc(22);
  message.writeUInt16LE(channel, 0);
  message.writeUInt32LE(sequence, 2);
  for (const at of [6, 14]) message.writeBigUInt64LE(BigInt(timeS) * 1_000_000_000n, at);
  const view = viewOf(Buffer.concat([message, Buffer.from(text)]));
  return pairs.add(view, 0, view.byteLength);
}

test('a payload that is not wanted does not part one that waits from its event', () => {
  const pairs = newPairs();
  expect(add(pairs, 1, 5, 10, 'payload A')).toBe(false);
  expect(add(pairs, 1, 6, 100, 'payload B')).toBe(false);
  expect(add(pairs, 2, 5, 10, 'event A')).toBe(true);
  expect([pairs.event, pairs.payload].map((part) => String(bufferOf(part)))).toEqual(['event A', 'payload A']);
  expect([pairs.sequence, pairs.timeS]).toEqual([5, 10]);
});

test('an event goes with no payload of another time, though the sequences are the same', () => {
  const pairs = newPairs();
  add(pairs, 1, 5, 10, 'payload A');
  add(pairs, 1, 5, 100, 'payload B');
  expect(add(pairs, 2, 5, 100, 'event B')).toBe(false);
});
