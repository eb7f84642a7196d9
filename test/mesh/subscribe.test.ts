import type { MeshEvent } from 'furrow';
import { expect, test } from 'vitest';
import { answered, plainClient } from './plain-client.js';
import { clientAt, clientOf, gather, keepingLogger, published, serve, subscribersOf, take, until } from './running.js';

const paths = [published('/sample'), published('/gps/pvt'), published('/gps/ecef')];
const places = (events: readonly MeshEvent[]) => events.map(({ path, sequence }) => `${path}:${sequence}`);

test('* brings every path, /health included', async () => {
  const service = await serve({ published: paths });
  const { items } = gather(clientOf(service).events('*'));
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/sample', 1);
  await service.publish('/gps/pvt', 2);
  await service.publish('/new', 3, { type: 'google.protobuf.Int32Value' });
  await until(() => items.some(({ path }) => path === '/health'));
  expect(places(items).filter((place) => !place.startsWith('/health'))).toEqual(['/sample:0', '/gps/pvt:0', '/new:0']);
});

test.each(['/gps/*', 'gps/*'])('%s brings the paths below, also those that come later', async (path) => {
  const service = await serve({ published: paths });
  const { items } = gather(clientOf(service).events(path));
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/sample', 1);
  await service.publish('/gps/pvt', 1);
  await service.publish('/gps/late', 1, { type: 'google.protobuf.Int32Value' });
  await service.publish('/gps/ecef', 1);
  await until(() => items.length === 3);
  expect(places(items)).toEqual(['/gps/pvt:0', '/gps/late:0', '/gps/ecef:0']);
});

test('a prefix works for a plain client, too, in the path of its request', async () => {
  const service = await serve({ published: paths });
  const call = plainClient(service.port).subscribe({ path: '/gps/*' });
  await answered(call);
  await service.publish('/sample', 1);
  await service.publish('/gps/pvt', 1);
  const [reply] = await take(call, 1);
  expect(reply!.event.uri.path).toBe('/gps/pvt');
});

test('every_n delivers each n-th sequence, and reports no gap', async () => {
  const service = await serve({ published: paths });
  const stream = clientOf(service).events({ path: '/sample', everyN: 3 });
  const gaps: unknown[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const { items } = gather(stream);
  await until(() => subscribersOf(service).length === 1);
  const results = [];
  for (let value = 0; value < 8; value++) results.push(await service.publish('/sample', value));
  await until(() => items.length === 3);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 3, 6]);
  expect(results.map(({ subscribers }) => subscribers)).toEqual([1, 0, 0, 1, 0, 0, 1, 0]);
  expect(gaps).toEqual([]);
});

test('a missing leading slash is tolerated', async () => {
  const service = await serve({ published: paths });
  const { items } = gather(clientOf(service).events('sample'));
  const call = plainClient(service.port).subscribe({ path: 'sample' });
  await answered(call);
  await until(() => subscribersOf(service).length === 2);
  await service.publish('/sample', 1);
  await take(call, 1);
  await until(() => items.length === 1);
  expect(items[0]!.path).toBe('/sample');
});

test.each(['', 'a=b=c', 'n=1&hb', 'tag', '&&', 'dept=5', 'type=some.Type&pb=some.proto'])(
  'the query "%s" is legal',
  async (query) => {
    const service = await serve({ published: paths });
    const call = plainClient(service.port).subscribe({ path: '/sample', query });
    await answered(call);
    await service.publish('/sample', 1);
    expect(await take(call, 1)).toHaveLength(1);
  },
);

test.each(['depth=0', 'depth=many', 'overflow=drop', 'block_ms=-1'])('%s is refused by name', async (part) => {
  const service = await serve({ published: paths });
  const call = plainClient(service.port).subscribe({ path: '/sample', query: `${part}&service_name=agent-1` });
  await expect(take(call, 1)).rejects.toMatchObject({ code: 3, details: expect.stringContaining(part.split('=')[0]!) });
});

