import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventClient, Gap, SubscribeRequest } from 'furrow';
import { describe, expect, it } from 'vitest';
import { loadConfig, requestOf } from '../../src/index.js';
import { writeConfig } from '../mesh-config.js';
import { clientAt, clientOf, gather, published, serve, subscribersOf, take, until } from './running.js';
import { TcpProxy } from './tcp-proxy.js';

const paths = [
  published('/count', { history: 5 }),
  published('/plain'),
  published('/map', { latch: true }),
  published('/both', { history: 2, latch: true }),
];

function listen(client: EventClient, request: SubscribeRequest) {
  const stream = client.events({ history: true, ...request });
  const gaps: Gap[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  return { stream, gaps, ...gather(stream) };
}

const numbers = (items: readonly { sequence: number }[]) => items.map(({ sequence }) => sequence);

async function count(service: Awaited<ReturnType<typeof serve>>, path: string, from: number, to: number) {
  for (let value = from; value < to; value++) await service.publish(path, value);
}

describe('a subscription with history', () => {
  it('begins with what is held and goes on live; what is gone before that is no gap, but known', async () => {
    const service = await serve({ published: paths });
    await count(service, '/count', 0, 12);
    const { stream, gaps, items } = listen(clientOf(service), { path: '/count' });
    await until(() => items.length === 5);
    await count(service, '/count', 12, 15);
    await until(() => items.length === 8);
    expect(numbers(items)).toEqual([7, 8, 9, 10, 11, 12, 13, 14]);
    expect(gaps).toEqual([]);
    expect([...stream.begins]).toEqual([['/count', 7]]);
    expect(stream.counts).toEqual({ received: 8, lost: 0, reconnects: 0 });
  });

  it('knows of a path that holds nothing what it has missed, before any event of it comes', async () => {
    const service = await serve({ published: paths });
    await count(service, '/plain', 0, 3);
    const { stream, gaps, items } = listen(clientOf(service), { path: '/plain' });
    await until(() => stream.begins.size === 1);
    expect([...stream.begins]).toEqual([['/plain', 3]]);
    await count(service, '/plain', 3, 4);
    await until(() => items.length === 1);
    expect(gaps).toEqual([]);
  });

  it('gets latched events, too, and the hole between them and the history is no gap', async () => {
    const service = await serve({ published: paths });
    await count(service, '/map', 0, 3);
    await service.publish('/count', 0, { latch: true });
    await count(service, '/count', 1, 9);
    const { stream, gaps, items } = listen(clientOf(service), { path: '*' });
    const of = (path: string) => numbers(items.filter((item) => item.path === path));
    await until(() => of('/count').length === 6 && of('/map').length === 1);
    expect(of('/count')).toEqual([0, 4, 5, 6, 7, 8]);
    expect(of('/map')).toEqual([2]);
    expect(stream.begins.get('/count')).toBe(4);
    expect(stream.begins.get('/map')).toBe(2);
    await service.publish('/count', 9);
    await until(() => of('/count').length === 7);
    expect(gaps.filter(({ path }) => path !== '/health')).toEqual([]);
  });

  it('takes every n-th of what is held, and the latched event whatever its sequence', async () => {
    const service = await serve({ published: paths });
    await count(service, '/count', 0, 10);
    await count(service, '/both', 0, 10);
    const every = listen(clientOf(service), { path: '/count', everyN: 4 });
    const latched = listen(clientOf(service), { path: '/both', everyN: 8 });
    await count(service, '/count', 10, 13);
    await until(() => every.items.length === 2 && latched.items.length === 2);
    expect(numbers(every.items)).toEqual([8, 12]);
    expect(numbers(latched.items)).toEqual([8, 9]);
    expect([...every.gaps, ...latched.gaps]).toEqual([]);
  });

  it('gets nothing twice when it comes back, and is told what is gone by then', async () => {
    const service = await serve({ published: paths });
    const proxy = await TcpProxy.to(service.port);
    await count(service, '/count', 0, 8);
    const { stream, gaps, items } = listen(clientAt(proxy.port), { path: '/count' });
    await until(() => items.length === 5);
    proxy.cut();
    await until(() => subscribersOf(service).length === 0);
    await count(service, '/count', 8, 15);
    await until(() => items.length === 10);
    expect(numbers(items)).toEqual([3, 4, 5, 6, 7, 10, 11, 12, 13, 14]);
    expect(gaps).toEqual([{ service: 'agent-1', path: '/count', from: 8, to: 9, count: 2, reason: 'reconnect' }]);
    expect([...stream.begins]).toEqual([['/count', 3]]);
  });

  it('is not what a subscription is that does not ask for it', async () => {
    const service = await serve({ published: paths });
    await count(service, '/both', 0, 5);
    const [first] = await take(clientOf(service).events('/both'), 1);
    expect(first!.sequence).toBe(4);
  });

  it('can be asked for in a configuration', () => {
    const folder = mkdtempSync(join(tmpdir(), 'furrow-history-'));
    const subscription = { uri: { path: '/sample', query: 'history=true&service_name=a' } };
    const file = writeConfig(folder, [
      { name: 'a', port: 5001 },
      { name: 'b', port: 5002, subscriptions: [subscription] },
    ]);
    const [edge] = loadConfig(file).services[1]!.subscriptions;
    rmSync(folder, { recursive: true });
    expect(requestOf(edge!)).toEqual({ path: '/sample', everyN: 0, history: true });
  });
});

it('reads the next batch only when the last one is done', async () => {
  const service = await serve({ published: paths });
  let open = 0;
  const seen: number[] = [];
  const ended = new AbortController();
  const done = clientOf(service)
    .events('/count', { signal: ended.signal })
    .forEachBatch(async (batch) => {
      open += 1;
      expect(open).toBe(1);
      seen.push(...numbers(batch));
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
    });
  await until(() => subscribersOf(service).length === 1);
  await count(service, '/count', 0, 300);
  await until(() => seen.length === 300);
  ended.abort();
  await done;
  expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => index));
});
