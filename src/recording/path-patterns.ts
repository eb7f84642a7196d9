import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';
import type { RecordedPath } from './recording.js';

/** How a path is written: `agent-1/sample`. */
export function pathKey({ service, path }: Pick<RecordedPath, 'service' | 'path'>): string {
  return `${service}${path.startsWith('/') ? '' : '/'}${path}`;
}

/** Whether a key (`pathKey`) is one that the patterns ask for: `agent-1/sample`, `agent-1/*`, `agent-1/gps/*`, `*`. */
export function pathMatcher(patterns: readonly string[] | undefined): (key: string) => boolean {
  if (patterns === undefined || patterns.includes('*')) return () => true;
  const exact = new Set(patterns);
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(expression);
  return (key) => exact.has(key) || wild.some((pattern) => pattern.test(key));
}

/** Errors: `not-found` for a pattern that no path of the recording is meant by. */
export function checkPatterns(patterns: readonly string[] | undefined, paths: readonly RecordedPath[]): void {
  const keys = paths.map(pathKey);
  for (const pattern of patterns ?? []) {
    if (pattern === '*' || keys.some(pathMatcher([pattern]))) continue;
    throw new MeshError(
      'not-found',
      `"${pattern}" is not in the recording${didYouMean(pattern, keys)}; it has ${listNames(keys)}`,
    );
  }
}

function expression(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
