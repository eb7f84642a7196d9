import { Metadata } from '@grpc/grpc-js';
import { type EventClient, type Gap, MeshError, type SubscribeRequest } from 'furrow';
import { expect, test } from 'vitest';
import { framed } from '../wire/framed.js';
import { encodedEvent } from './encoded-event.js';
import { answered, plainClient } from './plain-client.js';
import { clientAt, gather, keepingLogger, published, serve, subscribersOf, until } from './running.js';
import { TcpProxy } from './tcp-proxy.js';

const paths = [
  published('/count', { history: 5 }),
  published('/plain'),
  published('/map', { latch: true }),
  published('/once'),
];

/** A service behind a proxy, and one who listens through it. */
async function listen(request: SubscribeRequest) {
  const logger = keepingLogger();
  const service = await serve({ published: paths });
  const proxy = await TcpProxy.to(service.port);
  const client = clientAt(proxy.port, {}, { logger });
  return { service, proxy, client, logger, ...gatherWithGaps(client, request), ...breaks(service, proxy) };
}

function gatherWithGaps(client: EventClient, request: SubscribeRequest) {
  const stream = client.events(request);
  const gaps: Gap[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  return { stream, gaps, ...gather(stream) };
}

function breaks(service: Awaited<ReturnType<typeof serve>>, proxy: TcpProxy) {
  const here = () => until(() => subscribersOf(service).length === 1);
  return {
    here,
    /** Breaks the link, does what is to happen meanwhile, and waits until the client is back. */
    away: async (meanwhile: () => Promise<unknown>) => {
      proxy.cut();
      await until(() => subscribersOf(service).length === 0);
      await meanwhile();
      await here();
    },
  };
}

const gap = { service: 'agent-1', path: '/count', reason: 'reconnect' };

test('what is held of the time away comes in order and once, and the rest is told exactly', async () => {
  const { service, here, away, items, gaps, stream } = await listen({ path: '/count' });
  await here();
  for (let value = 0; value < 3; value++) await service.publish('/count', value);
  await until(() => items.length === 3);
  await away(async () => {
    for (let value = 3; value < 7; value++) await service.publish('/count', value);
  });
  await until(() => items.length === 7);
  expect(gaps).toEqual([]);
  await away(async () => {
    for (let value = 7; value < 20; value++) await service.publish('/count', value);
  });
  await service.publish('/count', 20);
  await until(() => items.length === 13);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 15, 16, 17, 18, 19, 20]);
  expect(gaps).toEqual([{ ...gap, from: 7, to: 14, count: 8 }]);
  expect(stream.counts).toEqual({ received: 13, lost: 8, reconnects: 2 });
});

test('without a history everything of the time away is told as gone, at once', async () => {
  const { service, here, away, items, gaps } = await listen({ path: '/plain' });
  await here();
  await service.publish('/plain', 0);
  await until(() => items.length === 1);
  await away(async () => {
    for (let value = 1; value < 4; value++) await service.publish('/plain', value);
  });
  await until(() => gaps.length === 1);
  expect(gaps).toEqual([{ ...gap, path: '/plain', from: 1, to: 3, count: 3 }]);
});

test('every_n counts only the gone events that were asked for', async () => {
  const { service, here, away, items, gaps } = await listen({ path: '/count', everyN: 4 });
  await here();
  await service.publish('/count', 0);
  await until(() => items.length === 1);
  await away(async () => {
    for (let value = 1; value < 20; value++) await service.publish('/count', value);
  });
  await until(() => items.length === 2);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 16]);
  expect(gaps).toEqual([{ ...gap, from: 1, to: 14, count: 3 }]);
});

