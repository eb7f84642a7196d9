import { sep } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import type { TypeRegistry } from '../../messages/registry.js';
import { lengthDelimited } from '../../messages/uri-codec.js';
import { DescriptorFiles } from '../../wire/descriptors.js';

/** Schemas of the registry's types as MCAP wants them: encoded FileDescriptorSets, complete in themselves. */
export class ProtobufSchemas {
  private readonly registry: TypeRegistry;
  private files: DescriptorFiles | undefined;

  constructor(registry: TypeRegistry) {
    this.registry = registry;
  }

  /** The FileDescriptorSet that declares `type`, imported files before those that import them; undefined for an unknown type. */
  schemaOf(type: string): Buffer | undefined {
    if (!this.registry.has(type)) return undefined;
    this.files ??= describedFiles(this.registry);
    const file = this.files.declaring(type);
    const closure = file === undefined ? undefined : this.files.closure(file);
    if (closure === undefined) return undefined;
    return Buffer.concat(importedFirst(closure).map((bytes) => lengthDelimited(fileTag, bytes)));
  }
}

/** FileDescriptorSet.file */
const fileTag = 0x0a;

interface FileHead {
  readonly name: string;
  readonly dependency?: readonly string[];
}

function importedFirst(files: readonly Uint8Array[]): Uint8Array[] {
  const heads = files.map((bytes) => descriptor.FileDescriptorProto.decode(bytes) as unknown as FileHead);
  const indexOf = new Map(heads.map(({ name }, index) => [name, index]));
  const ordered = new Set<number>();
  const visited = new Set<number>();
  const visit = (index: number): void => {
    if (visited.has(index)) return;
    visited.add(index);
    for (const imported of heads[index]?.dependency ?? []) visit(indexOf.get(imported)!);
    ordered.add(index);
  };
  for (const index of files.keys()) visit(index);
  return [...ordered].map((index) => files[index]!);
}

function describedFiles(registry: TypeRegistry): DescriptorFiles {
  const importPaths = new Map<string, string>();
  const directories = new Set<string>();
  let root: protobuf.Root | undefined;
  for (const name of registry.typeNames()) {
    const type = registry.reflect(name);
    root = type.root;
    if (type.filename == null) continue;
    const path = registry.fileOf(name);
    importPaths.set(type.filename, path);
    if (type.filename.endsWith(path.split('/').join(sep))) directories.add(type.filename.slice(0, -path.length));
  }
  return new DescriptorFiles(root ?? new protobuf.Root(), (filename) => {
    const known = importPaths.get(filename);
    if (known !== undefined) return known;
    // A file that declares only enums: no type tells its import path, but those of its neighbours do.
    const home = [...directories].find((directory) => filename.startsWith(directory)) ?? '';
    return filename.slice(home.length).split(sep).join('/');
  });
}
