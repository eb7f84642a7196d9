import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { EventFileReader } from '../../../src/recording/event-file-reader.js';
import { EventFileWriter } from '../../../src/recording/event-file-writer.js';
import { type ConvertOptions, convertRecording, formatOf } from '../../../src/recording/export/convert-recording.js';
import { openRecording } from '../../../src/recording/open-recording.js';
import type { RecordedEvent } from '../../../src/recording/recording.js';
import { drive, raw, typed } from '../mcap/mcap-files.js';
import { bootS, folder, record, registry } from '../sample-events.js';

/** A folder with `drive.0000.bin`. */
async function recorded(events: readonly RecordedEvent[]): Promise<string> {
  const home = await folder();
  await using writer = await EventFileWriter.open(join(home, 'drive'));
  await writer.write(events);
  return home;
}

async function convert(home: string, output: string, options: Partial<ConvertOptions> = {}, input = 'drive') {
  await using reader = await openRecording(join(home, input), { registry });
  return await convertRecording(reader, join(home, output), { registry, compression: 'none', ...options });
}

const awkward: readonly RecordedEvent[] = [
  ...drive(50),
  typed(9_007_199_254_740_993n, { type: 'google.protobuf.Int64Value', path: '/count', atS: 106 }),
  raw(Buffer.from([0xff]), {
    type: 'away.Type',
    pb: 'away.proto',
    service: 'oak/0',
    path: '/rgb',
    sequence: 1,
    atS: 107,
  }),
  raw(Buffer.alloc(0), {
    type: 'google.protobuf.Empty',
    pb: 'google/protobuf/empty.proto',
    service: 'oak/0',
    path: '/tick',
    sequence: 2 ** 33,
    atS: 108,
  }),
];

