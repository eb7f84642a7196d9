import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { fromJson, toJson } from 'protobufjs/ext/protojson.js';
import { describe, expect, it } from 'vitest';
import type { GoldenVector } from './peer-lines.js';
import { describeWithPython } from './python-peer.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const vectors = JSON.parse(readFileSync(at('../vectors/vectors.json'), 'utf8')) as GoldenVector[];
const types = [...new Set(vectors.map(({ type }) => type))];
const root = new protobuf.Root();
root.resolvePath = (_, file) => at(`../../protos/${file}`);
root.loadSync([
  ...['event_service', 'recorder'].map((name) => `farm_ng/core/${name}.proto`),
  ...['any', 'duration', 'empty', 'field_mask', 'struct', 'timestamp', 'wrappers'].map(
    (name) => `google/protobuf/${name}.proto`,
  ),
]);

const wellKnown = [
  'Any BoolValue BytesValue DoubleValue Duration Empty FieldMask FloatValue Int32Value Int64Value ListValue',
  'StringValue Struct Timestamp UInt32Value UInt64Value Value',
]
  .join(' ')
  .split(' ')
  .map((name) => `google.protobuf.${name}`);

// JavaScript objects put integer-like keys first, so the bytes of a map may come in another order.
const unordered = new Set(['google.protobuf.Struct/integer keys']);

const casesOf = (typeName: string) => vectors.filter(({ type }) => type === typeName);

describe('golden vectors', () => {
  it('cover every message of the wire contract and the well-known types', () => {
    const contract = root.lookup('farm_ng.core.proto') as protobuf.Namespace;
    const messages = contract.nestedArray
      .filter((member) => member instanceof protobuf.Type)
      .map(({ name }) => `farm_ng.core.proto.${name}`);
    expect(messages.length).toBeGreaterThanOrEqual(14);
    expect([...types].sort()).toEqual([...messages, ...wellKnown].sort());
  });

  it.each(types)('%s: JSON to bytes', (typeName) => {
    const type = root.lookupType(typeName);
    for (const { name, json, hex } of casesOf(typeName)) {
      const bytes = type.encode(fromJson(type, json)).finish();
      if (unordered.has(`${typeName}/${name}`)) {
        expect(bytes.length, name).toBe(hex.length / 2);
      } else {
        expect(Buffer.from(bytes).toString('hex'), name).toBe(hex);
      }
    }
  });

  it.each(types)('%s: bytes to JSON', (typeName) => {
    const type = root.lookupType(typeName);
    for (const { name, json, hex } of casesOf(typeName)) {
      expect(toJson(type, type.decode(Buffer.from(hex, 'hex'))), name).toEqual(json);
    }
  });
});

describeWithPython('golden vectors in Python', (peer) => {
  it('are what Python encodes today', async () => {
    const probe = peer.probe('encode-vectors');
    expect(await probe.exit).toMatchObject({ code: 0 });
    expect(probe.taken('vector').map(({ kind: _, ...vector }: GoldenVector & { kind?: string }) => vector)).toEqual(
      vectors,
    );
  });

  it('are understood by Python as Node encodes them', async () => {
    const probe = peer.probe('decode-vectors');
    const ours = vectors.map(({ name, type: typeName, json }) => {
      const type = root.lookupType(typeName);
      return { name, type: typeName, hex: Buffer.from(type.encode(fromJson(type, json)).finish()).toString('hex') };
    });
    probe.finish(JSON.stringify(ours));
    expect(await probe.exit).toMatchObject({ code: 0 });
    expect(probe.taken('vector').map(({ type, name, json, hex }) => ({ type, name, json, hex }))).toEqual(vectors);
  });
});