test('a path that nobody publishes yet begins with its first event, and the service says that it waits', async () => {
  const logger = keepingLogger();
  const service = await serve({ published: paths }, { logger });
  const { items } = gather(clientOf(service).events('/samples'));
  await until(() => subscribersOf(service).length === 1);
  expect(logger.lines.join()).toMatch(/\/samples, which nobody publishes yet; did you mean "\/sample"\?/);
  await service.publish('/samples', 1, { type: 'google.protobuf.Int32Value' });
  await until(() => items.length === 1);
  expect(items[0]).toMatchObject({ path: '/samples', sequence: 0, message: 1 });
});

test('the latched event comes first, exactly once, to exact and wildcard subscribers alike', async () => {
  const service = await serve({ published: [published('/map', { latch: true }), published('/sample')] });
  await service.publish('/map', 1);
  await service.publish('/map', 2);
  await service.publish('/sample', 1);
  await service.publish('/once', 5, { type: 'google.protobuf.Int32Value', latch: true });
  const client = clientOf(service);
  const exact = gather(client.events('/map'));
  const all = gather(client.events('*'));
  await until(() => subscribersOf(service).length === 2);
  await service.publish('/map', 3);
  await until(() => exact.items.length === 2 && all.items.filter(({ path }) => path !== '/health').length === 3);
  expect(exact.items.map(({ message }) => message)).toEqual([2, 3]);
  expect(places(all.items.filter(({ path }) => path !== '/health'))).toEqual(['/map:1', '/once:0', '/map:2']);
});

test('the latched event comes whatever every_n says, as from a farm-ng service', async () => {
  const service = await serve({ published: [published('/map', { latch: true })] });
  for (let value = 0; value < 4; value++) await service.publish('/map', value);
  const { items } = gather(clientOf(service).events({ path: '/map', everyN: 5 }));
  await until(() => items.length === 1);
  for (let value = 4; value < 6; value++) await service.publish('/map', value);
  await until(() => items.length === 2);
  expect(items.map(({ sequence }) => sequence)).toEqual([3, 5]);
});

test('nothing falls between the latched event and the live ones while a publisher never rests', async () => {
  const service = await serve({ published: [published('/count', { latch: true })] });
  let publishing = true;
  const publisher = (async () => {
    while (publishing) await service.publish('/count', 1);
  })();
  const client = clientOf(service);
  for (let round = 0; round < 20; round++) {
    const stream = client.events({ path: '/count', overflow: 'block', depth: 1000 });
    const sequences = (await take(stream, 50)).map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from({ length: 50 }, (_, index) => sequences[0]! + index));
  }
  publishing = false;
  await publisher;
});

test('1,000 subscribers of one client each get every event in order', async () => {
  const service = await serve({ published: paths });
  const client = clientOf(service);
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  const streams = Array.from({ length: 1000 }, () => gather(client.events('/sample')));
  await until(() => subscribersOf(service).length === 1000);
  for (let value = 0; value < 5; value++) {
    expect(await service.publish('/sample', value)).toMatchObject({ subscribers: 1000, dropped: 0 });
  }
  await until(() => streams.every(({ items }) => items.length === 5));
  expect(streams.every(({ items }) => items.every(({ sequence }, index) => sequence === index))).toBe(true);
  client.close();
  await until(() => subscribersOf(service).length === 0);
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});

test('a service takes no more subscribers than it may, and says so', async () => {
  const service = await serve({ published: paths }, { maxSubscribers: 2 });
  const plain = plainClient(service.port);
  await Promise.all([answered(plain.subscribe({ path: '/sample' })), answered(plain.subscribe({ path: '/sample' }))]);
  await expect(answered(plain.subscribe({ path: '/sample' }))).rejects.toMatchObject({
    code: 8,
    details: expect.stringContaining('has 2 subscribers already'),
  });
});

test('leaving the loop on a quiet stream reaches the service', async () => {
  const service = await serve({ published: paths });
  const iterator = clientOf(service).events('/sample')[Symbol.asyncIterator]();
  const pending = iterator.next();
  await until(() => subscribersOf(service).length === 1);
  await iterator.return!();
  expect(await pending).toEqual({ done: true, value: undefined });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  await until(() => subscribersOf(service).length === 0);
});

