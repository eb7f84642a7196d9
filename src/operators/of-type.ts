import { filter, type MonoTypeOperatorFunction } from 'rxjs';
import type { MeshEvent } from '../messages/mesh-event.js';

/**
 * Lets through the events whose payload is of the message type with this full name.
 *
 * @example
 * client.subscribe('*').pipe(ofType('google.protobuf.Struct'), messages<StructObject>())
 */
export function ofType<T = unknown>(type: string): MonoTypeOperatorFunction<MeshEvent<T>> {
  return filter((event) => event.type === type);
}
