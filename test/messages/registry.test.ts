import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { TypeRegistry } from '../../src/messages/registry.js';
import { failure, registry } from './kinds.js';

describe('unknown types', () => {
  test('are named, with a suggestion', () => {
    for (const run of [
      () => registry.encode('google.protobuf.Strut', {}),
      () => registry.decode('google.protobuf.Strut', Buffer.alloc(0)),
      () => registry.fileOf('google.protobuf.Strut'),
      () => registry.reflect('google.protobuf.Strut'),
    ]) {
      expect(failure(run)).toMatchObject({ code: 'not-found' });
      expect(failure(run).message).toContain('did you mean "google.protobuf.Struct"?');
    }
  });

  test.each(['Kinds', '.field.Kinds', 'field', 'field.Kinds.Gear', '', 'constructor'])('"%s" is not one', (name) => {
    expect(registry.has(name)).toBe(false);
  });
});

describe('directories of protos', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'furrow-protos-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  function directory(name: string, files: Record<string, string>): string {
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(scratch, name, file)), { recursive: true });
      writeFileSync(join(scratch, name, file), `syntax = "proto3";\n${content}`);
    }
    return join(scratch, name);
  }

  test('one that is missing is named', () => {
    const error = failure(() => new TypeRegistry([join(scratch, 'none')]));
    expect(error).toMatchObject({ code: 'not-found' });
    expect(error.message).toContain(join(scratch, 'none'));
  });

  test.each([
    ['a file that does not parse', 'message {', 'bad.proto'],
    ['an import that is nowhere', 'import "no/such.proto";', '"no/such.proto"'],
    ['a field of an unknown type', 'package p; message M { NoSuch field = 1; }', 'NoSuch'],
    ['a type that furrow has', 'package farm_ng.core.proto; message Uri {}', 'Uri'],
  ])('%s is named', (what, content, part) => {
    const error = failure(() => new TypeRegistry([directory(what, { 'bad.proto': content })]));
    expect(error).toMatchObject({ code: 'invalid-argument' });
    expect(error.message).toContain(part);
  });

  test('may hold copies of the files that furrow has', () => {
    const copies = directory('copies', {
      'farm_ng/core/uri.proto': 'package farm_ng.core.proto; message Uri { string path = 3; }',
      'google/protobuf/struct.proto': 'package google.protobuf; message Struct {}',
      'own.proto': 'package own; import "farm_ng/core/uri.proto"; message M { farm_ng.core.proto.Uri uri = 1; }',
    });
    const types = new TypeRegistry([copies]);
    const value = { uri: { scheme: 's', authority: '', path: '/p', query: '' } };
    expect(types.decode('own.M', types.encode('own.M', value))).toEqual(value);
  });

  test('may import from each other and from descriptor.proto', () => {
    const one = directory('one', { 'a.proto': 'package a; import "b.proto"; message A { b.B b = 1; }' });
    const two = directory('two', {
      'b.proto':
        'package b; import "google/protobuf/descriptor.proto"; extend google.protobuf.FieldOptions { string unit = 50000; } message B { double x = 1 [(unit) = "m"]; }',
    });
    const types = new TypeRegistry([one, two]);
    expect(types.decode('a.A', types.encode('a.A', { b: { x: 2 } }))).toEqual({ b: { x: 2 } });
    expect(types.fileOf('b.B')).toBe('b.proto');
  });

  test("the protos of gRPC reflection are no event types, and may be a user's own", () => {
    expect(registry.typeNames().filter((name) => name.startsWith('grpc.'))).toEqual([]);
    const own = directory('reflection', { 'r.proto': 'package grpc.reflection.v1; message ErrorResponse {}' });
    expect(new TypeRegistry([own]).fileOf('grpc.reflection.v1.ErrorResponse')).toBe('r.proto');
  });

  test('two registries share nothing', () => {
    const one = new TypeRegistry([directory('first', { 'm.proto': 'package same; message M { int32 a = 1; }' })]);
    const two = new TypeRegistry([directory('second', { 'm.proto': 'package same; message M { string b = 1; }' })]);
    expect(one.decode('same.M', one.encode('same.M', { a: 1 }))).toEqual({ a: 1 });
    expect(two.decode('same.M', two.encode('same.M', { b: 'x' }))).toEqual({ b: 'x' });
    expect(registry.has('same.M')).toBe(false);
  });
});
