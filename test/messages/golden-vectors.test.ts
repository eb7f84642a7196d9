import { readFileSync } from 'node:fs';
import type protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { MeshEvent } from '../../src/index.js';
import { decodeEvent, encodeEvent, joinEnvelope, splitEnvelope } from '../../src/messages/envelope.js';
import { NanoDate } from '../../src/messages/natural.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { encodeUri } from '../../src/messages/uri-codec.js';
import { rootDirectory } from '../process.js';

/** A message as Python writes it: proto3 JSON beside its bytes. */
interface Vector {
  readonly name: string;
  readonly type: string;
  readonly json: unknown;
  readonly hex: string;
}

const vectors = JSON.parse(readFileSync(`${rootDirectory}test/vectors/vectors.json`, 'utf8')) as Vector[];
const registry = new TypeRegistry();
const types = [...new Set(vectors.map(({ type }) => type))];
const bytesOf = ({ hex }: Vector) => Buffer.from(hex, 'hex');
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

// JavaScript objects put integer-like keys first, so the bytes of a map may come in another order.
const unordered = new Set(['google.protobuf.Struct/integer keys']);

/** Proto3 JSON as the natural value that it stands for, by the rules at the head of src/messages/natural.ts. */
function natural(type: protobuf.Type, json: unknown): unknown {
  const name = type.fullName.slice(1);
  const wrapped = name.match(/^google\.protobuf\.(\w+)Value$/)?.[1];
  if (wrapped === 'List' || name === 'google.protobuf.Struct' || name === 'google.protobuf.Value') return json;
  if (wrapped !== undefined) return naturalScalar(type.fields.value!, json);
  if (name === 'google.protobuf.Timestamp') return timestamp(json as string);
  if (name === 'google.protobuf.Duration') return duration(json as string);
  if (name === 'google.protobuf.FieldMask') {
    // JSON writes paths in camel case.
    const snake = (path: string) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return json === '' ? [] : (json as string).split(',').map(snake);
  }
  if (name === 'google.protobuf.Any') return any(json as Record<string, unknown>);
  const value: Record<string, unknown> = {};
  for (const field of type.fieldsArray.map((one) => one.resolve())) {
    const given = (json as Record<string, unknown>)[field.name];
    const one = (item: unknown) =>
      'fields' in (field.resolvedType ?? {})
        ? natural(field.resolvedType as protobuf.Type, item)
        : naturalScalar(field, item);
    if (field.repeated) value[field.name] = ((given ?? []) as unknown[]).map(one);
    else if (given !== undefined) value[field.name] = one(given);
    else if (!('fields' in (field.resolvedType ?? {}))) value[field.name] = naturalScalar(field, undefined);
  }
  return value;
}

function naturalScalar(field: protobuf.Field, json: unknown): unknown {
  field.resolve();
  if (field.resolvedType !== null) return json ?? (field.resolvedType as protobuf.Enum).valuesById[0];
  if (/64$/.test(field.type)) return BigInt((json as string | undefined) ?? 0);
  if (field.type === 'bytes') return new Uint8Array(Buffer.from((json as string | undefined) ?? '', 'base64'));
  if (field.type === 'string') return json ?? '';
  if (field.type === 'bool') return json ?? false;
  // Infinity and NaN are text in JSON.
  return Number(json ?? 0);
}

function timestamp(json: string): NanoDate {
  const [, seconds, fraction = ''] = json.match(/^(.*?)(?:\.(\d+))?Z$/)!;
  return new NanoDate(Date.parse(`${seconds}Z`) / 1000, Number(fraction.padEnd(9, '0')));
}

function duration(json: string): { seconds: bigint; nanos: number } {
  const [, sign, seconds, fraction = ''] = json.match(/^(-?)(\d+)(?:\.(\d+))?s$/)!;
  const nanos = Number(fraction.padEnd(9, '0'));
  return sign === '-'
    ? { seconds: -BigInt(seconds!), nanos: nanos === 0 ? 0 : -nanos }
    : { seconds: BigInt(seconds!), nanos };
}

function any({ '@type': typeUrl, ...rest }: Record<string, unknown>): unknown {
  if (typeUrl === undefined) return { typeUrl: '', value: new Uint8Array(0) };
  const name = (typeUrl as string).split('/').at(-1)!;
  const content = name.startsWith('google.protobuf.') ? rest.value : rest;
  const value = new Uint8Array(registry.encode(name, natural(registry.reflect(name), content)));
  return { typeUrl, value };
}

/** Buffers as plain arrays of bytes, which compare equal whoever made them. */
function comparable(value: unknown): unknown {
  if (value instanceof NanoDate) return { time: value.getTime(), nanos: value.nanos };
  if (value instanceof Uint8Array) return { bytes: hexOf(value) };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, content]) => [key, comparable(content)]));
}

