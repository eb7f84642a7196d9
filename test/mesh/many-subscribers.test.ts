import type { EventService } from 'furrow';
import { expect, test } from 'vitest';
import { answered, plainClient } from './plain-client.js';
import { bytes, clientOf, published, serve, subscribersOf, until } from './running.js';

// More than take turns in writing, and more bytes for each than one turn writes.
const readers = 300;
const events = 700;
const kilobyte = new Uint8Array(1024);

/** One that takes nothing more, through a connection of its own. */
async function stall(service: EventService, path: string): Promise<void> {
  const call = plainClient(service.port).subscribe({ path, query: 'depth=5&service_name=agent-1' });
  await answered(call);
  call.read(0);
}

test('hundreds of subscribers each get every event in its order, though some beside them do not read', async () => {
  const paths = [published('/blob', { type: bytes }), published('/quiet', { type: bytes })];
  const service = await serve({ published: paths });
  for (let index = 0; index < 10; index++) await stall(service, '/blob');
  // What these leave on the way is not so much that they are full, and more in all than waits for an answer.
  for (let index = 0; index < 60; index++) await stall(service, '/quiet');
  for (let sequence = 0; sequence < 110; sequence++) await service.publish('/quiet', kilobyte);
  const client = clientOf(service);
  const next = new Array<number>(readers).fill(0);
  const wrong: string[] = [];
  for (const index of next.keys()) {
    client.subscribe({ path: '/blob', overflow: 'block', depth: 100, blockMs: 10_000 }).subscribe(({ sequence }) => {
      if (sequence !== next[index]) wrong.push(`${index}: ${sequence} instead of ${next[index]}`);
      next[index] = sequence + 1;
    });
  }
  await until(() => subscribersOf(service).length === readers + 70);
  for (let sequence = 0; sequence < events; sequence++) {
    expect(await service.publish('/blob', kilobyte)).toMatchObject({ subscribers: readers + 10 });
  }
  await until(() => next.every((one) => one === events));
  expect(wrong).toEqual([]);
});

test('a subscriber that leaves while others wait for their turn leaves them theirs', async () => {
  const service = await serve({ published: [published('/blob', { type: bytes })] });
  const [leaving, staying] = [clientOf(service), clientOf(service)];
  const next = new Array<number>(readers).fill(0);
  for (const index of next.keys()) {
    const client = index % 2 === 0 ? leaving : staying;
    client.subscribe({ path: '/blob', overflow: 'block', depth: 100, blockMs: 10_000 }).subscribe(({ sequence }) => {
      next[index] = sequence + 1;
    });
  }
  await until(() => subscribersOf(service).length === readers);
  for (let sequence = 0; sequence < events; sequence++) {
    await service.publish('/blob', kilobyte);
    if (sequence === 200) leaving.close();
  }
  await until(() => subscribersOf(service).length === readers / 2);
  const stayed = () => next.filter((_, index) => index % 2 === 1);
  await until(() => stayed().every((one) => one >= events));
  expect(stayed()).toEqual(new Array(readers / 2).fill(events));
});
