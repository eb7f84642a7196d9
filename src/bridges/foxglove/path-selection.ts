import { MeshError } from '../../base/errors.js';
import { didYouMean } from '../../base/suggest.js';
import { healthPath, pathFault } from '../../config/paths.js';
import { splitServicePath } from '../../config/service.js';
import type { MeshConfig, ServiceConfig } from '../../config/types.js';
import { anyPath, isWildcard, matchesPath } from '../../messages/uri.js';

/** Which paths of a mesh are meant. */
export class PathSelection {
  private readonly patterns: readonly { readonly service: string; readonly path: string }[] | undefined;

  /**
   * @param texts `SERVICE/path`, `SERVICE/*`, `SERVICE/prefix/*`; none, or `*`, for all.
   * @throws MeshError `not-found`, with a suggestion, for a service that is not there; `invalid-argument` for a path
   * that is none.
   */
  constructor(config: MeshConfig, texts: readonly string[]) {
    if (texts.length === 0 || texts.includes(anyPath)) return;
    this.patterns = texts.map((text) => {
      const { service, path } = splitServicePath(config, text);
      const fault = pathFault(path, { wildcard: true });
      if (fault !== undefined) throw new MeshError('invalid-argument', `${service.name}: ${fault}`);
      return { service: service.name, path };
    });
  }

  /** Whether any path of the service can be meant. */
  touches(service: ServiceConfig): boolean {
    return this.patterns === undefined || this.patterns.some((pattern) => pattern.service === service.name);
  }

  /** Paths that are asked for and not declared, each as a line for people: mistyped, or yet to come. */
  undeclared(config: MeshConfig): readonly string[] {
    return (this.patterns ?? []).flatMap(({ service, path }) => {
      const found = config.services.find(({ name }) => name === service);
      const declared = [...(found?.published ?? []), ...(found?.requests ?? [])].map((one) => one.path);
      if (isWildcard(path) || path === healthPath || declared.includes(path)) return [];
      return [`${service} does not declare ${path}${didYouMean(path, declared)}; it is shown once it is published`];
    });
  }

  has(service: string, path: string): boolean {
    if (this.patterns === undefined) return true;
    return this.patterns.some((pattern) => pattern.service === service && matchesPath(pattern.path, path));
  }
}
