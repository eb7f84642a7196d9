import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, expect, test } from 'vitest';
import { TypeRegistry } from '../../src/messages/registry.js';
import { typescriptOf } from '../../src/messages/typescript.js';

const registry = new TypeRegistry([fileURLToPath(new URL('protos', import.meta.url))]);
const scratch = mkdtempSync(join(tmpdir(), 'furrow-types-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The part of furrow's entry that the declarations use. */
const furrow = `
  export class NanoDate extends Date { readonly nanos: number = 0; }
  export type StructValue = null | boolean | number | string | StructValue[] | { [key: string]: StructValue };
  export type StructObject = { [key: string]: StructValue };`;

const libraries = new Map<string, ts.SourceFile | undefined>();

/** Compiles the files, of which `furrow` is one, strictly; gives the faults as text. */
function compile(files: Record<string, string>): string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: [],
    paths: { furrow: [join(scratch, 'furrow.ts')] },
  };
  const texts = new Map(
    Object.entries({ ...files, 'furrow.ts': furrow }).map(([name, text]) => [join(scratch, name), text]),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  host.readFile = (name) => texts.get(name) ?? readFile(name);
  host.getSourceFile = (name, version) => {
    const text = texts.get(name);
    if (text !== undefined) return ts.createSourceFile(name, text, version);
    if (!libraries.has(name)) libraries.set(name, getSourceFile(name, version));
    return libraries.get(name);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  return [...texts.keys()]
    .flatMap((name) => {
      const file = program.getSourceFile(name);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    })
    .map(({ file, start, messageText }) => {
      const line = file === undefined ? '' : file.text.slice(0, start).split('\n').length;
      return `${file?.fileName.slice(scratch.length + 1)}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
}

test('the declarations compile, and are those of the natural values', () => {
  const generated = typescriptOf(registry, [
    'field.Kinds',
    'google.protobuf.Struct',
    'google.protobuf.Int64Value',
    'farm_ng.core.proto.ListUrisRequest',
  ]);
  const use = `
    import type { Kinds, ListUrisRequest, MessageTypes, Uri } from './generated.js';
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
    declare const kinds: MessageTypes['field.Kinds'];
    export const same: Same<typeof kinds, Kinds> = true;
    export const wide: bigint = kinds.int64Value;
    export const ids: bigint[] = kinds.ids;
    export const gear: 'PARK' | 'DRIVE' | 'REVERSE' | number = kinds.gear;
    export const deep: string | undefined = kinds.inner?.deep?.text;
    export const inner: number | undefined = kinds.byName['a']?.count;
    export const optional: Same<Kinds['optionalValue'], number | undefined> = true;
    export const always: Same<Kinds['int32Value'], number> = true;
    export const nanos: number | undefined = kinds.at?.nanos;
    export const seconds: bigint | undefined = kinds.lasting?.seconds;
    export const bytes: Uint8Array = kinds.bytesValue;
    export const wrapped: bigint = 5n satisfies MessageTypes['google.protobuf.Int64Value'];
    export const struct: MessageTypes['google.protobuf.Struct'] = { a: [1, { b: null }] };
    export const uri: Uri = { scheme: '', authority: '', path: '', query: '' };
    export const empty: ListUrisRequest = {};
    export const again: Kinds | undefined = kinds.again?.again;`;
  expect(compile({ 'generated.ts': generated, 'use.ts': use })).toEqual([]);
});

test('a wrong use does not compile', () => {
  const generated = typescriptOf(registry, ['field.Kinds', 'google.protobuf.Empty']);
  const use = `import type { Kinds, MessageTypes } from './generated.js';
    declare const kinds: Kinds;
    export const wide: number = kinds.int64Value;
    export const gear: Kinds['gear'] = 'DRVIE';
    export const deep = kinds.inner.deep;
    export const empty: MessageTypes['google.protobuf.Empty'] = { a: 1 };`;
  expect(compile({ 'generated.ts': generated, 'use.ts': use }).map((fault) => fault.split(': ')[0])).toEqual([
    'use.ts:3',
    'use.ts:4',
    'use.ts:5',
    'use.ts:6',
  ]);
});

test('messages of one name in several packages, and of names that the text needs, get names of their own', () => {
  const protos = join(scratch, 'protos');
  mkdirSync(protos);
  const write = (name: string, text: string) => writeFileSync(join(protos, name), `syntax = "proto3"; ${text}`);
  write('a.proto', 'package a; message Thing { int32 x = 1; } message NanoDate { int64 y = 1; }');
  write('b.proto', 'package b; import "a.proto"; message Thing { a.Thing other = 1; a.NanoDate date = 2; }');
  const generated = typescriptOf(new TypeRegistry([protos]), ['b.Thing']);
  expect(generated).not.toContain('import');
  const use = `import type { AThing, BThing, ANanoDate } from './generated.js';
    export const thing: BThing = { other: { x: 1 } satisfies AThing, date: { y: 5n } satisfies ANanoDate };`;
  expect(compile({ 'generated.ts': generated, 'use.ts': use })).toEqual([]);
});

test('the same types give the same text, in any order', () => {
  const types = ['field.Kinds', 'farm_ng.core.proto.Event'];
  expect(typescriptOf(registry, types)).toBe(typescriptOf(registry, [...types, ...types].reverse()));
  expect(typescriptOf(registry, [])).toContain('export interface MessageTypes {\n}');
});

test('an unknown type is named', () => {
  expect(() => typescriptOf(registry, ['field.Kind'])).toThrow('did you mean "field.Kinds"?');
});
