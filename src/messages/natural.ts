import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { defaultOf, join, readMapKey, readScalar, unfit, writeMapKey, writeScalar } from './scalars.js';
import { type Codec, type Converter, structCodecs, textWrappers, wellKnownConverter } from './well-known.js';

export { type Codec, NanoDate } from './well-known.js';

/*
 * Between protobufjs's message objects and the values a JavaScript program would write:
 *
 *   Struct, Value, ListValue   plain objects, JSON values, arrays
 *   wrappers (Int32Value …)    the bare value
 *   int64 and its kin          bigint (numbers that are safe integers are accepted)
 *   Timestamp                  NanoDate, a Date that keeps its nanoseconds (Date is accepted)
 *   Duration                   {seconds: bigint, nanos: number} (a number of seconds is accepted)
 *   FieldMask                  array of paths
 *   Any                        {typeUrl, value: bytes}
 *   Empty                      {}
 *   enums                      the value's name; a number where the name is unknown
 *   bytes                      Uint8Array
 *   maps                       object; its keys are text, in decimal for integers
 *
 * A field that is not on the wire reads as its default; messages, members of a oneof and `optional` fields are left
 * out. Writing is strict: a field of the wrong type or an unknown one is an error that names it, since protobufjs
 * itself would send a zero instead.
 */

/** Makes the codecs of one root; a type's converter is built when it is first met. */
export class NaturalCodecs {
  private readonly converters = new Map<protobuf.Type, Converter>();

  codec(type: protobuf.Type): Codec {
    const direct = structCodecs[nameOf(type)];
    if (direct !== undefined) return direct;
    const converter = this.converter(type);
    const encodeText = textWrappers[nameOf(type)];
    return {
      encode: (value) => encodeText?.(value) ?? type.encode(converter.write(value, '')).finish(),
      decode: (bytes) => converter.read(type.decode(bytes) as unknown as Record<string, unknown>),
    };
  }

  private converter(type: protobuf.Type): Converter {
    let converter = this.converters.get(type);
    if (converter === undefined) {
      converter = wellKnownConverter(type) ?? this.messageConverter(type);
      this.converters.set(type, converter);
    }
    return converter;
  }

  private messageConverter(type: protobuf.Type): Converter {
    const fields = type.fieldsArray.map((field) => field.resolve());
    const names = fieldNames(fields);
    return {
      read: (message) => {
        const value: Record<string, unknown> = {};
        for (const field of fields) {
          const present = Object.hasOwn(message, field.name) && message[field.name] != null;
          if (present) value[field.name] = this.readField(field, message[field.name]);
          else if (field.map) value[field.name] = {};
          else if (field.repeated) value[field.name] = [];
          else if (!hasPresence(field)) value[field.name] = defaultOf(field);
        }
        return value;
      },
      write: (value, at) => {
        if (!isFieldsObject(value)) throw unfit(at, value, `an object of type ${nameOf(type)}`);
        const message: Record<string, unknown> = {};
        const chosen = new Map<protobuf.OneOf, string>();
        for (const [key, content] of Object.entries(value)) {
          if (content === undefined) continue;
          const field = names.get(key);
          if (field === undefined) throw unknownField(type, fields, key, at);
          if (Object.hasOwn(message, field.name)) {
            throw new MeshError('invalid-argument', `"${join(at, key)}" is given twice, in two spellings`);
          }
          if (field.partOf != null) checkOneof(chosen, field.partOf, join(at, key));
          message[field.name] = this.writeField(field, content, join(at, key));
        }
        return message;
      },
    };
  }

  private readField(field: protobuf.Field, content: unknown): unknown {
    if (field.map) {
      return Object.fromEntries(
        Object.entries(content as object).map(([key, item]) => [readMapKey(field, key), this.readSingle(field, item)]),
      );
    }
    if (field.repeated) return (content as unknown[]).map((item) => this.readSingle(field, item));
    return this.readSingle(field, content);
  }

  private readSingle(field: protobuf.Field, content: unknown): unknown {
    if (field.resolvedType instanceof protobuf.Type) {
      return this.converter(field.resolvedType).read(content as Record<string, unknown>);
    }
    return readScalar(field, content);
  }

  private writeField(field: protobuf.Field, content: unknown, at: string): unknown {
    if (field.map) {
      if (!isFieldsObject(content)) throw unfit(at, content, 'an object (it is a map)');
      return Object.fromEntries(
        Object.entries(content).map(([key, item]) => {
          const place = join(at, key);
          return [writeMapKey(field, key, place), this.writeSingle(field, item, place)];
        }),
      );
    }
    if (field.repeated) {
      const isList = Array.isArray(content) || (ArrayBuffer.isView(content) && !(content instanceof DataView));
      if (!isList) throw unfit(at, content, 'an array');
      return Array.from(content as ArrayLike<unknown>, (item, index) =>
        this.writeSingle(field, item, `${at}[${index}]`),
      );
    }
    return this.writeSingle(field, content, at);
  }

  private writeSingle(field: protobuf.Field, content: unknown, at: string): unknown {
    if (field.resolvedType instanceof protobuf.Type) return this.converter(field.resolvedType).write(content, at);
    return writeScalar(field, content, at);
  }
}

/** Whether a field that is not on the wire is absent from the value, instead of its default. */
export function hasPresence(field: protobuf.Field): boolean {
  return field.resolvedType instanceof protobuf.Type || field.partOf != null;
}

/** Every spelling under which a field is accepted: this library's, the .proto file's and proto3 JSON's. */
function fieldNames(fields: readonly protobuf.Field[]): Map<string, protobuf.Field> {
  const names = new Map<string, protobuf.Field>();
  for (const field of fields) {
    for (const name of [field.jsonName, field.protoName]) if (name !== undefined) names.set(name, field);
  }
  for (const field of fields) names.set(field.name, field);
  return names;
}

/** Whether the value's own properties can be fields: not so a Date, a Map, an array or a promise that nobody awaited. */
function isFieldsObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function checkOneof(chosen: Map<protobuf.OneOf, string>, oneof: protobuf.OneOf, at: string): void {
  const other = chosen.get(oneof);
  if (other !== undefined) {
    throw new MeshError('invalid-argument', `"${other}" and "${at}" are both set; oneof ${oneof.name} holds one value`);
  }
  chosen.set(oneof, at);
}

function unknownField(type: protobuf.Type, fields: readonly protobuf.Field[], key: string, at: string): MeshError {
  const known = fields.map(({ name }) => name);
  return new MeshError(
    'invalid-argument',
    `${nameOf(type)} has no field "${join(at, key)}"${didYouMean(key, known)}; its fields are ${listNames(known)}`,
  );
}

function nameOf(type: protobuf.Type): string {
  return type.fullName.slice(1);
}
