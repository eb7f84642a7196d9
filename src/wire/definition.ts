import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { shippedProtos } from '../messages/proto-directory.js';
import { eventServiceName } from './methods.js';
import type { WireMethod } from './types.js';

export type EventServiceDefinition = ServiceDefinition & Record<WireMethod, MethodDefinition<Uint8Array, Buffer>>;

/** What proto-loader reads from our proto files, for reflection. */
export function loadWireProtos(): PackageDefinition {
  return loadSync(['farm_ng/core/event_service.proto', 'farm_ng/core/recorder.proto'], {
    includeDirs: [shippedProtos()],
  });
}

/**
 * farm-ng's EventService as proto-loader reads it, with messages left as bytes: the mesh encodes an event once
 * and decodes what somebody looks at, and neither fits a serializer per call.
 */
export function eventServiceDefinition(protos: PackageDefinition): EventServiceDefinition {
  const service = protos[eventServiceName] as ServiceDefinition;
  const asBytes = Object.entries(service).map(([name, method]) => [
    name,
    {
      ...method,
      requestSerialize: asBuffer,
      requestDeserialize: asIs,
      responseSerialize: asBuffer,
      responseDeserialize: asIs,
    },
  ]);
  return Object.fromEntries(asBytes) as EventServiceDefinition;
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
