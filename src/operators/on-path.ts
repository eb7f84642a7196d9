import { filter, type MonoTypeOperatorFunction } from 'rxjs';
import type { MeshEvent } from '../messages/mesh-event.js';
import { matchesPath, normalizePath } from '../messages/uri.js';

/**
 * Lets through the events of the paths that `pattern` asks for: one path, `/prefix/*`, or `*` for all. A missing
 * leading slash is tolerated.
 *
 * @example
 * client.subscribe('*').pipe(onPath('/gps/*'))
 */
export function onPath<T = unknown>(pattern: string): MonoTypeOperatorFunction<MeshEvent<T>> {
  const wanted = normalizePath(pattern);
  return filter((event) => matchesPath(wanted, normalizePath(event.path)));
}
