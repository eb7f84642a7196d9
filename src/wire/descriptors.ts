import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

/*
 * Descriptors of proto files, as reflection serves them: one FileDescriptorProto for each file, under its import path,
 * with its imports and with absolute type names. protobufjs's own conversion gives one file for each package, without
 * imports and with map entries under names that Go's protobuf refuses.
 */

interface DescribedFile {
  readonly name: string;
  readonly package: string;
  readonly messages: protobuf.Type[];
  readonly enums: protobuf.Enum[];
  readonly services: protobuf.Service[];
  readonly imports: Set<string>;
}

/** The files of a set of proto files, found by import path or by what they declare. */
export class DescriptorFiles {
  private readonly files = new Map<string, DescribedFile>();
  private readonly fileOfSymbol = new Map<string, string>();
  private readonly messageNames = new Set<string>();
  private readonly encoded = new Map<string, Uint8Array>();
  private readonly importPath: (filename: string) => string;

  /**
   * @param root Resolved.
   * @param importPath How the file that protobufjs loaded as `filename` is named in an `import`.
   */
  constructor(root: protobuf.Root, importPath: (filename: string) => string) {
    this.importPath = importPath;
    this.collect(root);
  }

  /** Whether `name` is the full name of a message. */
  isMessage(name: string): boolean {
    return this.messageNames.has(name);
  }

  /** Import path of the file that declares a service, method, message, field, enum or enum value. */
  declaring(symbol: string): string | undefined {
    return this.fileOfSymbol.get(symbol);
  }

  /** The encoded file and all that it imports, itself first; undefined when there is no such file. */
  closure(name: string): Uint8Array[] | undefined {
    if (!this.files.has(name)) return undefined;
    const names = new Set([name]);
    // A set hands out what is added to it while it is walked.
    for (const next of names) for (const imported of this.files.get(next)?.imports ?? []) names.add(imported);
    return [...names].map((next) => this.encode(this.files.get(next)!));
  }

  private collect(namespace: protobuf.NamespaceBase): void {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Type) {
        const file = this.fileOf(nested);
        file.messages.push(nested);
        this.addMessage(nested, file);
      } else if (nested instanceof protobuf.Enum) {
        const file = this.fileOf(nested);
        file.enums.push(nested);
        this.addEnum(nested, file);
      } else if (nested instanceof protobuf.Service) {
        this.addService(nested);
      } else if (nested instanceof protobuf.Namespace) {
        this.collect(nested);
      }
    }
  }

  private addMessage(type: protobuf.Type, file: DescribedFile): void {
    this.messageNames.add(nameOf(type));
    this.fileOfSymbol.set(nameOf(type), file.name);
    for (const field of type.fieldsArray) {
      this.fileOfSymbol.set(`${nameOf(type)}.${field.protoName ?? field.name}`, file.name);
      this.addImport(file, field.resolve().resolvedType);
    }
    for (const nested of type.nestedArray) {
      if (nested instanceof protobuf.Type) this.addMessage(nested, file);
      else if (nested instanceof protobuf.Enum) this.addEnum(nested, file);
    }
  }

  private addEnum(type: protobuf.Enum, file: DescribedFile): void {
    this.fileOfSymbol.set(nameOf(type), file.name);
    // The values of an enum stand beside it, not within.
    const scope = nameOf(type.parent!);
    for (const value of Object.keys(type.values)) this.fileOfSymbol.set(`${scope}.${value}`, file.name);
  }

  private addService(service: protobuf.Service): void {
    const file = this.fileOf(service);
    file.services.push(service);
    this.fileOfSymbol.set(nameOf(service), file.name);
    for (const method of service.methodsArray) {
      this.fileOfSymbol.set(nameOf(method), file.name);
      method.resolve();
      this.addImport(file, method.resolvedRequestType);
      this.addImport(file, method.resolvedResponseType);
    }
  }

  private addImport(file: DescribedFile, used: protobuf.ReflectionObject | null): void {
    if (used === null) return;
    const name = this.fileNameOf(used);
    if (name !== file.name) file.imports.add(name);
  }

  private fileOf(object: protobuf.ReflectionObject): DescribedFile {
    const name = this.fileNameOf(object);
    let file = this.files.get(name);
    if (file === undefined) {
      file = { name, package: nameOf(object.parent!), messages: [], enums: [], services: [], imports: new Set() };
      this.files.set(name, file);
    }
    return file;
  }

  private fileNameOf(object: protobuf.ReflectionObject): string {
    let top = object;
    while (top.parent instanceof protobuf.Type) top = top.parent;
    // What protobufjs carries itself, the well-known types, has no file name.
    return top.filename == null ? wellKnownFile(top.name) : this.importPath(top.filename);
  }

  private encode(file: DescribedFile): Uint8Array {
    let bytes = this.encoded.get(file.name);
    if (bytes === undefined) {
      bytes = descriptor.FileDescriptorProto.encode({
        name: file.name,
        package: file.package,
        dependency: [...file.imports],
        messageType: file.messages.map(describeMessage),
        enumType: file.enums.map(describeEnum),
        service: file.services.map(describeService),
        syntax: 'proto3',
      }).finish();
      this.encoded.set(file.name, bytes);
    }
    return bytes;
  }
}

