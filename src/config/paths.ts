import { anyPath, normalizePath } from '../messages/uri.js';
import { cut } from './fields.js';

/** The path that every service publishes without saying so, and its type. */
export const healthPath = '/health';
export const healthType = 'google.protobuf.Struct';

const longestPath = 1024;

/**
 * A path as configurations and command lines write it, in the one form the mesh uses: with a leading slash, and `*` for
 * every path (also when written as `/*`).
 */
export function canonicalPath(path: string): string {
  const normal = normalizePath(path);
  return normal === '/*' ? anyPath : normal;
}

/** What is wrong with a canonical path, or undefined. A `*` may only stand for the whole path or its last part. */
export function pathFault(path: string, { wildcard }: { readonly wildcard: boolean }): string | undefined {
  if (path === '/' || path === '') return 'has no path; write for example "/sample"';
  if (path.length > longestPath) return `a path of ${path.length} characters; the limit is ${longestPath}`;
  if (/[\s?&=#\u0000-\u001f]/.test(path)) {
    return `path "${cut(path)}" contains a space or one of ? & = #; the query stands in a field of its own`;
  }
  const star = path.indexOf('*');
  if (star < 0) return undefined;
  if (!wildcard) return `path "${cut(path)}" contains "*"; name each published path`;
  return path === anyPath || (star === path.length - 1 && path.endsWith('/*'))
    ? undefined
    : `path "${cut(path)}": "*" stands only alone or at the end, as in "/gps/*"`;
}
