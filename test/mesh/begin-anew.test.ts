import { expect, test } from 'vitest';
import type { Gap } from '../../src/mesh/sequence-tracker.js';
import { clientOf, gather, keepingLogger, published, serve, take, until } from './running.js';

test('a service that begins anew is one that was started again: new epoch, sequences from 0, nothing latched', async () => {
  const logger = keepingLogger();
  const service = await serve({ published: [published('/count', { latch: true, history: 10 })] }, { logger });
  const client = clientOf(service);
  const epochs = new Set<string>();
  client.state$.subscribe(({ epoch }) => epoch !== undefined && epochs.add(epoch));
  const { items } = gather(client.events('/count'));
  await until(() => service.subscriberCount === 1);
  for (const value of [1, 2, 3]) await service.publish('/count', value);
  // Queued or not, what was published before belongs to those who listen.
  await service.restart();
  expect(service.subscriberCount).toBe(0);
  await until(() => service.subscriberCount === 1);
  await service.publish('/count', 4);
  await until(() => items.length === 4);
  expect(items.map(({ sequence, message }) => [sequence, message])).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
    [0, 4],
  ]);
  expect(epochs.size).toBe(2);
  expect((await take(clientOf(service).events('/count'), 1))[0]).toMatchObject({ message: 4 });
  expect(logger.lines).toEqual([]);
});

test('only a running service can begin anew', async () => {
  const service = await serve();
  service.close();
  await expect(service.restart()).rejects.toMatchObject({ code: 'failed-precondition' });
});

test.each([
  [true, []],
  [false, [{ from: 0, to: 1, count: 2, reason: 'dropped' }]],
])('sequences begin anywhere in each epoch of a replay, and only there: %s', async (replay, lost) => {
  const service = await serve({ published: [published('/count')] }, { replay });
  const stream = clientOf(service).events('/count');
  const gaps: Gap[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const { items } = gather(stream);
  await until(() => service.subscriberCount === 1);
  await service.publish('/count', 0);
  await until(() => items.length === 1);
  await service.restart();
  await until(() => service.subscriberCount === 1);
  const { uri } = items[0]!;
  await service.publishEvent({ uri, timestamps: [], payloadLength: 0, sequence: 2 }, Buffer.alloc(0));
  await until(() => items.length === 2);
  expect(gaps).toEqual(lost.map((gap) => ({ service: 'agent-1', path: '/count', ...gap })));
});

test('without health of its own, a service publishes what /health it is given', async () => {
  const service = await serve({}, { health: false });
  expect(service.listUris()).toEqual([]);
  const other = await serve({ name: 'other' });
  const { items } = gather(clientOf(service).events('*'));
  const { items: otherItems } = gather(clientOf(other).events('*'));
  await until(() => service.subscriberCount === 1);
  const text = { type: 'google.protobuf.StringValue' };
  await service.publish('/health', 'fine', text);
  await until(() => items.length > 0 && otherItems.length > 0);
  expect(items.map(({ path, message }) => [path, message])).toEqual([['/health', 'fine']]);
});
