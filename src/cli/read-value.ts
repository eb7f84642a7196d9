import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { NanoDate } from '../messages/natural.js';
import type { TypeRegistry } from '../messages/registry.js';

/**
 * Reads the JSON of a message as a command line gives it into its natural value: the inverse of `printable`.
 * 64-bit integers may be strings, bytes are base64, times are RFC 3339, durations are `"1.5s"`.
 *
 * Errors: `invalid-argument` for a text that is no JSON, `not-found` for an unknown type. A value that does not fit its
 * field is left as it is, so that encoding it names the field.
 */
export function readValue(registry: TypeRegistry, type: string, text: string): unknown {
  const reflected = registry.reflect(type);
  return readMessage(reflected, parse(text, type));
}

function parse(text: string, type: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
    throw new MeshError(
      'invalid-argument',
      `${shown} is not JSON (${(error as Error).message}); write the ${type} as JSON in quotes, for example ${example(type)}`,
      { cause: error },
    );
  }
}

function example(type: string): string {
  if (type === 'google.protobuf.StringValue') return `'"text"'`;
  return type.endsWith('Value') ? `'5'` : `'{"sample": 0.5}'`;
}

function readMessage(type: protobuf.Type, json: unknown): unknown {
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
  return field.resolvedType instanceof protobuf.Type ? readMessage(field.resolvedType, json) : readScalar(field, json);
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