describe('converting', () => {
  it('to MCAP and back gives the same file, to the byte', async () => {
    const home = await recorded(awkward);
    expect(await convert(home, 'drive.mcap')).toMatchObject({ format: 'mcap', events: 53, undecoded: 0, damage: [] });
    await convert(home, 'back.bin', {}, 'drive.mcap');
    await convert(home, 'again.mcap', {}, 'drive.mcap');
    const original = await readFile(join(home, 'drive.0000.bin'));
    expect(original).toEqual(Buffer.concat(awkward.map(record)));
    expect((await readFile(join(home, 'back.bin'))).equals(original)).toBe(true);
    expect((await readFile(join(home, 'again.mcap'))).equals(await readFile(join(home, 'drive.mcap')))).toBe(true);
  });

  it('takes a part by time and path', async () => {
    const home = await recorded(drive(50));
    const { events } = await convert(home, 'part.bin', { startS: 1, endS: 2, paths: ['agent-1/sample'] });
    expect(events).toBe(5);
    const part = drive(50).filter(({ event, timeS }) => {
      return event.path === '/sample' && timeS >= bootS + 101 && timeS < bootS + 102;
    });
    expect((await readFile(join(home, 'part.bin'))).equals(Buffer.concat(part.map(record)))).toBe(true);
  });

  it('to JSON lines writes every event, readable or not', async () => {
    const broken = raw(Buffer.from([0x0a, 0x05]), {
      type: 'google.protobuf.Struct',
      pb: 'google/protobuf/struct.proto',
      service: 'agent-1',
      path: '/broken',
      sequence: 3,
      atS: 109,
    });
    const home = await recorded([...awkward, broken]);
    const { undecoded, events } = await convert(home, 'drive.jsonl');
    expect([events, undecoded]).toEqual([54, 1]);
    const lines = (await readFile(join(home, 'drive.jsonl'), 'utf8')).trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed[3]).toEqual({
      service: 'agent-1',
      path: '/state',
      sequence: 1,
      timeS: bootS + 100.3 - 0.25,
      stamps: awkward[3]!.event.timestamps,
      type: 'google.protobuf.Struct',
      message: { val: 3, text: 'event 3' },
    });
    expect(parsed.slice(50).map(({ message }) => message)).toEqual(['9007199254740993', '/w==', {}, undefined]);
    expect(parsed[53]).toMatchObject({ payload: 'CgU=', error: expect.stringContaining('/broken') });
  });

  it('to CSV flattens fields, quotes as RFC 4180 says, and makes a file for each path', async () => {
    const home = await recorded([
      typed({ a: { b: 1.5, list: [1, 'x'] }, text: 'say "hi",\r\nthen go' }),
      typed({ a: { b: null }, sequence: true, late: 'ü' }, { sequence: 1, atS: 100.5 }),
      typed(7, { type: 'google.protobuf.Int32Value', service: 'oak/0', path: '/a/b', atS: 101 }),
    ]);
    const { files } = await convert(home, 'drive.csv');
    expect(files).toEqual([join(home, 'drive-agent-1-sample.csv'), join(home, 'drive-oak-0-a-b.csv')]);
    expect(await readFile(files[0]!, 'utf8')).toBe(
      [
        'time_s,sequence,a.b,a.list,text,message.sequence,late',
        `${bootS + 99.75}0000,0,1.5,"[1,""x""]","say ""hi"",\r\nthen go",,`,
        `${bootS + 100.25}0000,1,,,,true,ü`,
        '',
      ].join('\r\n'),
    );
    expect(await readFile(files[1]!, 'utf8')).toBe(`time_s,sequence,value\r\n${bootS + 100.75}0000,0,7\r\n`);
    const one = await convert(home, 'one.csv', { paths: ['oak/0/a/b'] });
    expect(one.files).toEqual([join(home, 'one.csv')]);
  });

  it('to Parquet keeps the types', async () => {
    const type = 'farm_ng.core.proto.Event';
    const home = await recorded([
      typed({ uri: { path: '/x' }, sequence: 2n ** 60n, timestamps: [{ stamp: 1.5 }] }, { type, sequence: 4 }),
      typed({ uri: { path: '/y' }, payloadLength: -1n }, { type, sequence: 5, atS: 100.5 }),
    ]);
    const { files } = await convert(home, 'drive.parquet');
    const file = await asyncBufferFromFile(files[0]!);
    const rows = await parquetReadObjects({ file });
    expect(rows).toEqual([
      {
        time: new Date((bootS + 99.75) * 1000),
        sequence: 4n,
        'uri.scheme': '',
        'uri.authority': '',
        'uri.path': '/x',
        'uri.query': '',
        timestamps: '[{"stamp":1.5,"clockName":"","semantics":""}]',
        payloadLength: 0n,
        'message.sequence': 2n ** 60n,
      },
      {
        time: new Date((bootS + 100.25) * 1000),
        sequence: 5n,
        'uri.scheme': '',
        'uri.authority': '',
        'uri.path': '/y',
        'uri.query': '',
        timestamps: '[]',
        payloadLength: -1n,
        'message.sequence': 0n,
      },
    ]);
    const { schema, key_value_metadata: about } = await parquetMetadataAsync(file);
    expect(schema.find(({ name }) => name === 'payloadLength')).toMatchObject({ type: 'INT64' });
    expect(schema.find(({ name }) => name === 'time')).toMatchObject({ logical_type: { type: 'TIMESTAMP' } });
    expect(about).toContainEqual({ key: 'type', value: type });
  });

  it('to Parquet writes one row group after the other, and text where types are mixed', async () => {
    const long = 'x'.repeat(200_000);
    const events = Array.from({ length: 100 }, (_, sequence) => {
      const message = { long, mixed: sequence % 2 === 0 ? sequence : 'odd', flag: true };
      return typed(message, { sequence, atS: 100 + sequence });
    });
    const home = await recorded(events);
    const { files } = await convert(home, 'drive.parquet');
    const file = await asyncBufferFromFile(files[0]!);
    expect((await parquetMetadataAsync(file)).row_groups.length).toBeGreaterThan(1);
    const rows = await parquetReadObjects({ file, columns: ['sequence', 'mixed', 'flag'] });
    expect(rows).toHaveLength(100);
    expect(rows[91]).toEqual({ sequence: 91n, mixed: 'odd', flag: true });
    expect(rows[90]).toMatchObject({ mixed: '90' });
  });

  it('leaves a file alone that is there, unless told to replace it', async () => {
    const home = await recorded(drive(3));
    await writeFile(join(home, 'drive.jsonl'), 'mine');
    await expect(convert(home, 'drive.jsonl')).rejects.toMatchObject({ code: 'failed-precondition' });
    expect(await readFile(join(home, 'drive.jsonl'), 'utf8')).toBe('mine');
    await convert(home, 'drive.jsonl', { overwrite: true });
    expect((await readFile(join(home, 'drive.jsonl'), 'utf8')).split('\n')).toHaveLength(4);
  });

  it.each(['bin', 'mcap', 'jsonl', 'csv', 'parquet'])(
    'to .%s leaves nothing behind when it is stopped',
    async (format) => {
      const home = await recorded(drive(3000));
      const stop = new AbortController();
      const converting = convert(home, `out.${format}`, {
        signal: stop.signal,
        onProgress: (doing) => doing === 'converting' && stop.abort(new Error('enough')),
      });
      await expect(converting).rejects.toMatchObject({ code: 'cancelled' });
      expect((await readdir(home)).filter((name) => !name.startsWith('drive'))).toEqual([]);
    },
  );

  it('says what it passed over', async () => {
    const home = await recorded(drive(10));
    const file = join(home, 'drive.0000.bin');
    const bytes = await readFile(file);
    await writeFile(join(home, 'torn.bin'), bytes.subarray(0, bytes.length - 5));
    await using reader = new EventFileReader([join(home, 'torn.bin')], { registry });
    const result = await convertRecording(reader, join(home, 'torn.mcap'), { registry, compression: 'none' });
    expect(result).toMatchObject({ events: 9, damage: [{ kind: 'tail' }] });
  });

  it('asks for a format that it knows', () => {
    expect(formatOf('a/b.c.mcap')).toBe('mcap');
    expect(() => formatOf('drive.db3')).toThrow('".jsonl"');
  });
});
