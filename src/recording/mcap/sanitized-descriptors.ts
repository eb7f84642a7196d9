import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { MeshError } from '../../base/errors.js';

/*
 * A schema in a file is what a stranger wrote, and protobufjs makes code of schemas (CVE-2026-44291). So it gets a root
 * of its own, never the shared registry's, and only what decoding needs goes there: names that are identifiers,
 * numbers, types. Options and defaults, which are free text, do not.
 */

const mostBytes = 4_000_000;
const mostDepth = 32;

interface Fields {
  readonly [name: string]: unknown;
}

/** The types of an encoded FileDescriptorSet. Errors: `data-loss` for bytes that are none, or names that are not protobuf's. */
export function rootOfDescriptors(bytes: Uint8Array): protobuf.Root {
  if (bytes.length > mostBytes) {
    throw new MeshError('data-loss', `a schema of ${bytes.length} bytes; at most ${mostBytes} are read`);
  }
  try {
    const set = descriptor.FileDescriptorSet.decode(bytes) as unknown as { readonly file?: readonly Fields[] };
    const file = (set.file ?? []).map((one) => ({
      name: 'schema.proto',
      package: text(one, 'package', /^[A-Za-z_][\w.]*$/),
      syntax: one.syntax === 'proto3' ? 'proto3' : 'proto2',
      messageType: list(one, 'messageType').map((message) => messageOf(message, 0)),
      enumType: list(one, 'enumType').map(enumOf),
    }));
    const sane = descriptor.FileDescriptorSet.create({ file } as never);
    const root = protobuf.Root.fromDescriptor(descriptor.FileDescriptorSet.encode(sane).finish());
    root.resolveAll();
    return root;
  } catch (error) {
    throw new MeshError('data-loss', `a schema that cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function messageOf(message: Fields, depth: number): Fields {
  if (depth > mostDepth) throw new Error(`messages nest deeper than ${mostDepth}`);
  const options = message.options as Fields | null | undefined;
  return {
    name: identifier(message),
    field: list(message, 'field').map(fieldOf),
    nestedType: list(message, 'nestedType').map((nested) => messageOf(nested, depth + 1)),
    enumType: list(message, 'enumType').map(enumOf),
    oneofDecl: list(message, 'oneofDecl').map((oneof) => ({ name: identifier(oneof) })),
    ...(options?.mapEntry === true ? { options: { mapEntry: true } } : {}),
  };
}

function fieldOf(field: Fields): Fields {
  const { number, label, type, oneofIndex, proto3Optional } = field;
  return {
    name: identifier(field),
    number,
    label,
    type,
    ...(field.typeName ? { typeName: text(field, 'typeName', /^\.?[A-Za-z_][\w.]*$/) } : {}),
    ...(Object.hasOwn(field, 'oneofIndex') && oneofIndex != null ? { oneofIndex } : {}),
    ...(proto3Optional === true ? { proto3Optional } : {}),
  };
}

function enumOf(type: Fields): Fields {
  const value = list(type, 'value').map((one) => ({ name: identifier(one), number: one.number }));
  return { name: identifier(type), value, options: { allowAlias: true } };
}

function list(fields: Fields, name: string): readonly Fields[] {
  return (fields[name] as readonly Fields[] | null | undefined) ?? [];
}

function identifier(fields: Fields): string {
  const name = text(fields, 'name', /^[A-Za-z_]\w*$/);
  // No schema of people has them, and they mean something to JavaScript.
  if (['', '__proto__', 'constructor', 'prototype'].includes(name)) throw new Error(`"${name}" is no name`);
  return name;
}

function text(fields: Fields, name: string, allowed: RegExp): string {
  const value = String(fields[name] ?? '');
  if (value !== '' && !allowed.test(value)) throw new Error(`${JSON.stringify(value.slice(0, 80))} is no name`);
  return value;
}
