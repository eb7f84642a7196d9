import { TestClock } from 'furrow/testing';
import { expect, test } from 'vitest';
import { plainClient } from './plain-client.js';
import { clientOf, gather, published, serve, take, until } from './running.js';

test('/health comes once a second, with farm-ng’s four numbers for each path', async () => {
  const clock = new TestClock();
  const service = await serve({ published: [published('/sample'), published('/quiet')] }, { clock });
  for (let sent = 0; sent < 60; sent++) {
    await service.publish('/sample', sent);
    clock.advance(0.1);
  }
  const { items } = gather(clientOf(service).events<'/health'>('/health'));
  await until(() => items.length === 2);
  const [first, second] = items.map(({ message }) => message as Record<string, unknown>);
  expect(items[0]!.type).toBe('google.protobuf.Struct');
  expect(first).toMatchObject({
    '/sample/send_count': 60,
    '/sample/send_clients': 0,
    '/sample/rate': expect.closeTo(10, 6),
    '/sample/dropped': 0,
    '/quiet/send_count': 0,
    '/quiet/rate': 0,
    '/health/send_clients': 1,
    queued_bytes: 0,
    subscribers: [],
  });
  expect(second!['/health/send_count']).toBe((first!['/health/send_count'] as number) + 1);
});

test('gRPC health says SERVING, by server and by service; an unknown name is NOT_FOUND', async () => {
  const service = await serve();
  const plain = plainClient(service.port);
  expect(await plain.check()).toEqual({ status: 'SERVING' });
  expect(await plain.check('farm_ng.core.proto.EventService')).toEqual({ status: 'SERVING' });
  await expect(plain.check('no.such.Service')).rejects.toMatchObject({ code: 5 });
});

test('who watches the health hears of a drain, and does not hold it up', async () => {
  const service = await serve();
  const watch = plainClient(service.port).watch('farm_ng.core.proto.EventService');
  const statuses: string[] = [];
  watch.on('data', ({ status }) => statuses.push(status));
  await until(() => statuses.length === 1);
  let inTime = false;
  const drained = service.drain({ limitMs: 20_000 }).then(() => {
    inTime = true;
  });
  await until(() => statuses.length === 2);
  expect(statuses).toEqual(['SERVING', 'NOT_SERVING']);
  await drained;
  expect(inTime).toBe(true);
});

test('a service of ours lists its health from the start', async () => {
  const service = await serve();
  const [health] = await take(clientOf(service).events('/health'), 1);
  expect(health!.sequence).toBe(0);
});
