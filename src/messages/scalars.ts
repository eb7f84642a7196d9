import Long from 'long';
import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';

/*
 * Numbers, strings, bytes and enums between protobufjs and natural JavaScript values. Writing checks each value,
 * because protobufjs itself would send a zero or a part of the number instead.
 */

const integerRanges: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  sint32: [-(2 ** 31), 2 ** 31 - 1],
  sfixed32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  fixed32: [0, 2 ** 32 - 1],
};

/** Whether a scalar type has 64 bits, and so a bigint for its value. */
export function isWide(type: string): boolean {
  return type.endsWith('64');
}

/** The natural value of one scalar or enum of a field. */
export function readScalar(field: protobuf.Field, content: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Enum) {
    return field.resolvedType.valuesById[content as number] ?? content;
  }
  return isWide(field.type) ? toBigInt(content) : content;
}

/** What a field holds that is not on the wire. */
export function defaultOf(field: protobuf.Field): unknown {
  if (field.type === 'bytes') return new Uint8Array(0);
  return readScalar(field, field.typeDefault);
}

/** protobufjs's form of one scalar or enum. Errors: `invalid-argument` naming `at`, the field's path. */
export function writeScalar(field: protobuf.Field, content: unknown, at: string): unknown {
  if (field.resolvedType instanceof protobuf.Enum) return writeEnum(field.resolvedType, content, at);
  if (isWide(field.type)) return writeWide(field.type, content, at);
  const range = integerRanges[field.type];
  if (range !== undefined) return writeInteger(content, range, field.type, at);
  if (field.type === 'bytes') {
    if (!(content instanceof Uint8Array)) throw unfit(at, content, 'a Uint8Array');
    return content;
  }
  const wanted = field.type === 'bool' ? 'boolean' : field.type === 'string' ? 'string' : 'number';
  if (typeof content !== wanted) throw unfit(at, content, `a ${wanted}`);
  return content;
}

/** A 64-bit integer for protobufjs; `type` is its scalar type. */
export function writeWide(type: string, content: unknown, at: string): Long {
  const unsigned = isUnsigned(type);
  const [least, most] = unsigned ? [0n, 2n ** 64n - 1n] : [-(2n ** 63n), 2n ** 63n - 1n];
  const fits = typeof content === 'bigint' || Number.isSafeInteger(content);
  const value = fits ? BigInt(content as bigint | number) : 0n;
  if (!fits || value < least || value > most) {
    throw unfit(at, content, `a bigint, or an integer up to 2^53 - 1, that fits ${type}`);
  }
  return Long.fromString(value.toString(), unsigned);
}

/** The exact value of what protobufjs gives for a 64-bit integer. */
export function toBigInt(content: unknown): bigint {
  return typeof content === 'object' && content !== null ? (content as Long).toBigInt() : BigInt(content as number);
}

/** The natural key of a map entry: always text, in decimal for integers. */
export function readMapKey(field: protobuf.Field, key: string): string {
  const keyType = keyTypeOf(field);
  // protobufjs keys maps of 64-bit integers by an 8-character hash.
  return isWide(keyType) ? protobuf.util.longFromHash(key, isUnsigned(keyType)).toString() : key;
}

/** protobufjs's key of a map entry. Errors: `invalid-argument` for a key that is not of the map's key type. */
export function writeMapKey(field: protobuf.Field, key: string, at: string): string {
  const keyType = keyTypeOf(field);
  if (keyType === 'string') return key;
  if (keyType === 'bool') {
    if (key !== 'true' && key !== 'false') throw unfit(at, key, 'true or false, as key');
    return key;
  }
  if (!/^-?\d{1,20}$/.test(key)) throw unfit(at, key, `a ${keyType} in decimal, as key`);
  if (isWide(keyType)) {
    writeWide(keyType, BigInt(key), at);
    // As text, not as protobufjs's hash of it: a hash that happens to consist of digits would be taken for a number.
    return BigInt(key).toString();
  }
  return String(writeInteger(Number(key), integerRanges[keyType]!, keyType, at));
}

/** The path of a field within the field `at`, for errors. */
export function join(at: string, key: string): string {
  return at === '' ? key : `${at}.${key}`;
}

/** The error for a value that its field cannot hold. */
export function unfit(at: string, value: unknown, wanted: string): MeshError {
  return new MeshError(
    'invalid-argument',
    `${at === '' ? 'the value' : `"${at}"`} is ${show(value)}; it must be ${wanted}`,
  );
}

function writeInteger(content: unknown, range: readonly [number, number], type: string, at: string): number {
  if (!Number.isInteger(content) || (content as number) < range[0] || (content as number) > range[1]) {
    throw unfit(at, content, `an integer from ${range[0]} to ${range[1]} (${type})`);
  }
  return content as number;
}

function writeEnum(type: protobuf.Enum, content: unknown, at: string): number {
  if (typeof content === 'number') return writeInteger(content, integerRanges.int32!, `enum ${type.name}`, at);
  if (typeof content === 'string' && Object.hasOwn(type.values, content)) return type.values[content]!;
  const known = Object.keys(type.values);
  const suggestion = typeof content === 'string' ? didYouMean(content, known) : '';
  throw new MeshError(
    'invalid-argument',
    `"${at}" is ${show(content)}${suggestion}; ${type.name} is one of ${listNames(known)}`,
  );
}

function isUnsigned(type: string): boolean {
  return type === 'uint64' || type === 'fixed64';
}

function keyTypeOf(field: protobuf.Field): string {
  return (field as unknown as protobuf.MapField).keyType;
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  if (typeof value === 'function') return 'a function';
  return String(value);
}
