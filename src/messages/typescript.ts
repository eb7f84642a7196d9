import protobuf from 'protobufjs';
import { hasPresence } from './natural.js';
import type { TypeRegistry } from './registry.js';
import { isWide } from './scalars.js';
import { isWrapper } from './well-known.js';

/** The natural values of the well-known types, as natural.ts has them. */
const wellKnown: Readonly<Record<string, string>> = {
  'google.protobuf.Struct': 'StructObject',
  'google.protobuf.Value': 'StructValue',
  'google.protobuf.ListValue': 'StructValue[]',
  'google.protobuf.Timestamp': 'NanoDate',
  'google.protobuf.Duration': '{ seconds: bigint; nanos: number }',
  'google.protobuf.FieldMask': 'string[]',
  'google.protobuf.Any': '{ typeUrl: string; value: Uint8Array }',
  'google.protobuf.Empty': 'Record<string, never>',
};

/** What the text imports where it needs it. */
const imports = ['NanoDate', 'StructObject', 'StructValue'];

/** Names that a message must not take in the text. */
const reserved = [...imports, 'MessageTypes', 'Record', 'Uint8Array'];

/**
 * TypeScript declarations of the values that messages of these types decode to: an interface for each message, a union
 * of names for each enum, of these types and all that they hold; and `MessageTypes`, from full names to their types.
 * A field is optional where proto3 knows whether it was sent. Errors: `not-found` for an unknown type.
 *
 * @example
 * writeFileSync('messages.ts', typescriptOf(new TypeRegistry(['protos']), ['field.Length']));
 */
export function typescriptOf(registry: TypeRegistry, types: readonly string[]): string {
  const asked = [...new Set(types)].sort();
  const declared = new Set<protobuf.Type | protobuf.Enum>();
  for (const type of asked) collect(registry.reflect(type), declared);
  const names = identifiers([...declared]);
  const declarations = [...declared]
    .sort((a, b) => compare(a.fullName, b.fullName))
    .map((type) => (type instanceof protobuf.Enum ? enumText(type, names) : messageText(type, names, registry)));
  const table = asked.map((type) => `  '${type}': ${messageType(registry.reflect(type), names)};\n`).join('');
  const body = [
    ...declarations,
    `/** Full name of a message → its value. */\nexport interface MessageTypes {\n${table}}\n`,
  ];
  const text = body.join('\n');
  const used = imports.filter((name) => new RegExp(`: ${name}\\b`).test(text));
  const head = '// Written by furrow from .proto files; changes here get lost.\n\n';
  return used.length === 0 ? head + text : `${head}import type { ${used.join(', ')} } from 'furrow';\n\n${text}`;
}

/** Gathers the messages and enums that need a declaration: the type itself and what its fields hold. */
function collect(type: protobuf.Type | protobuf.Enum, into: Set<protobuf.Type | protobuf.Enum>): void {
  if (into.has(type) || (type instanceof protobuf.Type && isBuiltIn(type))) return;
  into.add(type);
  if (type instanceof protobuf.Enum) return;
  for (const field of type.fieldsArray) {
    const { resolvedType } = field.resolve();
    if (resolvedType !== null) collect(resolvedType, into);
  }
}

/** A name for each: without its package, or with it where two would be the same. */
function identifiers(types: readonly (protobuf.Type | protobuf.Enum)[]): Map<protobuf.ReflectionObject, string> {
  const uses = new Map<string, number>(reserved.map((name) => [name, 1]));
  for (const type of types) uses.set(shortName(type), (uses.get(shortName(type)) ?? 0) + 1);
  const unique = new Set<string>();
  const name = (type: protobuf.ReflectionObject): string => {
    let chosen = uses.get(shortName(type)) === 1 ? shortName(type) : pascalCase(type.fullName);
    while (unique.has(chosen)) chosen += '_';
    unique.add(chosen);
    return chosen;
  };
  return new Map(types.map((type) => [type, name(type)]));
}

function messageText(type: protobuf.Type, names: Names, registry: TypeRegistry): string {
  const fullName = type.fullName.slice(1);
  const comment = `/** ${fullName}, of ${registry.fileOf(fullName)} */\n`;
  // An interface without members would take any value.
  if (type.fieldsArray.length === 0) return `${comment}export type ${names.get(type)} = Record<string, never>;\n`;
  const fields = type.fieldsArray.map((field) => {
    const optional = !field.repeated && !field.map && hasPresence(field) ? '?' : '';
    return `  ${field.name}${optional}: ${fieldType(field, names)};\n`;
  });
  return `${comment}export interface ${names.get(type)} {\n${fields.join('')}}\n`;
}

function enumText(type: protobuf.Enum, names: Names): string {
  const values = Object.keys(type.values).map((name) => `'${name}'`);
  // A value that the .proto file does not name comes as its number.
  return `/** ${type.fullName.slice(1)} */\nexport type ${names.get(type)} = ${[...values, 'number'].join(' | ')};\n`;
}

type Names = ReadonlyMap<protobuf.ReflectionObject, string>;

function fieldType(field: protobuf.Field, names: Names): string {
  const { resolvedType } = field.resolve();
  const single =
    resolvedType === null
      ? scalarType(field.type)
      : resolvedType instanceof protobuf.Enum
        ? names.get(resolvedType)!
        : messageType(resolvedType, names);
  if (field.map) return `{ [key: string]: ${single} }`;
  return field.repeated ? `${single}[]` : single;
}

function messageType(type: protobuf.Type, names: Names): string {
  const name = type.fullName.slice(1);
  if (isWrapper(name)) return scalarType(type.fields.value!.type);
  return wellKnown[name] ?? names.get(type)!;
}

function scalarType(type: string): string {
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  if (type === 'bytes') return 'Uint8Array';
  return isWide(type) ? 'bigint' : 'number';
}

function isBuiltIn(type: protobuf.Type): boolean {
  const name = type.fullName.slice(1);
  return isWrapper(name) || Object.hasOwn(wellKnown, name);
}

/** The name within its package: `Kinds.Inner` → `KindsInner`. */
function shortName(type: protobuf.ReflectionObject): string {
  const outer = type.parent instanceof protobuf.Type ? shortName(type.parent) : '';
  return outer + pascalCase(type.name);
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|[._])([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
