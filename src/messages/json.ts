import protobuf from 'protobufjs';
import { NanoDate } from './natural.js';

/*
 * Between natural values (see natural.ts) and protobuf's own JSON mapping: 64-bit integers are strings, bytes are
 * base64, times are RFC 3339 with their nanoseconds, durations are `"1.5s"`, NaN and the infinities are strings.
 * Source: https://protobuf.dev/programming-guides/json/
 */

export interface PrintOptions {
  /** Bytes shown of a `bytes` value before it is cut, for people. Default: all, as base64. */
  readonly maxBytes?: number;
}

/** A natural value as JSON. */
export function toJson(value: unknown, options: PrintOptions = {}): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return printTime(value);
  if (value instanceof Uint8Array) return printBytes(value, options.maxBytes ?? Number.POSITIVE_INFINITY);
  if (Array.isArray(value)) return value.map((item) => toJson(item, options));
  const json: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    // Plain assignment of this one key would set the object's prototype instead of a property.
    const value = toJson(item, options);
    if (key !== '__proto__') json[key] = value;
    else Object.defineProperty(json, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return json;
}

function printBytes(bytes: Uint8Array, maxBytes: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length <= maxBytes) return buffer.toString('base64');
  return `${buffer.subarray(0, maxBytes).toString('base64')}… (${buffer.length} bytes)`;
}

function printTime(date: Date): string {
  if (Number.isNaN(date.getTime())) return 'Invalid Date';
  const text = date.toISOString();
  const nanos = date instanceof NanoDate ? date.nanos : 0;
  if (nanos % 1e6 === 0) return text;
  const digits = String(nanos).padStart(9, '0');
  return text.replace(/\.\d{3}Z$/, `.${digits.endsWith('000') ? digits.slice(0, 6) : digits}Z`);
}

/**
 * The natural value that parsed JSON stands for: the inverse of `toJson`. A value that does not fit its field is left
 * as it is, so that encoding it names the field.
 */
export function fromJson(type: protobuf.Type, json: unknown): unknown {
  const name = type.fullName.slice(1);
  if (name === 'google.protobuf.Struct' || name === 'google.protobuf.Value' || name === 'google.protobuf.ListValue') {
    return json;
  }
  if (name === 'google.protobuf.Timestamp' && typeof json === 'string') return readTime(json);
  if (name === 'google.protobuf.Duration' && typeof json === 'string') return readDuration(json);
  if (name === 'google.protobuf.FieldMask' && typeof json === 'string') return json === '' ? [] : json.split(',');
  const bare = name.startsWith('google.protobuf.') && name.endsWith('Value') ? type.fields.value : undefined;
  if (bare !== undefined && (typeof json !== 'object' || json === null)) return readScalar(bare, json);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const fields = new Map(type.fieldsArray.map((field) => [field.name.replaceAll('_', '').toLowerCase(), field]));
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => {
      const field = fields.get(key.replaceAll('_', '').toLowerCase());
      return [key, field === undefined ? value : readField(field.resolve(), value)];
    }),
  );
}

function readField(field: protobuf.Field, json: unknown): unknown {
  // JSON's null says that the field is left out.
  if (json === null && field.type !== 'google.protobuf.Value') return undefined;
  if (field.map && typeof json === 'object' && json !== null && !Array.isArray(json)) {
    return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, readSingle(field, item)]));
  }
  if (field.repeated && Array.isArray(json)) return json.map((item) => readSingle(field, item));
  return readSingle(field, json);
}

function readSingle(field: protobuf.Field, json: unknown): unknown {
  return field.resolvedType instanceof protobuf.Type ? fromJson(field.resolvedType, json) : readScalar(field, json);
}

function readScalar(field: protobuf.Field, json: unknown): unknown {
  if (typeof json !== 'string') return json;
  if (field.type.endsWith('64') && /^-?\d+$/.test(json)) return BigInt(json);
  if (field.type === 'bytes') return Buffer.from(json, 'base64');
  const isFloat = field.type === 'double' || field.type === 'float';
  if (isFloat && /^(?:NaN|-?Infinity|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i.test(json)) return Number(json);
  return json;
}

function readTime(text: string): unknown {
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) return text;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? '';
  return new NanoDate(Math.floor(millis / 1000), Number(fraction.padEnd(9, '0')));
}

function readDuration(text: string): unknown {
  const [, sign, seconds, fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  if (seconds === undefined) return text;
  const factor = sign === '-' ? -1 : 1;
  return { seconds: BigInt(factor) * BigInt(seconds), nanos: factor * Number(fraction.padEnd(9, '0')) };
}
