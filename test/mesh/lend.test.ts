import { type EventClient, type EventService, MeshError, type MeshEvent } from 'furrow';
import { expect, test } from 'vitest';
import { bytes, clientOf, published, serve } from './running.js';

const frames = 60;
const request = { path: '/frame', overflow: 'block', depth: 1000, lend: true } as const;

/** Lengths around those at which memory is gained in another way, and those of a camera, which differ a little. */
function lengthOf(sequence: number): number {
  return [1, 40, 20_000, 32_768, 33_000, 70_000, 300_000, 301_000, 310_000, 5][sequence % 10]!;
}

/** A frame that tells its sequence with each of its bytes. */
function frameOf(sequence: number): Buffer {
  return Buffer.alloc(lengthOf(sequence), sequence);
}

function isWhole({ sequence, message }: MeshEvent): boolean {
  return frameOf(sequence).equals(message as Uint8Array);
}

async function camera(): Promise<{ service: EventService; client: EventClient }> {
  const service = await serve({ published: [published('/frame', { type: bytes })] });
  return { service, client: clientOf(service) };
}

/** Publishes frames 0, 1 and so on, once `count` subscriptions are there. */
async function publish(service: EventService, count: number): Promise<void> {
  await expect.poll(() => service.subscriberCount).toBe(count);
  for (let sequence = 0; sequence < frames; sequence++) await service.publish('/frame', frameOf(sequence));
}

test('lent events are whole while they are lent, and their memory serves those that follow', async () => {
  const { service, client } = await camera();
  const memories = new Set<ArrayBufferLike>();
  const seen: number[] = [];
  const done = client.events(request).forEachBatch((batch) => {
    for (const event of batch) {
      expect(isWhole(event)).toBe(true);
      seen.push(event.sequence);
      if (event.payload.length > 300_000) memories.add(event.payload.buffer);
    }
    if (seen.length === frames) client.close();
  });
  await publish(service, 1);
  await done;
  expect(seen).toEqual(Array.from({ length: frames }, (_, index) => index));
  // 18 such frames were received.
  expect(memories.size).toBeLessThanOrEqual(4);
});

test('a program that takes its time, or pulls with `for await`, keeps what it is at', async () => {
  const { service, client } = await camera();
  let turns = 0;
  const slow = client.events(request).forEachBatch(async (batch) => {
    await new Promise((resolve) => setImmediate(resolve));
    turns += batch.filter(isWhole).length;
    if (turns === frames) client.close();
  });
  const other = clientOf(service);
  const pulled = (async () => {
    let whole = 0;
    for await (const event of other.events(request)) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isWhole(event)) whole += 1;
      if (event.sequence === frames - 1) break;
    }
    return whole;
  })();
  await publish(service, 2);
  await slow;
  expect(turns).toBe(frames);
  expect(await pulled).toBe(frames);
});

test('a look at an event that was given back says so instead of showing another one', async () => {
  const { service, client } = await camera();
  const kept: MeshEvent[] = [];
  const subscription = client.subscribe(request).subscribe((event) => void kept.push(event));
  const last = new Promise<void>((resolve) => {
    client.subscribe(request).subscribe(({ sequence }) => sequence === frames - 1 && resolve());
  });
  await publish(service, 2);
  await last;
  await expect.poll(() => kept.length).toBe(frames);
  const lookAtAll = [
    () => kept[6]!.payload,
    () => kept[6]!.eventBytes,
    () => kept[6]!.message,
    () => kept[6]!.timestamps,
  ];
  for (const look of lookAtAll) {
    expect(look).toThrow(MeshError);
    expect(look).toThrow(/agent-1 was lent.*copy.*`lend`/);
  }
  subscription.unsubscribe();
});

test('a subscription beside it that may keep its events keeps them', async () => {
  const { service, client } = await camera();
  const kept: MeshEvent[] = [];
  const keeping = client.subscribe({ ...request, lend: false }).subscribe((event) => void kept.push(event));
  const borrowing = client.subscribe(request).subscribe((event) => void event.payload);
  await publish(service, 2);
  await expect.poll(() => kept.length).toBe(frames);
  expect(kept.every(isWhole)).toBe(true);
  keeping.unsubscribe();
  borrowing.unsubscribe();
});

test('with `latest` a frame that is overtaken is not mixed with the one that overtook it', async () => {
  const { service, client } = await camera();
  const seen: number[] = [];
  const done = (async () => {
    for await (const event of client.events({ path: '/frame', overflow: 'latest', lend: true })) {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(isWhole(event)).toBe(true);
      seen.push(event.sequence);
      if (event.sequence === frames - 1) return;
    }
  })();
  await publish(service, 1);
  await done;
  expect(seen).toEqual([...seen].sort((one, other) => one - other));
});
