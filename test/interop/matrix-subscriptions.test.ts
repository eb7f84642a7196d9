import { randomBytes } from 'node:crypto';
import type { EventService, Overflow } from 'furrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { joinEnvelope } from '../../src/messages/envelope.js';
import { bytes, clientAt, gather, published, subscribersOf, until } from '../mesh/running.js';
import { TcpProxy } from '../mesh/tcp-proxy.js';
import { localhostTls } from '../tls/files.js';
import { furrowPublisher, pythonServes } from './matrix-publishers.js';
import { type Asked, type Subscription, seen, subscribe, subscriberKinds } from './matrix-subscribers.js';
import { startPython } from './python-peer.js';

const python = startPython('matrix_peer.py');
const kinds = subscriberKinds.filter((kind) => kind !== 'Python' || python !== undefined);
beforeAll(() => python && pythonServes(python).then(() => undefined));
afterAll(() => python?.stop());

/** One subscription of each kind, in place in this order. */
async function subscribeAll(service: EventService, asked: Asked): Promise<Subscription[]> {
  const subscriptions: Subscription[] = [];
  for (const kind of kinds) {
    const before = service.subscriberCount;
    subscriptions.push(subscribe(kind, service.port, asked, python));
    await until(() => service.subscriberCount === before + 1);
  }
  return subscriptions;
}

const kilobytes64 = 64 * 1024;
const sequences = (came: readonly { sequence: number }[]) => came.map(({ sequence }) => sequence);

