import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { describe, expect, it } from 'vitest';
import { rootOfDescriptors } from '../../../src/recording/mcap/sanitized-descriptors.js';
import { folder, readAll, registry } from '../sample-events.js';
import { drive, openByLibrary, openMcap, writeByLibrary, writeMcap } from './mcap-files.js';

const second = 1_000_000_000n;

/** A FileDescriptorSet of `field.Soil`, with a field that is what the caller says. */
function soilSchema(field: object = {}): Uint8Array {
  const set = {
    file: [
      {
        name: 'field.proto',
        package: 'field',
        syntax: 'proto3',
        messageType: [{ name: 'Soil', field: [{ name: 'moisture', number: 1, label: 1, type: 1, ...field }] }],
      },
    ],
  };
  return descriptor.FileDescriptorSet.encode(descriptor.FileDescriptorSet.create(set as never)).finish();
}

async function fileOf(bytes: Buffer): Promise<string> {
  const file = join(await folder(), 'other.mcap');
  await writeFile(file, bytes);
  return file;
}

async function soilFile(options: object = {}, schema = soilSchema()): Promise<string> {
  const bytes = await writeByLibrary(async (writer) => {
    const schemaId = await writer.registerSchema({ name: 'field.Soil', encoding: 'protobuf', data: schema });
    const json = await writer.registerSchema({ name: 'Note', encoding: 'jsonschema', data: Buffer.from('{}') });
    const common = { metadata: new Map<string, string>() };
    const soil = await writer.registerChannel({ ...common, schemaId, topic: '/soil', messageEncoding: 'protobuf' });
    const note = await writer.registerChannel({
      ...common,
      schemaId: json,
      topic: 'cab/notes',
      messageEncoding: 'json',
    });
    const ros = await writer.registerChannel({ ...common, schemaId: 0, topic: '/odom', messageEncoding: 'cdr' });
    const type = protobuf.Root.fromJSON({
      nested: { Soil: { fields: { moisture: { id: 1, type: 'double' } } } },
    }).lookupType('Soil');
    const times = (at: bigint) => ({ logTime: at * second, publishTime: at * second - second / 2n });
    const data = type.encode({ moisture: 0.25 }).finish();
    await writer.addMessage({ channelId: soil, sequence: 7, ...times(1000n), data });
    await writer.addMessage({ channelId: note, sequence: 1, ...times(1001n), data: Buffer.from('{"text":"dry"}') });
    await writer.addMessage({ channelId: ros, sequence: 2, ...times(1002n), data: Buffer.from([9]) });
  }, options);
  return fileOf(bytes);
}