const label = { optional: 1, repeated: 3 } as const;

/** google.protobuf.FieldDescriptorProto.Type */
const fieldTypes: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};

function describeMessage(type: protobuf.Type): object {
  // The oneofs that stand for `optional` come last, as descriptors demand.
  const oneofs = type.oneofsArray.toSorted((a, b) => Number(a.isProto3Optional) - Number(b.isProto3Optional));
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, oneofs)),
    nestedType: [
      ...type.nestedArray.filter((nested) => nested instanceof protobuf.Type).map(describeMessage),
      ...type.fieldsArray.filter((field) => field.map).map(describeMapEntry),
    ],
    enumType: type.nestedArray.filter((nested) => nested instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: oneofs.map(({ name }) => ({ name })),
  };
}

function describeField(field: protobuf.Field, oneofs: readonly protobuf.OneOf[]): object {
  const name = field.protoName ?? field.name;
  const described = {
    name,
    number: field.id,
    label: field.repeated || field.map ? label.repeated : label.optional,
    jsonName: field.jsonName ?? name,
    ...(field.map
      ? { type: fieldTypes.message, typeName: `${field.parent!.fullName}.${mapEntryName(name)}` }
      : describeType(field)),
  };
  if (field.partOf == null) return described;
  return { ...described, oneofIndex: oneofs.indexOf(field.partOf), proto3Optional: field.partOf.isProto3Optional };
}

function describeMapEntry(field: protobuf.Field): object {
  const { keyType } = field as unknown as protobuf.MapField;
  const one = { label: label.optional };
  return {
    name: mapEntryName(field.protoName ?? field.name),
    field: [
      { ...one, name: 'key', number: 1, jsonName: 'key', type: fieldTypes[keyType] },
      { ...one, name: 'value', number: 2, jsonName: 'value', ...describeType(field) },
    ],
    options: { mapEntry: true },
  };
}

function describeType(field: protobuf.Field): object {
  const { resolvedType } = field.resolve();
  if (resolvedType === null) return { type: fieldTypes[field.type] };
  const type = resolvedType instanceof protobuf.Enum ? fieldTypes.enum : fieldTypes.message;
  return { type, typeName: resolvedType.fullName };
}

function describeEnum(type: protobuf.Enum): object {
  const aliased = new Set(Object.values(type.values)).size < Object.keys(type.values).length;
  return {
    name: type.name,
    value: Object.entries(type.values).map(([name, number]) => ({ name, number })),
    ...(aliased ? { options: { allowAlias: true } } : {}),
  };
}

function describeService(service: protobuf.Service): object {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => ({
      name: method.name,
      inputType: method.resolvedRequestType!.fullName,
      outputType: method.resolvedResponseType!.fullName,
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
    })),
  };
}

function wellKnownFile(topLevelName: string): string {
  const known = Object.entries(protobuf.common as unknown as Record<string, { nested?: unknown } | undefined>);
  const found = known.find(([, json]) => {
    const names = (json as { nested?: { google?: { nested?: { protobuf?: { nested?: object } } } } })?.nested?.google
      ?.nested?.protobuf?.nested;
    return names !== undefined && Object.hasOwn(names, topLevelName);
  });
  return found?.[0] ?? 'google/protobuf/unknown.proto';
}

function nameOf(object: protobuf.ReflectionObject): string {
  return object.fullName.slice(1);
}

/** protoc's name for the message behind a map field: `send_counts` → `SendCountsEntry`. */
function mapEntryName(fieldName: string): string {
  return `${`_${fieldName}`.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())}Entry`;
}
