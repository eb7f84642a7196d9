import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytes, published, until } from '../mesh/running.js';
import { furrowPublisher, pythonServes } from './matrix-publishers.js';
import { type Subscription, subscribe, subscriberKinds } from './matrix-subscribers.js';
import { startPython } from './python-peer.js';

const python = startPython('matrix_peer.py');
const kinds = subscriberKinds.filter((kind) => kind !== 'Python' || python !== undefined);
beforeAll(() => python && pythonServes(python).then(() => undefined));
afterAll(() => python?.stop());

const small = 20;
const kilobytes64 = 64 * 1024;
const megabyte = 1024 * 1024;
const paths = ['/a', '/b', '/c'].map((path) => published(path, { type: bytes }));

/** Lets a reader read now and then only. */
function slow(subscription: Subscription): () => void {
  let paused = false;
  const timer = setInterval(() => {
    paused = !paused;
    if (paused) subscription.pause();
    else subscription.resume();
  }, 3);
  return () => {
    clearInterval(timer);
    subscription.resume();
  };
}

describe.each([
  ['fast path', false],
  ['public way', true],
])('large events of a furrow service (%s)', (_, publicWay) => {
  test('keep their order and bytes among small ones, whoever reads them, fast or slowly', async () => {
    const { service, sent } = await furrowPublisher({ publicWay }, paths);
    const quality = { overflow: 'block' as const, depth: 3, blockMs: 9000 };
    const subscriptions: { path: string; subscription: Subscription }[] = [];
    for (const kind of kinds) {
      for (const path of ['/a', '*']) {
        subscriptions.push({ path, subscription: subscribe(kind, service.port, { path, quality }, python) });
      }
    }
    await until(() => service.subscriberCount === subscriptions.length);
    const stops = subscriptions.filter((_one, index) => index % 3 === 0).map((one) => slow(one.subscription));
    const sizes = [
      small,
      kilobytes64,
      small,
      small,
      megabyte,
      kilobytes64,
      kilobytes64,
      small,
      32_764,
      megabyte,
      small,
    ];
    // Several at once, as programs do that publish on several paths.
    for (let round = 0; round < 3; round++) {
      const publishing = sizes.map((size, index) =>
        service.publish(['/a', '/b', '/a', '/c'][index % 4]!, randomBytes(size)),
      );
      for (const result of await Promise.all(publishing)) expect(result.dropped).toBe(0);
    }
    for (const stop of stops) stop();
    const wanted = (path: string) => sent.filter((one) => path === '*' || one.path === path);
    await until(() =>
      subscriptions.every(({ path, subscription }) => subscription.came.length === wanted(path).length),
    );
    for (const { path, subscription } of subscriptions) {
      expect(subscription.came, `${subscription.kind} ${path}`).toEqual(wanted(path));
    }
  });

  test('are what they were when publish() returned, though the publisher uses its buffer again', async () => {
    const { service, sent } = await furrowPublisher({ publicWay }, paths);
    const subscriptions = kinds.map((kind) => subscribe(kind, service.port, { path: '*' }, python));
    await until(() => service.subscriberCount === kinds.length);
    const values: Buffer[] = [];
    const given: boolean[] = [];
    service.published$.subscribe(({ message }) => given.push(values.at(-1)!.equals(message as Uint8Array)));
    const buffer = Buffer.alloc(megabyte);
    const results: Promise<unknown>[] = [];
    for (const [index, size] of [small, kilobytes64, megabyte, 5000, 32_764, kilobytes64, small].entries()) {
      const value = randomBytes(size);
      values.push(value);
      value.copy(buffer);
      results.push(service.publish('/a', buffer.subarray(0, size)));
      buffer.fill(index);
      // The same for an event that is passed on: a BytesValue of 64 KiB.
      const payload = Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x04]), randomBytes(kilobytes64)]);
      values.push(payload.subarray(4));
      const query = `type=${bytes.type}&pb=${bytes.pb}&service_name=agent-1`;
      const uri = { scheme: 'protobuf', authority: 'here', path: '/b', query };
      const event = { uri, timestamps: [], payloadLength: payload.length, sequence: index };
      results.push(service.publishEvent(event, payload));
      payload.fill(index);
    }
    await Promise.all(results);
    await until(() => subscriptions.every(({ came }) => came.length === sent.length));
    expect(given).toEqual(sent.map(() => true));
    for (const { came, kind } of subscriptions) expect(came, kind).toEqual(sent);
  });
});
