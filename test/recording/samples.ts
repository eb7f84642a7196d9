import { encodeEvent } from '../../src/messages/envelope.js';
import { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { semantics, type Timestamp } from '../../src/messages/timestamp.js';
import { eventUri } from '../../src/messages/uri.js';
import type { RecordedEvent } from '../../src/recording/recording.js';

export const registry = new TypeRegistry();

/** Unix time of a recording's clock at 0. */
export const bootS = 1_750_000_000;

export interface Sample {
  readonly service?: string;
  readonly path?: string;
  readonly sequence?: number;
  readonly payload?: Buffer;
  /** Seconds on the recorder's monotonic clock. Default 100. */
  readonly atS?: number;
  /** Whether it has the recorder's stamp. Default true. */
  readonly stamped?: boolean;
}

/** An event as a recorder writes it. */
export function sample(of: Sample = {}): RecordedEvent {
  const { service = 'agent-1', path = '/sample', sequence = 0, payload = Buffer.from('payload') } = of;
  const { atS = 100, stamped = true } = of;
  const timestamps: Timestamp[] = [
    { stamp: atS, clockName: 'host/monotonic', semantics: semantics.serviceSend },
    { stamp: bootS + atS, clockName: 'host/system_clock/UTC', semantics: semantics.serviceSend },
  ];
  if (stamped) timestamps.push({ stamp: atS, clockName: 'host/monotonic', semantics: semantics.fileWrite });
  const uri = eventUri('host', path, 'google.protobuf.StringValue', 'google/protobuf/wrappers.proto', service);
  const eventBytes = encodeEvent({ uri, timestamps, payloadLength: payload.length, sequence });
  const event = new MeshEvent(eventBytes, payload, { registry, unknownType: () => undefined });
  return { event, timeS: bootS + atS };
}

/** `count` events of one path, ten a second. */
export function samples(count: number, of: Sample = {}): RecordedEvent[] {
  return Array.from({ length: count }, (_, index) =>
    sample({
      ...of,
      sequence: (of.sequence ?? 0) + index,
      atS: (of.atS ?? 100) + index / 10,
      payload: of.payload ?? Buffer.from(`payload ${index}`),
    }),
  );
}
