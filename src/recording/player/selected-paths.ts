import { MeshError } from '../../base/errors.js';
import { checkPatterns, pathKey, pathMatcher } from '../path-patterns.js';
import type { RecordedPath, RecordingSummary } from '../recording.js';

/**
 * The paths of a recording that are played. Errors: `not-found` for a pattern that matches none, `failed-precondition`
 * for a recording without events.
 */
export function selectedPaths(
  { files, count, paths }: RecordingSummary,
  patterns: readonly string[] | undefined,
): readonly RecordedPath[] {
  if (count === 0) throw new MeshError('failed-precondition', `${files.join(', ')}: there are no events in it`);
  checkPatterns(patterns, paths);
  const matches = pathMatcher(patterns);
  return paths.filter((path) => matches(pathKey(path)));
}
