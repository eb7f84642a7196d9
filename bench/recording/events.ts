import { MeshEvent, type TypeRegistry } from 'furrow';
import type { RecordedEvent } from 'furrow/recording';

/** Bytes of each event as a record of an event file. */
export const recordBytes = 320;
export const batchEvents = 1000;

const services = ['agent-1', 'agent-2', 'storage'];
const paths = ['/sample', '/state', '/result'];
const lengthBytes = 4;

/** Events as a recorder writes them, of nine paths in turn; their bytes lie in one buffer, as received ones do. */
export function makeBatch(registry: TypeRegistry): RecordedEvent[] {
  const received = Buffer.alloc(batchEvents * recordBytes);
  let used = 0;
  const keep = (bytes: Buffer): Buffer => {
    const start = used;
    used += bytes.copy(received, start);
    return received.subarray(start, used);
  };
  return Array.from({ length: batchEvents }, (_, index) => {
    const service = services[index % services.length]!;
    const path = paths[Math.floor(index / services.length) % paths.length]!;
    const atS = 1000 + index / 1000;
    const eventOf = (payloadLength: number): Buffer => encode(registry, { service, path, atS, index, payloadLength });
    // The length of the payload is itself in the event: one byte for all below 128.
    const room = recordBytes - lengthBytes - eventOf(100).length;
    if (room < 2 || room > 127) throw new Error(`no payload makes an event of ${recordBytes} bytes`);
    // A Struct that is not even looked at: bytes of any kind take the same way.
    const payload = Buffer.alloc(room, 0x5a);
    const event = new MeshEvent(keep(eventOf(room)), keep(payload), { registry, unknownType: () => undefined });
    return { event, timeS: 1_700_000_000 + atS };
  });
}

interface Of {
  readonly service: string;
  readonly path: string;
  readonly atS: number;
  readonly index: number;
  readonly payloadLength: number;
}

function encode(registry: TypeRegistry, { service, path, atS, index, payloadLength }: Of): Buffer {
  const type = 'google.protobuf.Struct';
  const monotonic = { clockName: 'tractor-7/monotonic', stamp: atS };
  const bytes = registry.encode('farm_ng.core.proto.Event', {
    uri: {
      scheme: 'protobuf',
      authority: 'tractor-7',
      path,
      query: `type=${type}&pb=google/protobuf/struct.proto&service_name=${service}`,
    },
    timestamps: [
      { ...monotonic, semantics: 'service/send' },
      { stamp: 1_700_000_000 + atS, clockName: 'tractor-7/system_clock/UTC', semantics: 'service/send' },
      { ...monotonic, semantics: 'file/write' },
    ],
    payloadLength,
    // All of them two bytes long.
    sequence: 200 + index,
  });
  return Buffer.from(bytes);
}
