import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { didYouMean } from '../base/suggest.js';
import { type Codec, NaturalCodecs } from './natural.js';
import { shippedProtos } from './proto-directory.js';

/** The well-known types, and the file that farm-ng peers import each from. */
const wellKnownFiles = [
  'google/protobuf/any.proto',
  'google/protobuf/duration.proto',
  'google/protobuf/empty.proto',
  'google/protobuf/field_mask.proto',
  'google/protobuf/struct.proto',
  'google/protobuf/timestamp.proto',
  'google/protobuf/wrappers.proto',
] as const;

// What gRPC's own services say to tools, and what carries requests.
const neverInEvents = /^(grpc|furrow.request_lane\.proto$)/;

/**
 * Knows message types by full name and turns bytes into natural JavaScript values and back.
 * It holds the well-known types, furrow's own protos and the directories that a user adds; it never takes a
 * schema from a peer. See `natural.ts` for the value each type has in JavaScript.
 */
export class TypeRegistry {
  private readonly root = new protobuf.Root();
  private readonly codecs = new Map<string, Codec>();
  private readonly natural = new NaturalCodecs();
  /** Import path of the file that declares a type. */
  private readonly files = new Map<string, string>();

  /**
   * @param protoDirectories Directories of `.proto` files; imports are looked up in all of them. A file under a path
   * that furrow or an earlier directory has too, such as a copy of farm-ng's own protos, is taken from there.
   * @throws MeshError `not-found` for a directory that is missing, `invalid-argument` for a file that does not parse.
   */
  constructor(protoDirectories: readonly string[] = []) {
    const shipped = shippedProtos();
    const directories = [shipped, ...protoDirectories.map((directory) => resolve(directory))];
    const importDirectories = [...directories, protobufProtos()];
    this.root.resolvePath = (origin, target) => resolveImport(importDirectories, origin, target);
    for (const file of wellKnownFiles) this.load(file, importDirectories);
    const loaded = new Set<string>();
    for (const directory of directories) {
      for (const file of protoFiles(directory)) {
        if (loaded.has(file) || (directory === shipped && neverInEvents.test(file))) continue;
        loaded.add(file);
        this.load(join(directory, file), importDirectories);
      }
    }
    try {
      this.root.resolveAll();
    } catch (error) {
      const where = protoDirectories.join(', ') || shipped;
      throw new MeshError('invalid-argument', `the protos in ${where}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Whether the type is known. */
  has(type: string): boolean {
    return this.files.has(type);
  }

  /** Full names of all known types, sorted. */
  typeNames(): string[] {
    return [...this.files.keys()].sort();
  }

  /** The import path of the proto file that declares `type`, which event URIs name as `pb`. */
  fileOf(type: string): string {
    const file = this.files.get(type);
    if (file === undefined) throw this.unknown(type);
    return file;
  }

  /** The protobufjs reflection of a type, for schemas and documentation. */
  reflect(type: string): protobuf.Type {
    if (!this.has(type)) throw this.unknown(type);
    // The leading dot keeps protobufjs from searching other packages for the name.
    return this.root.lookupType(`.${type}`);
  }

  /** Errors: `not-found` for an unknown type; `invalid-argument`, naming the field, for a value that does not fit. */
  encode(type: string, value: unknown): Uint8Array {
    try {
      return this.codec(type).encode(value);
    } catch (error) {
      throw fail(error, 'invalid-argument', `cannot encode ${type}`);
    }
  }

  /** Errors: `not-found` for an unknown type; `data-loss` for bytes that are not a message of the type. */
  decode(type: string, bytes: Uint8Array): unknown {
    const codec = this.codec(type);
    try {
      return codec.decode(bytes);
    } catch (error) {
      throw fail(error, 'data-loss', `${bytes.length} bytes are not a ${type}`);
    }
  }

  private codec(type: string): Codec {
    let codec = this.codecs.get(type);
    if (codec === undefined) {
      codec = this.natural.codec(this.reflect(type));
      this.codecs.set(type, codec);
    }
    return codec;
  }

  private load(path: string, directories: readonly string[]): void {
    try {
      this.root.loadSync(path);
    } catch (error) {
      throw new MeshError('invalid-argument', `${path}: ${(error as Error).message}`, { cause: error });
    }
    this.index(this.root, path, directories);
  }

  /** Remembers the file of each type that is new since the last call. */
  private index(namespace: protobuf.NamespaceBase, path: string, directories: readonly string[]): void {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Type) {
        const name = nested.fullName.slice(1);
        if (!this.files.has(name)) this.files.set(name, importPath(nested.filename ?? path, directories));
      }
      if (nested instanceof protobuf.Namespace) this.index(nested, path, directories);
    }
  }

  private unknown(type: string): MeshError {
    return new MeshError(
      'not-found',
      `message type "${type}" is not known${didYouMean(type, this.typeNames())}; add the directory of its .proto file`,
    );
  }
}

function protoFiles(directory: string): string[] {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new MeshError('not-found', `${directory} is not a directory; name one that holds .proto files`);
  }
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.proto'))
    .sort();
}

/** The directory of the google/protobuf files that protobufjs does not carry within, descriptor.proto above all. */
function protobufProtos(): string {
  return dirname(createRequire(import.meta.url).resolve('protobufjs/package.json'));
}

function resolveImport(directories: readonly string[], origin: string, target: string): string {
  // protobufjs carries the well-known types itself.
  if (isAbsolute(target) || protobuf.common.get(target) !== null) return target;
  const home = directories.find((directory) => existsSync(join(directory, target)));
  if (home !== undefined) return join(home, target);
  throw new MeshError('invalid-argument', `${origin} imports "${target}", which is in no proto directory; add its own`);
}

/** How a file is named in an `import`: relative to the directory it was found in, with forward slashes. */
function importPath(file: string, directories: readonly string[]): string {
  const home = directories.find((directory) => file.startsWith(directory + sep));
  return home === undefined ? file : relative(home, file).split(sep).join('/');
}

function fail(error: unknown, code: 'invalid-argument' | 'data-loss', what: string): MeshError {
  if (error instanceof MeshError && error.code === 'not-found') return error;
  return new MeshError(code, `${what}: ${(error as Error).message}`, { cause: error });
}