describe.each([
  ['fast path', false],
  ['public way', true],
])('a furrow service (%s) and subscribers of every kind', (_, publicWay) => {
  /** Publishes until the queue of every one of `stalled` is full and none of them moves any more. */
  async function fill(
    service: EventService,
    stalled: readonly ReturnType<typeof subscribersOf>[number][],
    depth: number,
  ) {
    const state = () => stalled.map(({ delivered }) => delivered).join();
    for (let before = '', quiet = 0; quiet < 10; ) {
      await service.publish('/a', randomBytes(kilobytes64));
      await new Promise((resolve) => setTimeout(resolve, 2));
      quiet = state() === before && stalled.every(({ queued }) => queued >= depth) ? quiet + 1 : 0;
      before = state();
    }
  }

  test.each(['drop-oldest', 'drop-newest', 'latest'] as const)(
    'with overflow=%s a stalled one loses what it says, and gets all else whole and in order',
    async (overflow) => {
      const { service, sent } = await furrowPublisher({ publicWay });
      const depth = overflow === 'latest' ? 1 : 4;
      const subscriptions = await subscribeAll(service, { path: '/a', quality: { overflow, depth }, paused: true });
      // With `latest` our client reads on, and itself keeps the newest only.
      const reads = ({ kind }: Subscription) => kind === 'furrow' && overflow === 'latest';
      const ends = subscribersOf(service);
      const stalled = ends.filter((_end, index) => !reads(subscriptions[index]!));
      await fill(service, stalled, depth);
      const full = sent.length;
      for (let more = 0; more < 20; more++) {
        const { dropped } = await service.publish('/a', randomBytes(kilobytes64));
        expect(dropped).toBeGreaterThanOrEqual(stalled.length);
      }
      const until20 = sent.length;
      for (const subscription of subscriptions) subscription.resume();
      await until(() => ends.every(({ queued }) => queued === 0));
      await service.publish('/a', randomBytes(10));
      const last = sent.length - 1;
      await until(() => subscriptions.every(({ came }) => came.at(-1)?.sequence === last));

      for (const [index, subscription] of subscriptions.entries()) {
        const { came, kind } = subscription;
        const got = sequences(came);
        expect(came, kind).toEqual(sent.filter(({ sequence }) => got.includes(sequence)));
        if (reads(subscription)) continue;
        expect(came.length, kind).toBe(sent.length - ends[index]!.dropped);
        const newest = Array.from({ length: depth }, (_one, at) => until20 - depth + at);
        if (overflow === 'drop-newest')
          expect(
            got.filter((one) => one >= full && one < last),
            kind,
          ).toEqual([]);
        else expect(got.slice(-depth - 1, -1), kind).toEqual(newest);
      }
    },
  );

  test('with overflow=block the publisher waits for the stalled ones, and nobody loses anything', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const quality = { overflow: 'block' as Overflow, depth: 4, blockMs: 9000 };
    const subscriptions = await subscribeAll(service, { path: '/a', quality, paused: true });
    const all = 80;
    const publishing = (async () => {
      for (let one = 0; one < all; one++) {
        expect(await service.publish('/a', randomBytes(kilobytes64))).toMatchObject({ dropped: 0 });
      }
    })();
    await until(() => subscribersOf(service).some(({ queued }) => queued === quality.depth + 1));
    expect(sent.length).toBeLessThan(all);
    for (const subscription of subscriptions) subscription.resume();
    await publishing;
    await until(() => subscriptions.every(({ came }) => came.length === all));
    for (const { came, kind } of subscriptions) expect(came, kind).toEqual(sent);
  });

  test('what is latched comes first and once, then every event, or every n-th', async () => {
    const paths = [published('/map', { type: bytes, latch: true }), published('/a', { type: bytes })];
    const { service, sent } = await furrowPublisher({ publicWay }, paths);
    for (const size of [10, 40_000]) await service.publish('/map', randomBytes(size));
    await service.publish('/a', randomBytes(10));
    const all = await subscribeAll(service, { path: '*' });
    const third = await subscribeAll(service, { path: '/map', everyN: 3 });
    for (let one = 0; one < 9; one++) await service.publish(one % 2 === 0 ? '/map' : '/a', randomBytes(one * 9000));
    const maps = sent.filter(({ path }) => path === '/map');
    await until(() => all.every(({ came }) => came.length === 10) && third.every(({ came }) => came.length === 3));
    for (const { came, kind } of all) expect(came, kind).toEqual([maps[1], ...sent.slice(3)]);
    for (const { came, kind } of third) expect(came, kind).toEqual([maps[1], maps[3], maps[6]]);
  });

  test.each([
    ['plain text', false],
    ['TLS', true],
  ])('a drain in mid-stream (%s) sends everything that is queued, and then UNAVAILABLE', async (_name, secure) => {
    const { service, sent } = await furrowPublisher({ publicWay, ...(secure ? { tls: localhostTls } : {}) });
    const subscriptions = await subscribeAll(service, { path: '*', secure });
    const results = Array.from({ length: 300 }, (_one, index) =>
      service.publish(index % 2 === 0 ? '/a' : '/b', randomBytes(index % 25 === 0 ? kilobytes64 : index)),
    );
    await service.drain();
    await Promise.all(results);
    const ended = await Promise.all(subscriptions.map((subscription) => subscription.ended));
    for (const { code, details } of ended) {
      expect(code).toBe('UNAVAILABLE');
      expect(details).toContain('service agent-1 is shutting down');
    }
    await until(() => subscriptions.every(({ came }) => came.length === 300));
    for (const { came, kind } of subscriptions) expect(came, kind).toEqual(sent);
  });

  test('a furrow client gets the history, and after a cut what it missed, each event once', async () => {
    const paths = [
      published('/a', { type: bytes, history: 100 }),
      published('/b', { type: bytes, history: 100, latch: true }),
    ];
    const { service, sent } = await furrowPublisher({ publicWay }, paths);
    const publish = async (count: number) => {
      for (let one = 0; one < count; one++) {
        for (const path of ['/a', '/b']) await service.publish(path, randomBytes(one % 4 === 0 ? kilobytes64 : 20));
      }
    };
    await publish(5);
    const proxy = await TcpProxy.to(service.port);
    const client = clientAt(proxy.port);
    const subscribed = ['/a', '/b'].map((path) => {
      const stream = client.events({ path, history: true, overflow: 'block', depth: 1000 });
      return { path, stream, items: gather(stream).items };
    });
    const complete = () => subscribed.every(({ items }) => items.length === sent.length / 2);
    await until(complete);
    for (const reconnects of [1, 2]) {
      await publish(3);
      proxy.cut();
      await until(() => service.subscriberCount === 0);
      await publish(3);
      await until(() => subscribed.every(({ stream }) => stream.counts.reconnects === reconnects));
      await publish(3);
      await until(complete);
    }
    for (const { path, stream, items } of subscribed) {
      const came = items.map(({ eventBytes, payload }) => seen(joinEnvelope(eventBytes, payload)));
      expect(came).toEqual(sent.filter((one) => one.path === path));
      expect(stream.counts).toEqual({ received: items.length, lost: 0, reconnects: 2 });
    }
  });
});