test('a break before the first event brings nothing from before the subscription', async () => {
  const { service, here, away, items, gaps, client } = await listen({ path: '/count' });
  await here();
  await until(() => client.state.status === 'connected');
  await away(async () => undefined);
  await service.publish('/count', 0);
  await until(() => items.length === 1);

  const later = gatherWithGaps(client, { path: '/count' });
  await until(() => subscribersOf(service).length === 2);
  await until(() => later.stream.counts.reconnects === 0 && client.state.status === 'connected');
  // Headers are there when an event is.
  await service.publish('/plain', 0);
  for (let value = 1; value < 3; value++) await service.publish('/count', value);
  await until(() => later.items.length === 2);
  expect(later.items.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect([...gaps, ...later.gaps]).toEqual([]);
});

test('* goes on with each of its paths where it was, and does not repeat what is latched', async () => {
  const { service, here, away, items, gaps } = await listen({ path: '*' });
  await here();
  await service.publish('/map', 0);
  await service.publish('/count', 0);
  await service.publish('/plain', 0);
  const ours = () => items.filter(({ path }) => path !== '/health').map(({ path, sequence }) => `${path}:${sequence}`);
  await until(() => ours().length === 3);
  await away(async () => {
    for (let value = 1; value < 3; value++) await service.publish('/count', value);
    await service.publish('/plain', 1);
  });
  await service.publish('/plain', 2);
  await until(() => ours().length === 6);
  expect(ours()).toEqual(['/map:0', '/count:0', '/plain:0', '/count:1', '/count:2', '/plain:2']);
  expect(gaps.filter(({ path }) => path !== '/health')).toEqual([{ ...gap, path: '/plain', from: 1, to: 1, count: 1 }]);
});

test('a latched value that changed while away comes once', async () => {
  const { service, here, away, items, gaps } = await listen({ path: '/map' });
  await here();
  await service.publish('/map', 0);
  await until(() => items.length === 1);
  await away(async () => {
    await service.publish('/map', 1);
    await service.publish('/map', 2);
  });
  await service.publish('/map', 3);
  await until(() => items.length === 3);
  expect(items.map(({ message }) => message)).toEqual([0, 2, 3]);
  expect(gaps).toEqual([{ ...gap, path: '/map', from: 1, to: 1, count: 1 }]);
});

test('a path that is published for the first time while away is wanted from its beginning', async () => {
  const { service, here, away, items, gaps, client } = await listen({ path: '/count' });
  await here();
  await until(() => client.state.status === 'connected');
  await away(async () => {
    for (let value = 0; value < 7; value++) await service.publish('/count', value);
  });
  await until(() => items.length === 5);
  expect(items.map(({ sequence }) => sequence)).toEqual([2, 3, 4, 5, 6]);
  expect(gaps).toEqual([{ ...gap, from: 0, to: 1, count: 2 }]);
});

test('a path that did not even exist, likewise', async () => {
  const { service, here, away, gaps, client, items } = await listen({ path: '/new/*' });
  await here();
  await until(() => client.state.status === 'connected');
  const type = 'google.protobuf.Int32Value';
  await away(async () => {
    for (let value = 0; value < 3; value++) await service.publish('/new/path', value, { type });
  });
  await service.publish('/new/path', 3);
  await until(() => items.length === 1);
  expect(items[0]!.sequence).toBe(3);
  expect(gaps).toEqual([{ ...gap, path: '/new/path', from: 0, to: 2, count: 3 }]);
});

test('a subscriber that was ended for waiting too long is back by itself, and knows what it lost', async () => {
  const { service, here, items, gaps, client, logger } = await listen({ path: '/count' });
  await here();
  await service.publish('/count', 0);
  await until(() => items.length === 1);
  const states: string[] = [];
  client.state$.subscribe(({ status }) => states.push(status));
  subscribersOf(service)[0]!.end(new MeshError('resource-exhausted', 'it left its publisher waiting'));
  for (let value = 1; value < 9; value++) await service.publish('/count', value);
  await until(() => items.length === 6);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 4, 5, 6, 7, 8]);
  expect(gaps).toEqual([{ ...gap, from: 1, to: 3, count: 3 }]);
  // The service was there all the time; the log says what happened.
  expect(states).toEqual(['connected']);
  expect(logger.lines.join()).toMatch(/warn: the subscription to agent-1\/count was interrupted.*left its publisher/);
});

test('the state tells of the break and of the return', async () => {
  const { here, away, client } = await listen({ path: '/count' });
  const states: string[] = [];
  client.state$.subscribe(({ status }) => states.push(status));
  await here();
  await until(() => client.state.status === 'connected');
  expect(client.state).toMatchObject({ epoch: expect.any(String), version: expect.any(String) });
  await away(async () => until(() => client.state.status === 'away'));
  await until(() => client.state.status === 'connected');
  client.close();
  expect(states).toEqual(['connecting', 'connected', 'away', 'connected', 'closed']);
});

test('a broken event is left out and said once; those behind it come', async () => {
  const { service, here, items, stream, logger } = await listen({ path: '/count' });
  await here();
  const [subscriber] = subscribersOf(service);
  const broken = (bytes: number[]) => encodedEvent('/count', 0, framed(Buffer.from(bytes)).bytes);
  subscriber!.offer(broken([0x0a, 0x50, 0x01]));
  subscriber!.offer(broken([0x12, 0x01, 0x41]));
  subscriber!.offer(broken([0x12, 0x01, 0x41]));
  await service.publish('/count', 7);
  await until(() => items.length === 1);
  expect(items[0]!.message).toBe(7);
  expect(stream.counts).toMatchObject({ lost: 3, reconnects: 0 });
  expect(logger.lines.filter((line) => line.includes('cannot be read'))).toHaveLength(2);
});

test('a header that no furrow client sends is refused, and harms nobody', async () => {
  const service = await serve({ published: paths });
  for (const text of [
    'nonsense',
    '[]',
    '{"epoch":1}',
    '{"epoch":"e","next":{"/x":-1}}',
    '{"epoch":"e","next":{"/x":1.5}}',
  ]) {
    const metadata = new Metadata();
    metadata.set('furrow-resume-bin', Buffer.from(text));
    const call = plainClient(service.port).subscribe({ path: '/count' }, { metadata });
    await expect(answered(call)).rejects.toMatchObject({
      code: 3,
      details: expect.stringContaining('furrow-resume-bin'),
    });
  }
  await answered(plainClient(service.port).subscribe({ path: '/count' }));
});