describe('an MCAP file of another program', () => {
  it.each([
    ['in chunks', {}],
    ['without chunks', { useChunks: false }],
    ['without an index', { useChunkIndex: false, useStatistics: false, useSummaryOffsets: false }],
    ['that repeats nothing in its summary', { repeatSchemas: false, repeatChannels: false }],
  ])('%s is read as events', async (_, options) => {
    const events = await readAll(await openMcap(await soilFile(options)));
    const seen = events.map(({ event, timeS }) => {
      const { service, path, type, sequence, message } = event;
      return { service, path, type, sequence, message, timeS };
    });
    expect(seen).toEqual([
      { service: 'mcap', path: '/soil', type: 'field.Soil', sequence: 7, message: { moisture: 0.25 }, timeS: 1000 },
      { service: 'cab', path: '/notes', type: 'Note', sequence: 1, message: { text: 'dry' }, timeS: 1001 },
      { service: 'mcap', path: '/odom', type: '', sequence: 2, message: Buffer.from([9]), timeS: 1002 },
    ]);
    expect(events[0]!.event.stamp('service/send')?.stamp).toBe(999.5);
    expect(registry.has('field.Soil')).toBe(false);
  });

  it('keeps its schemas when it is copied', async () => {
    const reader = await openMcap(await soilFile());
    const events = await readAll(reader);
    const copy = await writeMcap(events, { schemaOf: (type) => reader.schemaOf(type) });
    const schemas = [...(await openByLibrary(copy)).schemasById.values()];
    expect(schemas.find(({ name }) => name === 'field.Soil')?.data).toEqual(new Uint8Array(soilSchema()));
    expect((await readAll(await openMcap(copy))).map(({ event }) => event.message)).toEqual(
      events.map(({ event }) => event.message),
    );
  });

  it('is read where its chunks are compressed with zstd', async () => {
    const bytes = await writeByLibrary(
      async (writer) => {
        const channelId = await writer.registerChannel({
          schemaId: 0,
          topic: 'a/b',
          messageEncoding: 'json',
          metadata: new Map(),
        });
        for (let sequence = 0; sequence < 100; sequence++) {
          const logTime = BigInt(sequence) * second;
          await writer.addMessage({
            channelId,
            sequence,
            logTime,
            publishTime: logTime,
            data: Buffer.from(`${sequence}`),
          });
        }
      },
      { chunkSize: 2000, compressChunk: (data) => ({ compression: 'zstd', compressedData: storedZstd(data) }) },
    );
    const events = await readAll(await openMcap(await fileOf(bytes)));
    expect(events.map(({ event }) => event.message)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('tells of a compression that nobody knows', async () => {
    const file = await soilFile({
      compressChunk: (data: Uint8Array) => ({ compression: 'toString', compressedData: data }),
    });
    const reasons: string[] = [];
    expect(await readAll(await openMcap(file), { onDamage: ({ reason }) => reasons.push(reason) })).toEqual([]);
    expect(reasons).toEqual([expect.stringContaining('"toString"')]);
  });

  it('without the channel of the Event bytes is read by what the messages say', async () => {
    const own = await openByLibrary(await writeMcap(drive(4)));
    const bytes = await writeByLibrary(async (writer) => {
      for await (const message of own.readMessages()) {
        const { topic, schemaId, messageEncoding, metadata } = own.channelsById.get(message.channelId)!;
        if (topic.endsWith('#event')) continue;
        const id = await writer.registerSchema(own.schemasById.get(schemaId)!);
        const channelId = await writer.registerChannel({ topic, schemaId: id, messageEncoding, metadata });
        await writer.addMessage({ ...message, channelId });
      }
    });
    const events = await readAll(await openMcap(await fileOf(bytes)));
    expect(events.map(({ event }) => [event.service, event.path, event.message])).toEqual(
      drive(4).map(({ event }) => [event.service, event.path, event.message]),
    );
  });
});

describe('a schema of a stranger', () => {
  it.each([
    ['code for a name', { name: 'a"]=1;process.exit(3);//' }],
    ['the prototype of all objects', { name: '__proto__' }],
    ['code for a type', { type: 11, typeName: '.field.Soil");process.exit(3);("' }],
  ])('with %s decodes nothing', async (_, field) => {
    const [soil] = await readAll(await openMcap(await soilFile({}, soilSchema(field))));
    expect(soil!.event.message).toEqual(soil!.event.payload);
    expect(() => rootOfDescriptors(soilSchema(field))).toThrow('a schema that cannot be used');
  });

  it('brings no text but names to the decoder', () => {
    const options = { defaultValue: '1;process.exit(3)', jsonName: 'a"]', options: { deprecated: true } };
    const type = rootOfDescriptors(soilSchema(options)).lookupType('field.Soil');
    expect(JSON.stringify(type.toJSON())).not.toContain('exit');
    expect(type.toObject(type.decode(Buffer.from([9, 0, 0, 0, 0, 0, 0, 0xd0, 0x3f])))).toEqual({ moisture: 0.25 });
  });
});

/** A zstd frame that holds the bytes as they are. Source: RFC 8878. */
function storedZstd(bytes: Uint8Array): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0]);
  head.writeUInt32LE(bytes.length, 5);
  const block = Buffer.alloc(3);
  block.writeUIntLE(bytes.length * 8 + 1, 0, 3);
  return Buffer.concat([head, block, bytes]);
}
