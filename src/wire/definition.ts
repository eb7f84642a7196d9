import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { methodPaths } from './methods.js';
import type { WireMethod } from './types.js';

export type EventServiceDefinition = ServiceDefinition & Record<WireMethod, MethodDefinition<Uint8Array, Buffer>>;

/**
 * farm-ng's EventService (protos/farm_ng/core/event_service.proto), with messages left as bytes: the mesh encodes an
 * event once and decodes what somebody looks at, and neither fits a serializer per call.
 */
export function eventServiceDefinition(): EventServiceDefinition {
  return {
    listUris: method('listUris', { responseStream: false }),
    subscribe: method('subscribe', { responseStream: true }),
    requestReply: method('requestReply', { responseStream: false }),
  };
}

function method(name: WireMethod, { responseStream }: { readonly responseStream: boolean }) {
  return {
    path: methodPaths[name],
    requestStream: false,
    responseStream,
    requestSerialize: asBuffer,
    requestDeserialize: asIs,
    responseSerialize: asBuffer,
    responseDeserialize: asIs,
  };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
