import fc from 'fast-check';
import { from, lastValueFrom, NEVER, Subject, throwError, toArray } from 'rxjs';
import { expect, test } from 'vitest';
import { latestMap } from '../../src/operators/latest-map.js';
import { marbles } from './events.js';

test('works on one value at a time and keeps only the newest waiting', () => {
  const skips: string[] = [];
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd------e|');
    const onSkipped = (value: string, skipped: number) => skips.push(`${value}${skipped}`);
    const result = source.pipe(latestMap((value) => cold('----(x|)', { x: value.toUpperCase() }), { onSkipped }));
    expectObservable(result).toBe('----A---D-----(E|)', { A: 'A', D: 'D', E: 'E' });
  });
  expect(skips).toEqual(['b1', 'c2']);
});

test('does what waits before it ends, and ends at once when nothing is to do', () =>
  marbles(({ cold, expectObservable }) => {
    const work = (value: string) => cold('---(x|)', { x: value });
    expectObservable(cold('ab|').pipe(latestMap(work))).toBe('---a--(b|)');
    expectObservable(cold<string>('--|').pipe(latestMap(work))).toBe('--|');
  }));

test('an error of the source drops the work under way', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    const work = cold('-----(x|)');
    expectObservable(cold('a-#').pipe(latestMap(() => work))).toBe('--#');
    expectSubscriptions(work.subscriptions).toBe('^-!');
  }));

test('an error of the work unsubscribes from the source', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    const source = cold('ab----');
    expectObservable(source.pipe(latestMap(() => cold('--#')))).toBe('--#');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));

test('unsubscribing aborts the work and leaves the source', () => {
  const signals: AbortSignal[] = [];
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    const source = cold('ab----');
    const work = (_value: string, signal: AbortSignal) => {
      signals.push(signal);
      return NEVER;
    };
    expectObservable(source.pipe(latestMap(work)), '---!').toBe('----');
    expectSubscriptions(source.subscriptions).toBe('^--!');
  });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test('the signal of work that is done stays quiet', () => {
  const signals: AbortSignal[] = [];
  const source = new Subject<number>();
  const subscription = source
    .pipe(
      latestMap((value, signal) => {
        signals.push(signal);
        return [value];
      }),
    )
    .subscribe();
  source.next(1);
  subscription.unsubscribe();
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});

test('work that throws instead of giving a promise is an error of the stream', async () => {
  const failing = from([1]).pipe(
    latestMap((): number[] => {
      throw new Error('no');
    }),
  );
  await expect(lastValueFrom(failing)).rejects.toThrow('no');
  await expect(lastValueFrom(from([1]).pipe(latestMap(() => throwError(() => new Error('later')))))).rejects.toThrow(
    'later',
  );
});

test('promises: the last value is always done, each in order, never two at once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), async (pauses) => {
      const source = new Subject<number>();
      let underWay = 0;
      let skips = 0;
      const work = async (value: number) => {
        underWay += 1;
        expect(underWay).toBe(1);
        await Promise.resolve();
        underWay -= 1;
        return value;
      };
      const done = lastValueFrom(source.pipe(latestMap(work, { onSkipped: () => skips++ }), toArray()));
      for (const [index, pause] of pauses.entries()) {
        source.next(index);
        if (pause) await Promise.resolve();
      }
      source.complete();
      const values = await done;
      expect(values.at(-1)).toBe(pauses.length - 1);
      expect(values).toEqual([...values].sort((a, b) => a - b));
      expect(values.length + skips).toBe(pauses.length);
    }),
    { numRuns: 50 },
  );
});