test('unsubscribing from a quiet Observable reaches the service', async () => {
  const service = await serve({ published: paths });
  const client = clientOf(service);
  const subscription = client.subscribe('/sample').subscribe();
  await until(() => client.state.status === 'connected');
  subscription.unsubscribe();
  await until(() => subscribersOf(service).length === 0);
  expect(client.state.status).toBe('connected');
});

test('an Observable is cold: each subscription is its own', async () => {
  const service = await serve({ published: paths });
  const samples$ = clientOf(service).subscribe('/sample');
  expect(subscribersOf(service)).toHaveLength(0);
  const seen: string[] = [];
  samples$.subscribe(({ sequence }) => seen.push(`one:${sequence}`));
  samples$.subscribe(({ sequence }) => seen.push(`two:${sequence}`));
  await until(() => subscribersOf(service).length === 2);
  await service.publish('/sample', 1);
  await until(() => seen.length === 2);
  expect(seen.sort()).toEqual(['one:0', 'two:0']);
});

test('a signal ends a quiet stream, also one that was aborted before', async () => {
  const service = await serve({ published: paths });
  const client = clientOf(service);
  const ending = new AbortController();
  const { items, done } = gather(client.events('/sample', { signal: ending.signal }));
  await until(() => subscribersOf(service).length === 1);
  ending.abort();
  await done;
  await until(() => subscribersOf(service).length === 0);
  await gather(client.events('/sample', { signal: AbortSignal.abort() })).done;
  expect(items).toEqual([]);
});

test('closing the client ends its streams; a closed client takes no more', async () => {
  const service = await serve({ published: paths });
  const client = clientOf(service);
  const { done } = gather(client.events('/sample'));
  await until(() => subscribersOf(service).length === 1);
  client.close();
  client.close();
  await done;
  await until(() => subscribersOf(service).length === 0);
  expect(client.state.status).toBe('closed');
  expect(() => client.events('/sample')).toThrow(/the client of agent-1 is closed/);
  const failed = new Promise((_, reject) => client.subscribe('/sample').subscribe({ error: reject }));
  await expect(failed).rejects.toMatchObject({ code: 'failed-precondition' });
});

test('a stream that waits for an absent service can be left', async () => {
  const service = await serve();
  const { port } = service;
  service.close();
  const client = clientAt(port);
  const iterator = client.events('/sample')[Symbol.asyncIterator]();
  const pending = iterator.next();
  await until(() => client.state.status === 'away');
  await iterator.return!();
  expect((await pending).done).toBe(true);
});

test('a stream is read once', async () => {
  const service = await serve({ published: [published('/sample', { latch: true })] });
  await service.publish('/sample', 1);
  const stream = clientOf(service).events('/sample');
  await take(stream, 1);
  await expect(take(stream, 1)).rejects.toMatchObject({ code: 'failed-precondition' });
});

test('an event carries when it came, and what is unknown keeps its bytes and is said once', async () => {
  const service = await serve();
  const logger = keepingLogger();
  const { items } = gather(clientOf(service, { logger }).events('/odd'));
  await until(() => subscribersOf(service).length === 1);
  const uri = {
    scheme: 'protobuf',
    authority: 'h',
    path: '/odd',
    query: 'type=nobody.Knows&pb=nobody/knows.proto&service_name=agent-1',
  };
  const payload = Buffer.from('as they are');
  for (const sequence of [0, 1]) {
    await service.publishEvent({ uri, timestamps: [], payloadLength: payload.length, sequence }, payload);
  }
  await until(() => items.length === 2);
  expect(items.map(({ message }) => String(message))).toEqual(['as they are', 'as they are']);
  expect(items[0]!.stamp('client/receive', '/monotonic')).toBeDefined();
  expect(logger.lines.filter((line) => line.includes('nobody.Knows'))).toHaveLength(1);
});
