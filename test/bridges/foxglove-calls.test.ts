import { MeshError } from 'furrow';
import { startMesh } from 'furrow/testing';
import { expect, onTestFinished, test } from 'vitest';
import type { FoxgloveOptions } from '../../src/bridges/foxglove/index.js';
import { entry, published, registry, until } from '../mesh/running.js';
import { show } from './show.js';
import { TestViewer } from './test-viewer.js';

const google = (name: string) => `google.protobuf.${name}`;

const desk = entry({
  name: 'desk',
  port: 5001,
  published: [published('/count')],
  requests: [
    { path: '/add', request: google('Int64Value'), reply: google('Int64Value') },
    { path: '/echo', request: google('Struct'), reply: google('Struct') },
    { path: '/bytes', request: google('BytesValue'), reply: google('BytesValue') },
    { path: '/when', request: google('Timestamp'), reply: google('Timestamp') },
    { path: '/fail', request: google('Empty'), reply: google('Empty') },
    { path: '/never', request: google('Empty'), reply: google('Empty') },
    { path: '/missing', request: google('Empty'), reply: google('Empty') },
    { path: '/header/*', request: google('StringValue'), reply: google('Empty') },
  ],
});

async function open(options: FoxgloveOptions = {}) {
  const running = await startMesh({ file: 'service_config.json', services: [desk] }, {}, { registry });
  onTestFinished(() => running.close());
  const service = running.service('desk');
  const aborted: string[] = [];
  service.onRequest('/add', (value: bigint) => value + 1n);
  service.onRequest('/echo', (value) => value);
  service.onRequest('/bytes', (value) => value);
  service.onRequest('/when', (value) => value);
  service.onRequest('/fail', () => {
    throw new MeshError('data-loss', 'the disk is on fire');
  });
  service.onRequest('/never', (_, { signal, path }) => {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push(path);
        resolve(undefined);
      });
    });
  });
  const server = await show(running.mesh, options);
  const viewer = await TestViewer.connect(server.url);
  await until(() => viewer.services.size > 0);
  return { viewer, server, aborted, running };
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const replyOf = async (viewer: TestViewer, name: string, value: unknown) => {
  const { encoding, data } = await viewer.call(name, json(value));
  expect(encoding).toBe('json');
  return JSON.parse(data.toString()) as unknown;
};

test('request paths are services with schemas of the objects that they take and give', async () => {
  const { viewer } = await open();
  expect([...viewer.services.keys()]).toEqual(
    ['add', 'echo', 'bytes', 'when', 'fail', 'never', 'missing'].map((path) => `desk/${path}`),
  );
  const { type, request, response } = viewer.services.get('desk/bytes')!;
  expect({ type, schemaName: response?.schemaName }).toEqual({
    type: google('BytesValue'),
    schemaName: google('BytesValue'),
  });
  expect(request).toMatchObject({ encoding: 'json', schemaEncoding: 'jsonschema' });
  expect(JSON.parse(request!.schema)).toEqual({
    title: google('BytesValue'),
    type: 'object',
    properties: { value: { type: 'string', contentEncoding: 'base64' } },
  });
  expect(JSON.parse(viewer.services.get('desk/echo')!.request!.schema)).toMatchObject({
    type: 'object',
    properties: {},
  });
});

test('a call with JSON is a request, its reply an object', async () => {
  const { viewer } = await open();
  expect(await replyOf(viewer, 'desk/add', { value: '9007199254740993' })).toEqual({ value: '9007199254740994' });
  expect(await replyOf(viewer, 'desk/add', 4)).toEqual({ value: '5' });
  // What a viewer sends before anything was typed.
  expect(await replyOf(viewer, 'desk/add', {})).toEqual({ value: '1' });
  expect(await replyOf(viewer, 'desk/echo', { value: 3, deep: { list: [1, null, 'x'] } })).toEqual({
    value: 3,
    deep: { list: [1, null, 'x'] },
  });
  expect(await replyOf(viewer, 'desk/bytes', { value: 'AAEC' })).toEqual({ value: 'AAEC' });
  expect(await replyOf(viewer, 'desk/when', { value: '2024-01-02T03:04:05.006Z' })).toEqual({
    value: '2024-01-02T03:04:05.006Z',
  });
});

test('a call with protobuf is answered with protobuf', async () => {
  const { viewer } = await open();
  const { encoding, data } = await viewer.call('desk/add', registry.encode(google('Int64Value'), 41n), 'protobuf');
  expect(encoding).toBe('protobuf');
  expect(registry.decode(google('Int64Value'), data)).toBe(42n);
});

test('what goes wrong comes back as the failure of that call', async () => {
  const { viewer, running } = await open({ callTimeoutMs: 50 });
  const failure = (name: string, data: Uint8Array, encoding?: string) =>
    viewer.call(name, data, encoding).then(
      () => 'no failure',
      (error: Error) => error.message,
    );
  expect(await failure('desk/fail', json({}))).toMatch(/desk\/fail: .*the disk is on fire/);
  expect(await failure('desk/missing', json({}))).toMatch(/desk\/missing/);
  expect(await failure('desk/never', json({}))).toMatch(/desk\/never: .*50 ms/);
  expect(await failure('desk/add', Buffer.from('{'))).toMatch(/no JSON of a google\.protobuf\.Int64Value/);
  expect(await failure('desk/add', json({ value: 'many' }))).toMatch(/Int64Value/);
  expect(await failure('desk/add', Buffer.from([255]), 'protobuf')).toMatch(/not a google\.protobuf\.Int64Value/);
  expect(await failure('desk/add', json(1), 'cdr')).toMatch(/"cdr" is not taken; send "json", "protobuf"/);
  viewer.services.set('gone', { ...viewer.services.get('desk/add')!, id: 999 });
  expect(await failure('gone', json(1))).toMatch(/999 is not there/);
  const add = viewer.services.get('desk/add')!;
  running.service('desk').close();
  viewer.services.set('desk/add', add);
  expect(await failure('desk/add', json(1))).not.toBe('no failure');
});

test('calls end with their viewer, and only so many may be under way', async () => {
  const { viewer, server, aborted } = await open({ callTimeoutMs: 60_000 });
  const calls = Array.from({ length: 33 }, () => viewer.call('desk/never', json({})));
  for (const call of calls.slice(0, -1)) call.catch(() => undefined);
  await expect(calls.at(-1)).rejects.toThrow('32 calls are under way');
  viewer.socket.terminate();
  await until(() => aborted.length === 32);
  expect(server.status.viewers).toEqual([]);
});
