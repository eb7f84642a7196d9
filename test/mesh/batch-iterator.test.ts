import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchIterator } from '../../src/mesh/batch-iterator.js';

type Take = (batch: readonly number[]) => Promise<void>;

/** An iterator over batches that a test gives one by one. */
function iterator() {
  let take!: Take;
  let finish!: () => void;
  let fail!: (error: Error) => void;
  let runs = 0;
  let stops = 0;
  const made = new BatchIterator<number>(
    (given) => {
      runs += 1;
      take = given;
      return new Promise((resolve, reject) => {
        finish = resolve;
        fail = reject;
      });
    },
    () => {
      stops += 1;
    },
  );
  return {
    made,
    give: (...batch: number[]) => take(batch),
    finish: () => finish(),
    fail: (error: Error) => fail(error),
    counts: () => ({ runs, stops }),
  };
}

const done = { done: true, value: undefined };
const step = (value: number) => ({ done: false, value });
/** Lets everything run that needs no input or output. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('whatever the batches and however many pulls at once: each comes once, in order, and none is taken too early', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 }),
      fc.option(fc.constant(new Error('the end')), { nil: undefined }),
      async (sizes, pulls, error) => {
        const total = sizes.reduce((sum, size) => sum + size, 0);
        let given = 0;
        let pulled = 0;
        const made = new BatchIterator<number>(
          async (take) => {
            for (const size of sizes) {
              // Some have it at once, others later.
              if (size % 2 === 0) await settle();
              expect(pulled).toBeGreaterThanOrEqual(given);
              const batch = Array.from({ length: size }, (_, index) => given + index);
              given += size;
              await take(batch);
            }
            if (error !== undefined) throw error;
          },
          () => undefined,
        );
        const got: number[] = [];
        const ends: unknown[] = [];
        for (let turn = 0; ends.length < 3; turn++) {
          const count = pulls[turn % pulls.length]!;
          const steps = Array.from({ length: count }, () => {
            pulled += 1;
            return made.next().catch((told: unknown) => told);
          });
          for (const one of await Promise.all(steps)) {
            if ((one as IteratorResult<number>).done === false) got.push((one as IteratorResult<number>).value);
            else ends.push(one);
          }
        }
        expect(got).toEqual(Array.from({ length: total }, (_, index) => index));
        // An error is told once.
        expect(ends.slice(0, 3)).toEqual(error === undefined ? [done, done, done] : [error, done, done]);
      },
    ),
    { numRuns: 60 },
  );
});

test('a loop that is left stops what runs, and goes on when that has ended', async () => {
  const { made, give, finish, counts } = iterator();
  const seen: number[] = [];
  let isOver = false;
  const loop = (async () => {
    for await (const value of made) {
      seen.push(value);
      if (value === 2) break;
    }
    isOver = true;
  })();
  await settle();
  await Promise.race([give(1, 2, 3), settle()]);
  await settle();
  expect(counts()).toEqual({ runs: 1, stops: 1 });
  expect(isOver).toBe(false);
  finish();
  await loop;
  expect(seen).toEqual([1, 2]);
  expect(await made.next()).toEqual(done);
});

test('return ends pulls that wait, and whatever is given afterwards is for nobody', async () => {
  const { made, give, finish, counts } = iterator();
  const waiting = [made.next(), made.next()];
  const returned = made.return();
  const late = made.next();
  // A run that has not noticed yet must not wait for ever.
  await give(1, 2, 3);
  finish();
  expect(await Promise.all([...waiting, returned, late, made.next()])).toEqual([done, done, done, done, done]);
  expect(await made.return()).toEqual(done);
  expect(counts().runs).toBe(1);
});

test('one that was returned before it began never begins', async () => {
  const { made, counts } = iterator();
  expect(await Promise.all([made.return(), made.next(), made.next()])).toEqual([done, done, done]);
  expect(counts()).toEqual({ runs: 0, stops: 1 });
});

test('an error that nobody has pulled is not told after a return', async () => {
  const { made, give, fail } = iterator();
  const first = made.next();
  void give(1, 2);
  expect(await first).toEqual(step(1));
  fail(new Error('lost'));
  await settle();
  // What came before it comes before it.
  expect(await made.next()).toEqual(step(2));
  expect(await made.return()).toEqual(done);
  expect(await made.next()).toEqual(done);
});

test('an error ends one of the pulls that wait, the first', async () => {
  const { made, fail } = iterator();
  const [first, second] = [made.next(), made.next()];
  fail(new Error('lost'));
  await expect(first).rejects.toThrow('lost');
  expect(await second).toEqual(done);
  expect(await made.next()).toEqual(done);
});
