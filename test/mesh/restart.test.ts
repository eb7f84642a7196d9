import { EventServer, type Gap } from 'furrow';
import { expect, test } from 'vitest';
import { startProcess } from './killable-service.js';
import {
  clientAt,
  clientOf,
  gather,
  keepingLogger,
  published,
  registry,
  serve,
  subscribersOf,
  take,
  until,
} from './running.js';
import { TcpProxy } from './tcp-proxy.js';

test('a service killed with -9 and started again is recognised: the client goes on, and is told what is gone', async () => {
  const first = await startProcess();
  const client = clientAt(first.port);
  const states: string[] = [];
  client.state$.subscribe(({ status }) => {
    // While it is away the reason may change.
    if (states.at(-1) !== status) states.push(status);
  });
  const stream = client.events('/count');
  const gaps: Gap[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const { items } = gather(stream);
  await until(() => client.state.status === 'connected');
  const { epoch } = client.state;
  for (let value = 0; value < 3; value++) await first.publish('/count', value);
  await until(() => items.length === 3);

  await first.kill();
  await until(() => client.state.status === 'away');
  expect(client.state.reason).toMatch(new RegExp(`127\\.0\\.0\\.1:${first.port}`));
  const again = await startProcess(first.port);
  // Before the client is back or after, no matter: of the new start it wants everything.
  for (let value = 10; value < 18; value++) await again.publish('/count', value);
  await until(() => items.at(-1)!.message === 17);
  expect(client.state.epoch).not.toBe(epoch);
  const after = items.slice(3).map(({ sequence }) => sequence);
  const held = after[0]!;
  expect(after).toEqual(Array.from({ length: 8 - held }, (_, index) => held + index));
  expect(gaps).toEqual(
    held === 0 ? [] : [{ service: 'agent-1', path: '/count', from: 0, to: held - 1, count: held, reason: 'restart' }],
  );
  expect(states).toEqual(['idle', 'connecting', 'connected', 'away', 'connected']);
});

test('a request whose service is killed meanwhile fails with unavailable', async () => {
  const service = await startProcess();
  const client = clientAt(service.port);
  const request = client.request('/never', 1, { type: 'google.protobuf.Int32Value', timeoutMs: 20_000 });
  request.catch(() => undefined);
  await client.listUris();
  await service.kill();
  await expect(request).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/agent-1 at 127\.0\.0\.1:\d+ is away \(the connection to .* was lost\)/),
  });
});

test('what a restarted service holds no more is told as gone by the restart', async () => {
  const paths = { published: [published('/count', { history: 2 }), published('/plain')] };
  const first = await serve(paths);
  const proxy = await TcpProxy.to(first.port);
  const client = clientAt(proxy.port);
  const stream = client.events('*');
  const gaps: Gap[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const { items } = gather(stream);
  await until(() => client.state.status === 'connected');
  await first.publish('/count', 1);
  await until(() => items.some(({ path }) => path === '/count'));
  const { port } = first;
  first.close();
  await until(() => client.state.status === 'away');
  proxy.cut();

  const again = await serve({ ...paths, port });
  const published5 = async () => {
    for (let value = 0; value < 5; value++) {
      await again.publish('/count', value);
      await again.publish('/plain', value);
    }
  };
  // In the same turn as the start, so nobody is back yet.
  await published5();
  await until(() => subscribersOf(again).length === 1);
  await until(() => items.filter(({ path }) => path === '/count').length === 3);
  const ours = gaps.filter(({ path }) => path !== '/health');
  expect(ours.map(({ path, from, to, reason }) => ({ path, from, to, reason }))).toEqual([
    { path: '/count', from: 0, to: 2, reason: 'restart' },
    { path: '/plain', from: 0, to: 4, reason: 'restart' },
  ]);
});

test('a client that was first waits for a service that comes later', async () => {
  const placeholder = await serve();
  const { port } = placeholder;
  placeholder.close();
  const client = clientAt(port);
  const { items } = gather(client.events('/count'));
  await until(() => client.state.status === 'away');
  const service = await serve({ port, published: [published('/count')] });
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/count', 5);
  await until(() => items.length === 1);
});

test.each([
  ['fast path', false],
  ['public way', true],
])('a link that died without a word is noticed and replaced, and nothing held is lost (%s)', async (_, publicWay) => {
  const service = await serve({ published: [published('/count', { history: 100 })] }, { publicWay });
  const proxy = await TcpProxy.to(service.port);
  const client = clientAt(proxy.port, {}, { keepaliveMs: 100 });
  const stream = client.events('/count');
  const { items } = gather(stream);
  await until(() => client.state.status === 'connected');
  await service.publish('/count', 0);
  await until(() => items.length === 1);
  proxy.stall();
  for (let value = 1; value < 5; value++) await service.publish('/count', value);
  await until(() => items.length === 5);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4]);
  expect(stream.counts).toMatchObject({ lost: 0, reconnects: 1 });
  expect(proxy.accepted).toBe(2);
});

