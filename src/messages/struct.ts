import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';

/*
 * google.protobuf.Struct, Value and ListValue straight between bytes and plain JavaScript values.
 * They are what most services publish; going through message objects would cost three allocations a field.
 */

/** What a google.protobuf.Value can hold. */
export type StructValue = null | boolean | number | string | StructValue[] | { [key: string]: StructValue };

/** A google.protobuf.Struct. */
export type StructObject = { [key: string]: StructValue };

// Messages within each other, as protobuf's own decoders count and limit them: an object within an object takes three
// (Struct, map entry, Value), a list within a list two. What is deeper could not be read by the peers, and coming in
// it is an attack on the stack.
const maxDepth = 100;

/** Encodes a plain object. Errors: `invalid-argument` naming the key whose value no JSON value can hold. */
export function encodeStruct(value: unknown): Uint8Array {
  if (!isPlainObject(value)) throw unfit('', value, 'a plain object');
  const writer = protobuf.Writer.create();
  writeStruct(writer, value, '', 1);
  return writer.finish();
}

/** Encodes anything that JSON could hold. Errors: as `encodeStruct`. */
export function encodeValue(value: unknown): Uint8Array {
  const writer = protobuf.Writer.create();
  writeValue(writer, value, '', 1);
  return writer.finish();
}

/** Encodes an array. Errors: as `encodeStruct`. */
export function encodeListValue(value: unknown): Uint8Array {
  if (!Array.isArray(value)) throw unfit('', value, 'an array');
  const writer = protobuf.Writer.create();
  writeList(writer, value, '', 1);
  return writer.finish();
}

/** Decodes to a plain object. Errors: `data-loss` when the bytes are no Struct. */
export function decodeStruct(bytes: Uint8Array): StructObject {
  return decode(bytes, readStruct);
}

/** Errors: `data-loss` when the bytes are no Value. */
export function decodeValue(bytes: Uint8Array): StructValue {
  return decode(bytes, readValue);
}

/** Errors: `data-loss` when the bytes are no ListValue. */
export function decodeListValue(bytes: Uint8Array): StructValue[] {
  return decode(bytes, readList);
}

function decode<T>(bytes: Uint8Array, read: (reader: protobuf.Reader, end: number, depth: number) => T): T {
  try {
    const reader = protobuf.Reader.create(bytes);
    return read(reader, reader.len, 1);
  } catch (error) {
    throw new MeshError('data-loss', `malformed bytes: ${(error as Error).message}`, { cause: error });
  }
}

function writeStruct(writer: protobuf.Writer, object: object, at: string, depth: number): void {
  for (const [key, value] of Object.entries(object)) {
    // As JSON.stringify does: a key without a value is no key.
    if (value === undefined) continue;
    writer.uint32(0x0a).fork().uint32(0x0a).string(key).uint32(0x12).fork();
    writeValue(writer, value, at === '' ? key : `${at}.${key}`, depth + 2);
    writer.ldelim().ldelim();
  }
}

function writeValue(writer: protobuf.Writer, value: unknown, at: string, depth: number): void {
  checkDepth(depth);
  if (value === null) writer.uint32(0x08).int32(0);
  else if (typeof value === 'number') writer.uint32(0x11).double(value);
  else if (typeof value === 'string') writer.uint32(0x1a).string(value);
  else if (typeof value === 'boolean') writer.uint32(0x20).bool(value);
  else if (Array.isArray(value)) {
    writer.uint32(0x32).fork();
    writeList(writer, value, at, depth + 1);
    writer.ldelim();
  } else if (isPlainObject(value)) {
    writer.uint32(0x2a).fork();
    writeStruct(writer, value, at, depth + 1);
    writer.ldelim();
  } else throw unfit(at, value, 'null, a boolean, a number, a string, an array or a plain object');
}

function writeList(writer: protobuf.Writer, list: readonly unknown[], at: string, depth: number): void {
  list.forEach((item, index) => {
    writer.uint32(0x0a).fork();
    writeValue(writer, item, `${at}[${index}]`, depth + 1);
    writer.ldelim();
  });
}

function readStruct(reader: protobuf.Reader, end: number, depth: number): StructObject {
  const object: StructObject = {};
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag !== 0x0a) {
      skip(reader, tag);
      continue;
    }
    const entryEnd = endOfField(reader, end);
    let key = '';
    let value: StructValue = null;
    while (reader.pos < entryEnd) {
      const field = reader.uint32();
      if (field === 0x0a) key = reader.string();
      else if (field === 0x12) value = readValue(reader, endOfField(reader, entryEnd), depth + 2);
      else skip(reader, field);
    }
    checkEnd(reader, entryEnd);
    // Plain assignment of this one key would set the object's prototype instead of a property.
    if (key === '__proto__') {
      Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    } else object[key] = value;
  }
  checkEnd(reader, end);
  return object;
}

function readValue(reader: protobuf.Reader, end: number, depth: number): StructValue {
  checkDepth(depth);
  let value: StructValue = null;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x08) {
      reader.int32();
      value = null;
    } else if (tag === 0x11) value = reader.double();
    else if (tag === 0x1a) value = reader.string();
    else if (tag === 0x20) value = reader.bool();
    else if (tag === 0x2a) value = readStruct(reader, endOfField(reader, end), depth + 1);
    else if (tag === 0x32) value = readList(reader, endOfField(reader, end), depth + 1);
    else skip(reader, tag);
  }
  checkEnd(reader, end);
  return value;
}

function readList(reader: protobuf.Reader, end: number, depth: number): StructValue[] {
  const list: StructValue[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) list.push(readValue(reader, endOfField(reader, end), depth + 1));
    else skip(reader, tag);
  }
  checkEnd(reader, end);
  return list;
}

/** Where the length-delimited field that begins here ends; it must not reach beyond what it lies in. */
function endOfField(reader: protobuf.Reader, end: number): number {
  const fieldEnd = reader.uint32() + reader.pos;
  if (fieldEnd > end) throw new RangeError(`a field ends behind its message, at byte ${fieldEnd}`);
  return fieldEnd;
}

function checkEnd(reader: protobuf.Reader, end: number): void {
  if (reader.pos > end) throw new RangeError(`a field ends behind its message, at byte ${reader.pos}`);
}

function skip(reader: protobuf.Reader, tag: number): void {
  reader.skipType(tag & 7, 0, tag >>> 3);
}

function checkDepth(depth: number): void {
  if (depth <= maxDepth) return;
  throw new MeshError(
    'invalid-argument',
    `a Struct nests deeper than protobuf allows: ${maxDepth} messages, that is 33 objects within each other`,
  );
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function unfit(at: string, value: unknown, wanted: string): MeshError {
  const kind = typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'object') : typeof value;
  const where = at === '' ? 'the value' : `"${at}"`;
  return new MeshError('invalid-argument', `${where} is a ${kind}; google.protobuf.Struct holds ${wanted}`);
}
