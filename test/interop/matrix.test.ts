import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../mesh/running.js';
import { type PythonPorts, publisherKinds, publisherOf, pythonServes } from './matrix-publishers.js';
import { subscribe, subscriberKinds } from './matrix-subscribers.js';
import { startPython } from './python-peer.js';

const peer = startPython('matrix_peer.py');
let python: PythonPorts | undefined;
beforeAll(async () => {
  python = peer && (await pythonServes(peer));
});
afterAll(() => peer?.stop());

// Around everything that changes how a message travels: no payload, one byte of length or more, a frame of HTTP/2, the
// size from which a payload has memory of its own (32 KiB with its four bytes of BytesValue), several frames.
const sizes = [0, 1, 127, 128, 300, 5000, 16_370, 16_384, 32_763, 32_764, 40, 70_000, 3, 150_000, 10, 10];

describe.each(publisherKinds)('%s publishes', (publisherKind) => {
  describe.each(subscriberKinds)('%s subscribes', (subscriberKind) => {
    const needsPython = publisherKind === 'Python' || subscriberKind === 'Python';

    test.skipIf(needsPython && peer === undefined).each([
      ['plain text', false],
      ['TLS', true],
    ])('%s: every event comes, in order and with the same bytes', async (_, secure) => {
      const publisher = await publisherOf(publisherKind, { secure, python });
      const [exact, all] = ['/a', '*'].map((path) =>
        subscribe(subscriberKind, publisher.port, { path, secure }, python?.peer),
      );
      await publisher.subscribed(2);
      for (const [index, size] of [...sizes, ...sizes].entries()) {
        const publishing = publisher.publish(index % 3 === 0 ? '/a' : '/b', randomBytes(size));
        if (publisher.burst < sizes.length) await publishing;
        if (index % publisher.burst === 0) await until(() => all!.came.length === publisher.sent.length);
      }
      const ofA = publisher.sent.filter(({ path }) => path === '/a');
      await until(() => all!.came.length === 2 * sizes.length && exact!.came.length === ofA.length);
      expect(all!.came).toEqual(publisher.sent);
      expect(exact!.came).toEqual(ofA);
    });
  });
});
