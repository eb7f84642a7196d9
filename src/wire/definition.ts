import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { lanePath } from './lane-messages.js';
import { methodPaths } from './methods.js';
import type { WireMethod } from './types.js';

export type EventServiceDefinition = ServiceDefinition & Record<WireMethod, MethodDefinition<Uint8Array, Buffer>>;

/** The files that declare what a port speaks beside gRPC's own services, and what travels there. */
export const wireProtoFiles = [
  'farm_ng/core/event_service.proto',
  'farm_ng/core/recorder.proto',
  'furrow/request_lane.proto',
] as const;

/**
 * farm-ng's EventService (protos/farm_ng/core/event_service.proto), with messages left as bytes: the mesh encodes an
 * event once and decodes what somebody looks at, and neither fits a serializer per call.
 */
export function eventServiceDefinition(): EventServiceDefinition {
  return {
    listUris: bytesMethod(methodPaths.listUris),
    subscribe: bytesMethod(methodPaths.subscribe, { responseStream: true }),
    requestReply: bytesMethod(methodPaths.requestReply),
  };
}

/** The request lane (protos/furrow/request_lane.proto), likewise. */
export function laneDefinition(): ServiceDefinition {
  return { requests: bytesMethod(lanePath, { requestStream: true, responseStream: true }) };
}

function bytesMethod(path: string, streams: { readonly requestStream?: true; readonly responseStream?: true } = {}) {
  return {
    path,
    requestStream: streams.requestStream ?? false,
    responseStream: streams.responseStream ?? false,
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
