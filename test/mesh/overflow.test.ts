import type { EventService, Overflow } from 'furrow';
import { expect, test } from 'vitest';
import { answered, type PlainReply, plainClient, statusOf } from './plain-client.js';
import { bytes, clientOf, gather, keepingLogger, published, serve, subscribersOf, until } from './running.js';

const blob = { published: [published('/blob', { type: bytes })] };
const kilobyte = new Uint8Array(1024);
const megabyte = new Uint8Array(1024 * 1024);

/** A subscriber that stops reading, through a connection of its own. */
async function stalled(service: EventService, query: string) {
  const call = plainClient(service.port).subscribe({ path: '/blob', query: `${query}&service_name=agent-1` });
  await answered(call);
  // Before the first read grpc-js takes in everything; from then on no more than its reader's buffer holds.
  call.read(0);
  return call;
}

/** Publishes until the buffers on the way are full and the subscriber's queue stays full; gives how many it took. */
async function fill(service: EventService, payload: Uint8Array, depth: number): Promise<number> {
  const [subscriber] = subscribersOf(service);
  for (let sent = 1; ; sent++) {
    await service.publish('/blob', payload);
    if (subscriber!.queued < depth) continue;
    const { delivered } = subscriber!;
    for (let turn = 0; turn < 20 && subscriber!.delivered === delivered; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (subscriber!.delivered === delivered) return sent;
  }
}

/** Every sequence that comes until one of them is `last`. */
async function readUntil(call: AsyncIterable<PlainReply>, last: number): Promise<number[]> {
  const sequences: number[] = [];
  for await (const { event } of call) {
    sequences.push(event.sequence);
    if (event.sequence === last) break;
  }
  return sequences;
}

test.each<{ overflow: Overflow; kept: (sent: number) => number[] }>([
  { overflow: 'drop-oldest', kept: (sent) => [sent - 3, sent - 2, sent - 1] },
  { overflow: 'latest', kept: (sent) => [sent - 1] },
])(
  'a stalled subscriber with $overflow keeps the newest, in order, and the rest is counted',
  async ({ overflow, kept }) => {
    const service = await serve(blob);
    const call = await stalled(service, `depth=3&overflow=${overflow}`);
    let sent = await fill(service, kilobyte, kept(0).length);
    const before = subscribersOf(service)[0]!.dropped;
    let dropped = before;
    for (const until = sent + 50; sent < until; sent++) dropped += (await service.publish('/blob', kilobyte)).dropped;
    expect(dropped - before).toBe(50);
    const [subscriber] = subscribersOf(service);
    expect(subscriber).toMatchObject({ dropped, queued: kept(0).length });
    const sequences = await readUntil(call, sent - 1);
    expect(sequences.slice(-kept(0).length)).toEqual(kept(sent));
    expect(sequences).toHaveLength(sent - dropped);
    expect(sequences).toEqual([...sequences].sort((one, other) => one - other));
  },
);

test('a stalled subscriber with drop-newest keeps the oldest', async () => {
  const service = await serve(blob);
  const call = await stalled(service, 'depth=3&overflow=drop-newest');
  await fill(service, kilobyte, 3);
  const [subscriber] = subscribersOf(service);
  const accepted = subscriber!.delivered + subscriber!.queued;
  const newest = accepted + subscriber!.dropped - 1;
  for (let more = 0; more < 50; more++) expect((await service.publish('/blob', kilobyte)).dropped).toBe(1);
  // Its last one was taken before the queue was full, so it lies behind nothing that was dropped.
  const sequences: number[] = [];
  for await (const { event } of call) if (sequences.push(event.sequence) === accepted) break;
  expect(sequences.at(-1)).toBeLessThanOrEqual(newest);
  expect(sequences).toEqual([...sequences].sort((one, other) => one - other));
  expect(new Set(sequences).size).toBe(accepted);
});

test('what is dropped shows in /health and reaches the program as gaps', async () => {
  const service = await serve(blob);
  const health = gather(clientOf(service).events<string>('/health'));
  const client = clientOf(service);
  const stream = client.events({ path: '/blob', depth: 2 });
  let lost = 0;
  stream.gaps$.subscribe((gap) => {
    expect(gap).toMatchObject({ service: 'agent-1', path: '/blob', reason: 'dropped' });
    lost += gap.count;
  });
  const iterator = stream[Symbol.asyncIterator]();
  const first = iterator.next();
  await until(() => subscribersOf(service).length === 2);
  const blobs = () => subscribersOf(service).find(({ pattern }) => pattern === '/blob')!;
  let sent = 0;
  while (blobs().dropped < 10) {
    await service.publish('/blob', megabyte);
    sent += 1;
  }
  const { dropped } = blobs();
  await until(() =>
    health.items.some(({ message }) => (message as Record<string, number>)['/blob/dropped'] === dropped),
  );
  const shown = health.items.at(-1)!.message as unknown as Record<string, unknown>;
  expect(shown['/blob/send_count']).toBe(sent);
  expect(shown['/blob/send_clients']).toBe(1);
  expect(shown.subscribers).toMatchObject([{ path: '/blob', overflow: 'drop-oldest', depth: 2, dropped }]);
  let last = (await first).value.sequence as number;
  let received = 1;
  while (last < sent - 1) {
    last = (await iterator.next()).value.sequence;
    received += 1;
  }
  expect(lost).toBe(sent - received);
  expect(lost).toBe(dropped);
  expect(stream.counts).toEqual({ received: expect.any(Number), lost, reconnects: 0 });
  await iterator.return!();
});

test('block makes the publisher wait, and loses nothing', async () => {
  const service = await serve(blob);
  const call = await stalled(service, 'depth=5&overflow=block&block_ms=9000');
  let published = 0;
  const publisher = (async () => {
    for (; published < 4000; published++)
      expect(await service.publish('/blob', kilobyte)).toMatchObject({ dropped: 0 });
  })();
  // One beyond the depth lies there while its publisher waits.
  const [subscriber] = subscribersOf(service);
  let stopped = -1;
  while (subscriber!.queued !== 6 || stopped !== published) {
    stopped = published;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(stopped).toBeLessThan(4000);
  expect(await readUntil(call, 3999)).toEqual(Array.from({ length: 4000 }, (_, index) => index));
  await publisher;
});

test('block ends a subscriber that leaves its publisher waiting for longer than block_ms, and counts its loss', async () => {
  const logger = keepingLogger();
  const service = await serve(blob, { logger });
  const call = await stalled(service, 'depth=5&overflow=block&block_ms=50');
  const status = statusOf(call);
  let result = await service.publish('/blob', kilobyte);
  while (result.dropped === 0) result = await service.publish('/blob', kilobyte);
  expect(result).toMatchObject({ subscribers: 1, dropped: 1 });
  expect(subscribersOf(service)).toHaveLength(0);
  // The publisher is free again.
  expect(await service.publish('/blob', kilobyte)).toMatchObject({ subscribers: 0 });
  call.resume();
  expect(await status).toMatchObject({
    code: 8,
    details: expect.stringMatching(/subscription to \/blob was ended.*block_ms=50; 6 events were lost/),
  });
  expect(logger.lines.join()).toMatch(/warn: subscriber at 127\.0\.0\.1:\d+: the subscription to \/blob was ended/);
  const health = gather(clientOf(service).events('/health'));
  await until(() => health.items.length > 0);
  expect(health.items[0]!.message).toMatchObject({ '/blob/dropped': 6, queued_bytes: 0 });
});

test('nobody may ask to hold a publisher up for longer than the service allows', async () => {
  const service = await serve(blob, { maxBlockMs: 500 });
  await expect(stalled(service, 'overflow=block&block_ms=501')).rejects.toMatchObject({
    code: 3,
    details: expect.stringMatching(/block_ms=501 .*500/),
  });
  await stalled(service, 'overflow=block&block_ms=500');
});

test('one subscriber that blocks does not change the order of another', async () => {
  const service = await serve(blob);
  await stalled(service, 'depth=2&overflow=block&block_ms=100');
  const { items } = gather(clientOf(service).events({ path: '/blob', overflow: 'block', depth: 10_000 }));
  await until(() => subscribersOf(service).length === 2);
  // Nobody awaits: they wait beside each other.
  const results = Array.from({ length: 3000 }, () => service.publish('/blob', kilobyte));
  await Promise.all(results);
  await until(() => items.length === 3000);
  expect(items.every(({ sequence }, index) => sequence === index)).toBe(true);
});

test('the bytes one subscriber may queue have a bound, whatever its depth', async () => {
  const service = await serve(blob, { maxSubscriberBytes: 100_000 });
  await stalled(service, 'depth=100000');
  for (let sent = 0; sent < 3000; sent++) await service.publish('/blob', kilobyte);
  const [subscriber] = subscribersOf(service);
  expect(subscriber!.dropped).toBeGreaterThan(1000);
  // A little more than its 1,024 bytes goes with each event.
  expect(subscriber!.queued).toBeLessThan(100);
  expect(subscriber!.queued).toBeGreaterThan(70);
});

test('the bytes of all subscribers together have a bound', async () => {
  const service = await serve(blob, { maxQueuedBytes: 200_000 });
  for (let each = 0; each < 5; each++) await stalled(service, 'depth=100000');
  for (let sent = 0; sent < 3000; sent++) await service.publish('/blob', kilobyte);
  const queued = subscribersOf(service).reduce((sum, subscriber) => sum + subscriber.queued, 0);
  expect(queued * 1024).toBeLessThan(200_000);
  expect(queued).toBeGreaterThan(100);
});

test('a block subscriber over its bytes is ended, not its publisher', async () => {
  const service = await serve(blob, { maxSubscriberBytes: 50_000 });
  const call = await stalled(service, 'depth=100000&overflow=block&block_ms=9000');
  const status = statusOf(call);
  for (let sent = 0; sent < 3000; sent++) void service.publish('/blob', kilobyte);
  await until(() => subscribersOf(service).length === 0);
  call.resume();
  expect(await status).toMatchObject({ code: 8, details: expect.stringContaining('exceed the bytes it may queue') });
});

test('a slow program with latest gets the newest, not what lay in buffers on the way', async () => {
  const service = await serve(blob);
  const iterator = clientOf(service).events({ path: '/blob', overflow: 'latest' })[Symbol.asyncIterator]();
  const first = iterator.next();
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/blob', kilobyte);
  await first;
  // Far less than the transport holds, so every event of these is on its way at once.
  for (let sent = 1; sent < 500; sent++) await service.publish('/blob', kilobyte);
  let reads = 0;
  for (let sequence = 0; sequence < 499; reads++) sequence = (await iterator.next()).value.sequence;
  expect(reads).toBeLessThan(100);
  await iterator.return!();
});

test('one that stalls among hundreds holds nobody up: each gets every event, a lone one too', async () => {
  const service = await serve(blob);
  const call = await stalled(service, 'depth=1&overflow=latest');
  await fill(service, megabyte, 1);
  const client = clientOf(service);
  const count = 300;
  const next = new Array<number>(count).fill(-1);
  for (let index = 0; index < count; index++) {
    client.subscribe({ path: '/blob', overflow: 'block', depth: 200 }).subscribe(({ sequence }) => {
      // From whatever it began with, each follows the one before.
      if (next[index] === -1 || next[index] === sequence) next[index] = sequence + 1;
      else next[index] = Number.NaN;
    });
  }
  await until(() => service.subscriberCount === count + 1);
  let last = 0;
  for (let sent = 0; sent < 500; sent++) last = (await service.publish('/blob', kilobyte)).sequence;
  await until(() => next.every((sequence) => sequence === last + 1));
  last = (await service.publish('/blob', kilobyte)).sequence;
  await until(() => next.every((sequence) => sequence === last + 1));
  expect(subscribersOf(service).filter(({ dropped }) => dropped === 0)).toHaveLength(count);
  call.cancel();
});
