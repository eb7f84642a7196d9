import { EventServer } from 'furrow';
import { expect, onTestFinished, test } from 'vitest';
import { routeCall } from '../../src/mesh/routing.js';
import { answered, plainClient } from './plain-client.js';
import { clientAt, int32, published, registry, serve, take } from './running.js';

const route = (hosted: string[], path: string, query = '') => routeCall(hosted, { path, query });

test.each([
  ['the service that the query names', ['gps', 'oak'], '/pvt', 'service_name=gps', 'gps', '/pvt'],
  ['the older spelling', ['gps', 'oak'], '/pvt', 'service=gps', 'gps', '/pvt'],
  ['the query before the path', ['gps', 'oak'], '/oak/rgb', 'service_name=gps', 'gps', '/oak/rgb'],
  [
    'a prefix when the named one is not here',
    ['recorder', 'oak'],
    'recorder/start',
    'service_name=amiga',
    'recorder',
    '/start',
  ],
  ['a prefix with a slash before', ['recorder', 'oak'], '/recorder/start', '', 'recorder', '/start'],
  ['the longest prefix', ['oak', 'oak/1'], 'oak/1/disparity', '', 'oak/1', '/disparity'],
  ['a name with a slash in the query', ['oak/0', 'oak/1'], '/rgb', 'depth=5&service_name=oak/1', 'oak/1', '/rgb'],
  ['the only service, without a query', ['agent-1'], '/counter', '', 'agent-1', '/counter'],
  ['the only service, whatever the query names', ['agent-1'], 'counter', 'service_name=else', 'agent-1', '/counter'],
  ['the only service for every path', ['agent-1'], '*', '', 'agent-1', '*'],
])('routes to %s', (_, hosted, path, query, service, to) => {
  expect(route(hosted, path, query)).toEqual({ service, path: to });
});

test('a name is a prefix only up to a slash, and not the whole path', () => {
  expect(() => route(['gps', 'oak'], 'gpsx/pvt')).toThrow(/the query names no service; this port hosts "gps", "oak"/);
  expect(() => route(['gps', 'oak'], 'gps')).toThrow(/this port hosts/);
  expect(() => route(['gps', 'oak'], '/x', 'service_name=imu')).toThrow(/service "imu" is not here/);
  expect(() => route(['gps', 'oak'], '')).toThrow(/no URI path/);
});

test('services on one port are subscribed to, asked and listed by name', async () => {
  const server = new EventServer('127.0.0.1', 0, registry);
  onTestFinished(() => server.close());
  const [gps, oak] = await Promise.all(
    ['gps', 'oak/0'].map((name) => serve({ name, published: [published('/state', { latch: true })] }, { server })),
  );
  expect(gps!.port).toBe(oak!.port);
  await gps!.publish('/state', 1);
  await oak!.publish('/state', 2);
  oak!.onRequest('/start', () => 7, { request: int32.type, reply: int32.type });
  for (const [name, value] of [
    ['gps', 1],
    ['oak/0', 2],
  ] as const) {
    const [event] = await take(clientAt(server.port, { name }).events('/state'), 1);
    expect(event).toMatchObject({ service: name, message: value });
  }
  const asked = await clientAt(server.port, { name: 'amiga' }).request('oak/0/start', 1, { type: int32.type });
  expect(asked.message).toBe(7);
  const plain = plainClient(server.port);
  await expect(answered(plain.subscribe({ path: '*' }))).rejects.toMatchObject({ code: 5 });
  await expect(plain.request({ path: '/start' })).rejects.toMatchObject({
    code: 5,
    details: expect.stringContaining('"gps", "oak/0"'),
  });
  const { uris } = await plain.listUris();
  expect(uris.map(({ path, query }) => `${query.split('=').at(-1)}${path}`).sort()).toEqual([
    'gps/health',
    'gps/state',
    'oak/0/health',
    'oak/0/state',
  ]);
});

test('a name can be hosted once; a service that closes leaves the others', async () => {
  const server = new EventServer('127.0.0.1', 0, registry);
  onTestFinished(() => server.close());
  const gps = await serve({ name: 'gps' }, { server });
  await serve({ name: 'oak', published: [published('/state', { latch: true })] }, { server });
  await expect(serve({ name: 'gps' }, { server })).rejects.toMatchObject({ code: 'already-exists' });
  await gps.drain();
  expect((await clientAt(server.port, { name: 'oak' }).listUris()).map(({ path }) => path)).toEqual([
    '/state',
    '/health',
  ]);
  await serve({ name: 'gps' }, { server });
});
