import { parse } from 'node:path';
import { healthPath, healthType } from '../config/paths.js';
import { programOf, statedProgram } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import type { TypeRegistry } from '../messages/registry.js';
import { typescriptOf } from '../messages/typescript.js';
import { isWildcard } from '../messages/uri.js';

/**
 * A TypeScript module of what the services of a configuration declare: the messages, and an interface to be given to
 * `EventService<…>` and `EventClient<…>` for each program, or for each service where those of one program differ.
 *
 * Errors: `not-found` for a declared type that is not known.
 */
export function serviceTypes(config: MeshConfig, registry: TypeRegistry): string {
  const services = config.services.filter(
    ({ port, published, requests }) => port !== undefined || published.length + requests.length > 0,
  );
  const used = services.flatMap(({ published, requests }) => [
    ...published.map(({ type }) => type),
    ...requests.flatMap(({ request, reply }) => [request, reply]),
  ]);
  const messages = typescriptOf(registry, [healthType, ...used.filter((type) => type !== '')]);
  const taken = new Set(Array.from(messages.matchAll(/^export (?:interface|type) (\w+)/gm), ([, name]) => name));
  const interfaces = shapesOf(services).map(({ title, names, body }) => {
    let name = `${identifier(title)}Types`;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return `/** Paths of ${names.join(', ')}. */\nexport interface ${name} {\n${body}}\n`;
  });
  return [messages, ...interfaces].join('\n');
}

interface Shape {
  /** The program's name, or the service's. */
  readonly title: string;
  readonly names: readonly string[];
  readonly body: string;
}

function shapesOf(services: readonly ServiceConfig[]): readonly Shape[] {
  const programs = new Map<string, ServiceConfig[]>();
  for (const service of services) {
    const file = statedProgram(service);
    const program = file === undefined ? programOf(service) : parse(file).name;
    programs.set(program, [...(programs.get(program) ?? []), service]);
  }
  return [...programs].flatMap(([program, siblings]): Shape[] => {
    const bodies = new Set(siblings.map(bodyOf));
    const [body = ''] = bodies;
    if (bodies.size === 1) return [{ title: program, names: siblings.map(({ name }) => name), body }];
    return siblings.map((service) => ({ title: service.name, names: [service.name], body: bodyOf(service) }));
  });
}

function bodyOf({ published, requests }: ServiceConfig): string {
  const publishes = new Map(published.map(({ path, type }) => [path, type]));
  publishes.set(healthPath, healthType);
  const answers = new Map(requests.map(({ path, request, reply }) => [path, { request, reply }]));
  return [
    '  publishes: {',
    ...Array.from(publishes, ([path, type]) => `    ${key(path)}: ${messageTypeOf(type)};`),
    '  };',
    ...(answers.size === 0
      ? ['  requests: Record<never, never>;']
      : [
          '  requests: {',
          ...Array.from(
            answers,
            ([path, { request, reply }]) =>
              `    ${key(path)}: { request: ${messageTypeOf(request)}; reply: ${messageTypeOf(reply)} };`,
          ),
          '  };',
        ]),
    '',
  ].join('\n');
}

/** `'/start'`; of `/header/*` every path that begins so. */
function key(path: string): string {
  const text = path.replace(/[\\'`$]/g, '\\$&');
  return isWildcard(path) ? `[path: \`${text.slice(0, -1)}\${string}\`]` : `'${text}'`;
}

function messageTypeOf(type: string): string {
  return type === '' ? 'unknown' : `MessageTypes['${type}']`;
}

/** `amiga-gps/0` → `AmigaGps0`. */
function identifier(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
  return /^\d/.test(joined) || joined === '' ? `Service${joined}` : joined;
}
