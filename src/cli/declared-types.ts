import { MeshError } from '../base/errors.js';
import type { Finding } from '../config/finding.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import type { TypeRegistry } from '../messages/registry.js';

/** Types that the configuration names and nobody here knows, and types that stand in another proto file than it says. */
export function checkDeclaredTypes(config: MeshConfig, registry: TypeRegistry): readonly Finding[] {
  return config.services.flatMap((service) =>
    declaredTypes(service).flatMap(({ type, pb, at }): readonly Finding[] => {
      const file = fileOf(registry, type);
      if (file instanceof MeshError) {
        return [{ severity: 'error', at, message: `${file.message} with --protos` }];
      }
      if (pb === '' || pb === file) return [];
      return [
        {
          severity: 'error',
          at,
          message: `pb=${pb}, but ${type} stands in ${file}; farm-ng peers import it by that name`,
        },
      ];
    }),
  );
}

interface DeclaredType {
  readonly type: string;
  /** Proto file, where the place states one. */
  readonly pb: string;
  readonly at: string;
}

function declaredTypes({ at: entry = '', ...service }: ServiceConfig): readonly DeclaredType[] {
  const types: readonly DeclaredType[] = [
    ...service.published.map(({ type, pb, at = entry }) => ({ type, pb, at })),
    ...service.requests.flatMap(({ request, reply, at = entry }) => [
      { type: request, pb: '', at },
      { type: reply, pb: '', at },
    ]),
    ...service.subscriptions.map(({ type = '', at = entry }) => ({ type, pb: '', at })),
  ];
  const stated = types.filter(({ type }) => type !== '');
  // A request and its reply are often of one type; that is one finding.
  return stated.filter(
    ({ type, at }, index) => stated.findIndex((other) => other.type === type && other.at === at) === index,
  );
}

function fileOf(registry: TypeRegistry, type: string): string | MeshError {
  try {
    return registry.fileOf(type);
  } catch (error) {
    return MeshError.from(error);
  }
}
