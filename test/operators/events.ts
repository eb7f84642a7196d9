import { TestScheduler } from 'rxjs/testing';
import { expect } from 'vitest';
import { encodeEvent } from '../../src/messages/envelope.js';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import type { Timestamp } from '../../src/messages/timestamp.js';
import { eventUri } from '../../src/messages/uri.js';

const registry = new TypeRegistry();

export interface EventParts {
  readonly service?: string;
  readonly path?: string;
  readonly sequence?: number;
  readonly timestamps?: readonly Timestamp[];
  readonly type?: string;
  readonly payload?: Uint8Array;
  readonly payloadLength?: number;
}

/** An event as it would arrive, with a Struct `{value: sequence}` as payload. */
export function event(parts: EventParts = {}): MeshEvent {
  const { service = 'agent-1', path = '/sample', sequence = 0, timestamps = [] } = parts;
  const { type = 'google.protobuf.Struct' } = parts;
  const payload = Buffer.from(parts.payload ?? registry.encode('google.protobuf.Struct', { value: sequence }));
  const encoded = encodeEvent({
    uri: eventUri('here', path, type, 'google/protobuf/struct.proto', service),
    timestamps,
    payloadLength: parts.payloadLength ?? payload.length,
    sequence,
  });
  return new MeshEvent(encoded, payload, { registry, unknownType: () => {} });
}

/** Bytes that are no event at all. */
export function brokenEvent(): MeshEvent {
  return new MeshEvent(Buffer.from([0xff]), Buffer.alloc(0), { registry, unknownType: () => {} });
}

/** Runs a marble test. */
export const marbles: TestScheduler['run'] = (test) =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(test);