test('a quiet link that lives is left alone', async () => {
  const service = await serve({ published: [published('/count')] });
  const proxy = await TcpProxy.to(service.port);
  const client = clientAt(proxy.port, {}, { keepaliveMs: 100 });
  const stream = client.events('/count');
  const { items } = gather(stream);
  await until(() => client.state.status === 'connected');
  let probes = 0;
  const listUris = service.listUris.bind(service);
  service.listUris = () => {
    probes += 1;
    return listUris();
  };
  await until(() => probes >= 3);
  await service.publish('/count', 0);
  await until(() => items.length === 1);
  expect(stream.counts).toMatchObject({ reconnects: 0 });
  expect(proxy.accepted).toBe(1);
});

test('a client that only asks finds a dead link, too', async () => {
  const service = await serve();
  service.onRequest('/echo', (value) => value, {
    request: 'google.protobuf.Int32Value',
    reply: 'google.protobuf.Int32Value',
  });
  const proxy = await TcpProxy.to(service.port);
  const client = clientAt(proxy.port, {}, { keepaliveMs: 50 });
  const ask = () => client.request('/echo', 1, { type: 'google.protobuf.Int32Value', timeoutMs: 100 });
  expect((await ask()).message).toBe(1);
  proxy.stall();
  await expect(ask()).rejects.toMatchObject({ code: 'deadline-exceeded' });
  let reply: Awaited<ReturnType<typeof ask>> | undefined;
  while (reply === undefined) reply = await ask().catch(() => undefined);
  expect(reply.message).toBe(1);
  expect(proxy.accepted).toBe(2);
});

test('a service that leaves a shared port and returns is found again', async () => {
  const server = new EventServer('127.0.0.1', 0, registry);
  const gps = { name: 'gps', published: [published('/pvt')] };
  await serve({ name: 'oak' }, { server });
  await serve({ name: 'imu' }, { server });
  const first = await serve(gps, { server });
  const logger = keepingLogger();
  const client = clientAt(server.port, gps, { logger });
  const { items } = gather(client.events('/pvt'));
  await until(() => subscribersOf(first).length === 1);
  first.close();
  await until(() => logger.lines.some((line) => line.includes('this port hosts "oak", "imu"')));
  const again = await serve(gps, { server });
  await until(() => subscribersOf(again).length === 1);
  await again.publish('/pvt', 1);
  await until(() => items.length === 1);
  server.close();
});

test('two clients of one process do not disturb each other', async () => {
  const service = await serve({ published: [published('/count')] });
  const [one, other] = [clientOf(service), clientOf(service)];
  const stays = gather(other.events('/count'));
  const leaves = take(one.events('/count'), 1);
  await until(() => subscribersOf(service).length === 2);
  await service.publish('/count', 0);
  await leaves;
  one.close();
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/count', 1);
  await until(() => stays.items.length === 2);
});
