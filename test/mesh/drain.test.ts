import { EventService } from 'furrow';
import { expect, test } from 'vitest';
import { answered, plainClient, statusOf } from './plain-client.js';
import {
  bytes,
  clientAt,
  clientOf,
  entry,
  gather,
  int32,
  published,
  registry,
  serve,
  subscribersOf,
  until,
} from './running.js';

const paths = { published: [published('/count'), published('/blob', { type: bytes })] };

test.each([
  ['fast path', false],
  ['public way', true],
])('drain (%s) loses nothing: 10,000 events arrive, then the subscriber is told', async (_, publicWay) => {
  const service = await serve(paths, { publicWay });
  const client = clientOf(service);
  const { items } = gather(client.events({ path: '/count', overflow: 'block', depth: 10_000 }));
  const plain = plainClient(service.port).subscribe({ path: '/count', query: 'overflow=block&depth=10000' });
  await answered(plain);
  await until(() => subscribersOf(service).length === 2);
  let read = 0;
  plain.on('data', () => {
    read += 1;
  });
  const status = statusOf(plain);
  // In one go, so that nearly all lie in queues when the drain begins.
  const publishing = Array.from({ length: 10_000 }, (_, value) => service.publish('/count', value));
  // A busy machine is not what this is about.
  await service.drain({ limitMs: 60_000 });
  await Promise.all(publishing);
  await until(() => items.length === 10_000);
  expect(items.every(({ sequence }, index) => sequence === index)).toBe(true);
  expect(await status).toMatchObject({ code: 14, details: 'service agent-1 is shutting down' });
  expect(read).toBe(10_000);
  await until(() => client.state.status === 'away');
});

test('a subscriber that stalls costs a drain its limit and not more, and the others nothing', async () => {
  const service = await serve(paths);
  const stalled = plainClient(service.port).subscribe({ path: '/blob', query: 'depth=5000' });
  await answered(stalled);
  stalled.read(0);
  const reading = plainClient(service.port).subscribe({ path: '/count' });
  await answered(reading);
  reading.resume();
  for (let sent = 0; sent < 2000; sent++) await service.publish('/blob', new Uint8Array(4096));
  const status = statusOf(reading);
  const limitMs = 300;
  let drained = false;
  const draining = service.drain({ limitMs }).then(() => {
    drained = true;
  });
  expect(await status).toMatchObject({ code: 14, details: 'service agent-1 is shutting down' });
  expect(drained).toBe(false);
  await draining;
  expect(subscribersOf(service)).toHaveLength(0);
});

test('a request under way is answered before a drained service closes; new calls are refused', async () => {
  const service = await serve();
  let answer: (value: number) => void = () => undefined;
  service.onRequest(
    '/slow',
    () =>
      new Promise<number>((resolve) => {
        answer = resolve;
      }),
    { request: int32.type, reply: int32.type },
  );
  const client = clientOf(service);
  const asked = client.request('/slow', 1, { type: int32.type });
  const before = answer;
  await until(() => answer !== before);
  const drained = service.drain();
  await expect(clientAt(service.port).request('/slow', 1, { type: int32.type })).rejects.toMatchObject({
    code: 'unavailable',
  });
  answer(7);
  expect((await asked).message).toBe(7);
  await drained;
});

test('drain and close can be called twice, in any order, before a start and through await using', async () => {
  const service = await serve();
  const [first, second] = [service.drain(), service.drain()];
  await Promise.all([first, second]);
  service.close();
  service.close();
  await service.drain();
  await expect(service.start()).rejects.toMatchObject({ code: 'failed-precondition' });

  const never = new EventService(entry(), { registry });
  await never.drain();
  never.close();

  let port = 0;
  {
    await using scoped = new EventService(entry(), { registry });
    await scoped.start();
    port = scoped.port;
    await using client = clientAt(port);
    await client.listUris();
  }
  await expect(clientAt(port).listUris()).rejects.toMatchObject({ code: 'unavailable' });
});

test('a second drain ends when the first does', async () => {
  const service = await serve(paths);
  const stalled = plainClient(service.port).subscribe({ path: '/blob', query: 'depth=5000' });
  await answered(stalled);
  stalled.read(0);
  for (let sent = 0; sent < 2000; sent++) await service.publish('/blob', new Uint8Array(4096));
  const ended: string[] = [];
  const first = service.drain({ limitMs: 100 }).then(() => ended.push('first'));
  const second = service[Symbol.asyncDispose]().then(() => ended.push('second'));
  await Promise.all([first, second]);
  expect(ended).toEqual(['first', 'second']);
});

test.each(['close', 'drain'] as const)('%s while the port is being bound leaves no port behind', async (end) => {
  for (const turns of [0, 1, 2, 3]) {
    const service = new EventService(entry(), { registry });
    const started = service.start();
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    await service[end]();
    await started;
    if (service.port > 0)
      await expect(clientAt(service.port).listUris()).rejects.toMatchObject({ code: 'unavailable' });
  }
});

test('closing tells subscribers, at once', async () => {
  const service = await serve(paths);
  const call = plainClient(service.port).subscribe({ path: '/count' });
  await answered(call);
  const status = statusOf(call);
  call.resume();
  service.close();
  expect(await status).toMatchObject({ code: 14 });
});