describe('the registry and the golden vectors', () => {
  it.each(types)('%s: decodes what Python wrote', (type) => {
    for (const vector of vectors.filter((one) => one.type === type)) {
      const value = registry.decode(type, bytesOf(vector));
      expect(comparable(value), vector.name).toEqual(comparable(natural(registry.reflect(type), vector.json)));
    }
  });

  it.each(types)('%s: writes what Python wrote', (type) => {
    for (const vector of vectors.filter((one) => one.type === type)) {
      for (const value of [natural(registry.reflect(type), vector.json), registry.decode(type, bytesOf(vector))]) {
        const hex = hexOf(registry.encode(type, value));
        if (unordered.has(`${type}/${vector.name}`)) expect(hex.length, vector.name).toBe(vector.hex.length);
        else expect(hex, vector.name).toBe(vector.hex);
      }
    }
  });
});

describe('the envelope and the golden vectors', () => {
  const of = (name: string) => vectors.filter(({ type }) => type === `farm_ng.core.proto.${name}`);
  const integers = ({ json }: Vector) =>
    ['sequence', 'payloadLength'].map((field) => BigInt((json as Record<string, string>)[field] ?? 0));
  const isSafe = (vector: Vector) =>
    integers(vector).every((value) => BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)));

  it('reads and writes an Event as Python does', () => {
    const safe = of('Event').filter(isSafe);
    expect(safe.length).toBeGreaterThanOrEqual(7);
    for (const vector of safe) {
      const event = decodeEvent(bytesOf(vector));
      const { sequence, payloadLength, ...rest } = registry.decode(vector.type, bytesOf(vector)) as Record<
        string,
        unknown
      >;
      expect(event, vector.name).toEqual({
        uri: { scheme: '', authority: '', path: '', query: '' },
        ...rest,
        sequence: Number(sequence),
        payloadLength: Number(payloadLength),
      });
      if (integers(vector).some((value) => value < 0n)) {
        expect(() => encodeEvent(event), vector.name).toThrow(expect.objectContaining({ code: 'out-of-range' }));
        continue;
      }
      // An event without a URI is no event: ours are written with an empty one.
      if ('uri' in (vector.json as object)) expect(hexOf(encodeEvent(event)), vector.name).toBe(vector.hex);
    }
  });

  it('refuses an Event whose integers JavaScript cannot hold', () => {
    const unsafe = of('Event').filter((vector) => !isSafe(vector));
    expect(unsafe.length).toBeGreaterThanOrEqual(4);
    for (const vector of unsafe) {
      expect(() => decodeEvent(bytesOf(vector)), vector.name).toThrow(
        expect.objectContaining({ code: 'out-of-range' }),
      );
    }
  });

  it('reads and writes a Uri as Python does', () => {
    for (const vector of of('Uri')) {
      const uri = { scheme: '', authority: '', path: '', query: '', ...(vector.json as object) };
      expect(hexOf(encodeUri(uri)), vector.name).toBe(vector.hex);
      const { uri: read } = decodeEvent(Buffer.concat([Buffer.of(0x0a), length(vector), bytesOf(vector)]));
      expect(read, vector.name).toEqual(uri);
    }
  });

  it.each(['SubscribeReply', 'RequestReplyRequest', 'RequestReplyReply'])('splits and joins a %s', (name) => {
    for (const vector of of(name)) {
      const { event, payload } = splitEnvelope(bytesOf(vector));
      const { event: given, payload: base64 = '' } = vector.json as { event?: object; payload?: string };
      expect(event !== undefined, vector.name).toBe(given !== undefined);
      expect(payload, vector.name).toEqual(Buffer.from(base64, 'base64'));
      if (event !== undefined) expect(hexOf(joinEnvelope(event, payload)), vector.name).toBe(vector.hex);
    }
  });

  it('gives a program what Python sent', () => {
    const vector = of('SubscribeReply').find(({ name }) => name === 'full')!;
    const { event } = vector.json as { event: { sequence: string; uri: object; timestamps: object[] } };
    const read = MeshEvent.fromEnvelope(bytesOf(vector), { registry, unknownType: () => undefined });
    expect(read).toMatchObject({ sequence: Number(event.sequence), uri: event.uri, timestamps: event.timestamps });
  });
});

/** The length of a vector's bytes as a varint. */
function length({ hex }: Vector): Buffer {
  const count = hex.length / 2;
  return count < 128 ? Buffer.of(count) : Buffer.of((count & 0x7f) | 0x80, count >> 7);
}
