import { expect, test } from 'vitest';
import { MessageCache } from '../../src/messages/message-cache.js';

function counting() {
  const cache = new MessageCache();
  let decoded = 0;
  const read = (sequence: number, payload: string, type = 'x.Sample') =>
    cache.read(type, sequence, Buffer.from(payload), () => {
      decoded += 1;
      return { payload, nth: decoded };
    });
  return { cache, read, decoded: () => decoded };
}

test('what two subscriptions look at is decoded once', () => {
  const { cache, read, decoded } = counting();
  cache.join();
  cache.join();
  for (let sequence = 0; sequence < 1000; sequence++) {
    expect(read(sequence, `${sequence}`)).toBe(read(sequence, `${sequence}`));
  }
  expect(decoded()).toBe(1000);
});

test('another payload, type or sequence is another message, wherever it would be kept', () => {
  const { cache, read } = counting();
  cache.join();
  cache.join();
  expect(read(7, 'one')).toMatchObject({ payload: 'one' });
  expect(read(7, 'two')).toMatchObject({ payload: 'two' });
  expect(read(7 + 256, 'two')).toMatchObject({ nth: 3 });
  expect(read(7 + 256, 'two', 'x.Other')).toMatchObject({ nth: 4 });
  expect(read(-7, 'two')).toMatchObject({ nth: 5 });
});

test('one subscription alone keeps nothing, and what two kept is gone when one leaves', () => {
  const { cache, read } = counting();
  cache.join();
  expect(read(1, 'a')).not.toBe(read(1, 'a'));
  cache.join();
  const kept = read(1, 'a');
  cache.leave();
  cache.join();
  expect(read(1, 'a')).not.toBe(kept);
});
