import type protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { defaultOf, join, readScalar, toBigInt, unfit, writeScalar, writeWide } from './scalars.js';
import { decodeListValue, decodeStruct, decodeValue, encodeListValue, encodeStruct, encodeValue } from './struct.js';
import { lengthDelimited, text } from './uri-codec.js';

/*
 * The well-known types whose natural value is not an object of their fields. The table of them all is in natural.ts.
 */

/** A Date that also keeps what google.protobuf.Timestamp has beyond milliseconds. */
export class NanoDate extends Date {
  /** Nanoseconds within the second, 0 … 999,999,999. */
  readonly nanos: number;

  constructor(seconds: number, nanos: number) {
    super(seconds * 1000 + Math.floor(nanos / 1e6));
    this.nanos = nanos;
  }
}

/** Bytes ↔ value of one message type. */
export interface Codec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

/** protobufjs message ↔ natural value of one message type. */
export interface Converter {
  read(message: Record<string, unknown>): unknown;
  /** `at` is the field's path, for errors. */
  write(value: unknown, at: string): object;
}

/** The types that go straight between bytes and values. */
export const structCodecs: Readonly<Record<string, Codec>> = {
  'google.protobuf.Struct': { encode: encodeStruct, decode: decodeStruct },
  'google.protobuf.Value': { encode: encodeValue, decode: decodeValue },
  'google.protobuf.ListValue': { encode: encodeListValue, decode: decodeListValue },
};

/**
 * Writers of the wrappers that carry streams of bytes and text, where protobufjs copies twice. They give undefined for
 * a value that is not plainly one of theirs.
 */
export const textWrappers: Readonly<Record<string, (value: unknown) => Uint8Array | undefined>> = {
  'google.protobuf.BytesValue': (value) =>
    value instanceof Uint8Array && value.length > 0 ? lengthDelimited(0x0a, value) : undefined,
  'google.protobuf.StringValue': (value) => (typeof value === 'string' ? text(0x0a, value) : undefined),
};

const wrapperTypes = new Set(
  ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (name) => `google.protobuf.${name}Value`,
  ),
);

/** Whether `name` is a wrapper such as google.protobuf.Int32Value. */
export function isWrapper(name: string): boolean {
  return wrapperTypes.has(name);
}

// Ten thousand years, the limit that google/protobuf/duration.proto sets.
const mostDurationSeconds = 315_576_000_000;

/** The converter of a well-known type; undefined for a type that is an object of its fields. */
export function wellKnownConverter(type: protobuf.Type): Converter | undefined {
  const name = type.fullName.slice(1);
  const direct = structCodecs[name];
  if (direct !== undefined) {
    // Inside another message a Struct is already a message object; a trip through bytes keeps one reader.
    return {
      read: (message) => direct.decode(type.encode(message).finish()),
      write: (value, at) => within(at, () => type.decode(direct.encode(value))),
    };
  }
  if (isWrapper(name)) {
    const field = type.fields.value!.resolve();
    return {
      read: (message) => (Object.hasOwn(message, 'value') ? readScalar(field, message.value) : defaultOf(field)),
      write: (value, at) => ({ value: writeScalar(field, unwrap(value), at || 'value') }),
    };
  }
  if (name === 'google.protobuf.Timestamp') return { read: readTimestamp, write: writeTimestamp };
  if (name === 'google.protobuf.Duration') {
    return {
      read: (message) => ({ seconds: toBigInt(message.seconds ?? 0), nanos: message.nanos ?? 0 }),
      write: writeDuration,
    };
  }
  if (name === 'google.protobuf.FieldMask') {
    return { read: (message) => [...((message.paths as string[] | undefined) ?? [])], write: writeFieldMask };
  }
  if (name === 'google.protobuf.Any') {
    return {
      // On the prototype, protobufjs has an array for the bytes that are not there.
      read: (message) => ({
        typeUrl: message.type_url ?? '',
        value: Object.hasOwn(message, 'value') ? message.value : new Uint8Array(0),
      }),
      write: writeAny,
    };
  }
  return undefined;
}

function readTimestamp(message: Record<string, unknown>): NanoDate {
  const date = new NanoDate(Number(toBigInt(message.seconds ?? 0)), Number(message.nanos ?? 0));
  if (Number.isNaN(date.getTime())) {
    throw new MeshError('data-loss', `a Timestamp of ${message.seconds} seconds is beyond what a Date can hold`);
  }
  return date;
}

function writeTimestamp(value: unknown, at: string): object {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw unfit(at, value, 'a valid Date');
  const seconds = Math.floor(value.getTime() / 1000);
  const millis = value.getTime() - seconds * 1000;
  // A NanoDate that was set to another time since has nanoseconds that no longer belong to it.
  const exact = value instanceof NanoDate && Math.floor(value.nanos / 1e6) === millis;
  return { seconds: writeWide('int64', seconds, at), nanos: exact ? value.nanos : millis * 1e6 };
}

function writeDuration(value: unknown, at: string): object {
  const { seconds, nanos } = durationParts(value, at);
  const whole = writeWide('int64', seconds, join(at, 'seconds'));
  if (Math.abs(whole.toNumber()) > mostDurationSeconds) {
    throw unfit(join(at, 'seconds'), seconds, `within ${mostDurationSeconds} (ten thousand years)`);
  }
  if (!Number.isInteger(nanos) || Math.abs(nanos as number) > 999_999_999) {
    throw unfit(join(at, 'nanos'), nanos, 'an integer within 999,999,999');
  }
  if (whole.toNumber() * (nanos as number) < 0) throw unfit(join(at, 'nanos'), nanos, 'of the same sign as seconds');
  return { seconds: whole, nanos };
}

function durationParts(value: unknown, at: string): { seconds: unknown; nanos: unknown } {
  if (typeof value === 'number' && Number.isFinite(value)) {
    const seconds = Math.trunc(value);
    const nanos = Math.round((value - seconds) * 1e9);
    // Rounding can make a whole second of the rest.
    return Math.abs(nanos) === 1e9 ? { seconds: seconds + Math.sign(nanos), nanos: 0 } : { seconds, nanos };
  }
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || Object.keys(value).some((key) => key !== 'seconds' && key !== 'nanos')) {
    throw unfit(at, value, 'a number of seconds or {seconds, nanos}');
  }
  if (!('seconds' in value || 'nanos' in value)) throw unfit(at, value, 'a number of seconds or {seconds, nanos}');
  const { seconds = 0n, nanos = 0 } = value as { seconds?: unknown; nanos?: unknown };
  return { seconds, nanos };
}

function writeFieldMask(value: unknown, at: string): object {
  if (!Array.isArray(value) || value.some((path) => typeof path !== 'string')) {
    throw unfit(at, value, 'an array of field paths');
  }
  return { paths: value };
}

function writeAny(value: unknown, at: string): object {
  const { typeUrl, value: bytes = new Uint8Array(0) } = (value ?? {}) as { typeUrl?: unknown; value?: unknown };
  if (typeof typeUrl !== 'string' || !(bytes instanceof Uint8Array)) {
    throw unfit(at, value, '{typeUrl: string, value: Uint8Array}');
  }
  return { type_url: typeUrl, value: bytes };
}

function unwrap(value: unknown): unknown {
  // {value: 3} is what the type looks like in a .proto file, so it is accepted beside the bare 3.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return 'value' in value && Object.keys(value).length === 1 ? value.value : value;
}

function within<T>(at: string, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    throw new MeshError('invalid-argument', `"${at}": ${MeshError.from(error).message}`, { cause: error });
  }
}
