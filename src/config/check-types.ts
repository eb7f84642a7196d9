import { isWildcard } from '../messages/uri.js';
import type { Finding, PlacedService } from './finding.js';
import { healthPath, healthType } from './paths.js';
import { programOf } from './service.js';
import type { ServiceConfig } from './types.js';

/** Types that differ where they should be one. */
export function checkTypes(places: readonly PlacedService[]): readonly Finding[] {
  const services = places.map(({ service }) => service);
  const byName = new Map(services.map((service) => [service.name, service]));
  return [
    ...places.flatMap(({ service, at }) => [
      ...declaredTwice(service, at),
      ...service.subscriptions.flatMap(({ publisher, path, type, at: place = at }) =>
        otherThanExpected(byName.get(publisher), path, type, place),
      ),
    ]),
    ...otherFile(places),
    ...otherThanSiblings(places),
  ];
}

interface Declared {
  readonly kind: 'published' | 'request';
  readonly path: string;
  readonly types: string;
  readonly at: string | undefined;
}

function declarations({ published, requests }: ServiceConfig): readonly Declared[] {
  return [
    ...published.map(({ path, type, at }) => ({ kind: 'published' as const, path, types: type, at })),
    ...requests.map(({ path, request, reply, at }) => ({
      kind: 'request' as const,
      path,
      types: request === '' && reply === '' ? '' : `${request} → ${reply}`,
      at,
    })),
  ];
}

function declaredTwice(service: ServiceConfig, at: string): readonly Finding[] {
  const first = new Map<string, Declared>();
  return declarations(service).flatMap((declared): readonly Finding[] => {
    const key = `${declared.kind} ${declared.path}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, declared);
      return [];
    }
    const what =
      other.types === declared.types
        ? 'with other settings'
        : `as ${other.types || 'no type'} and as ${declared.types || 'no type'}`;
    const message = `"${service.name}" declares ${declared.path} twice, ${what}; keep one`;
    return [{ severity: 'error', at: declared.at ?? at, message }];
  });
}

function otherThanExpected(
  publisher: ServiceConfig | undefined,
  path: string,
  expected: string | undefined,
  at: string,
): readonly Finding[] {
  if (publisher === undefined || expected === undefined || isWildcard(path)) return [];
  const declared = publisher.published.find((published) => published.path === path)?.type;
  const type = path === healthPath ? healthType : declared;
  if (!type || type === expected) return [];
  const message = `expects ${expected} on ${path}, but "${publisher.name}" publishes ${type}; correct one of them`;
  return [{ severity: 'error', at, message }];
}

/** One message type is defined in one proto file. */
function otherFile(places: readonly PlacedService[]): readonly Finding[] {
  const files = new Map<string, { readonly pb: string; readonly service: string }>();
  return places.flatMap(({ service, at }) =>
    service.published.flatMap((declared): readonly Finding[] => {
      const { type, pb } = declared;
      if (type === '' || pb === '') return [];
      const other = files.get(type);
      if (other === undefined) files.set(type, { pb, service: service.name });
      if (other === undefined || other.pb === pb) return [];
      const message = `says that ${type} stands in ${pb}, but "${other.service}" says ${other.pb}; correct one of them`;
      return [{ severity: 'error', at: declared.at ?? at, message }];
    }),
  );
}

/** Services of one program, `agent-1` and `agent-2`, are asked together and read by the same code. */
function otherThanSiblings(places: readonly PlacedService[]): readonly Finding[] {
  const first = new Map<string, { readonly types: string; readonly service: string }>();
  return places.flatMap(({ service, at }) =>
    declarations(service).flatMap((declared): readonly Finding[] => {
      if (declared.types === '') return [];
      const key = `${programOf(service)} ${declared.kind} ${declared.path}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, { types: declared.types, service: service.name });
      if (other === undefined || other.types === declared.types || other.service === service.name) return [];
      const message = `${declared.path} is ${declared.types} here, but ${other.types} in "${other.service}", which runs the same program`;
      return [{ severity: 'warning', at: declared.at ?? at, message }];
    }),
  );
}
