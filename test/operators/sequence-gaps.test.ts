import fc from 'fast-check';
import { from } from 'rxjs';
import { expect, test } from 'vitest';
import { sequenceGaps } from '../../src/operators/sequence-gaps.js';
import { brokenEvent, event, marbles } from './events.js';

const at = (sequence: number, path = '/sample') => event({ sequence, path });

test('tells what is missing between two events of a path', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd|', { a: at(7), b: at(8), c: at(12), d: at(13) });
    const gap = { service: 'agent-1', path: '/sample', from: 9, to: 11, count: 3 };
    expectObservable(source.pipe(sequenceGaps())).toBe('--g-|', { g: gap });
  }));

test('counts each service and path on its own', () =>
  marbles(({ cold, expectObservable }) => {
    const events = {
      a: at(0),
      b: at(0, '/other'),
      c: at(2),
      d: event({ service: 'agent-2', sequence: 5 }),
      e: at(1, '/other'),
    };
    const gap = { service: 'agent-1', path: '/sample', from: 1, to: 1, count: 1 };
    expectObservable(cold('abcde', events).pipe(sequenceGaps())).toBe('--g--', { g: gap });
  }));

test('with everyN awaits only its multiples', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abc', { a: at(10), b: at(15), c: at(30) });
    const gap = { service: 'agent-1', path: '/sample', from: 20, to: 25, count: 2 };
    expectObservable(source.pipe(sequenceGaps({ everyN: 5 }))).toBe('--g', { g: gap });
  }));

test('takes a sequence that goes back for a restart, and a repeated one for nothing', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcde', { a: at(100), b: at(100), c: at(0), d: at(1), e: at(3) });
    const gap = { service: 'agent-1', path: '/sample', from: 2, to: 2, count: 1 };
    expectObservable(source.pipe(sequenceGaps())).toBe('----g', { g: gap });
  }));

test('remembers a bounded number of paths', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd', { a: at(0, '/a'), b: at(0, '/b'), c: at(0, '/c'), d: at(9, '/a') });
    expectObservable(source.pipe(sequenceGaps({ maxPaths: 2 }))).toBe('----');
  }));

test('ends, fails and unsubscribes with its source', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(sequenceGaps())).toBe('--|');
    expectObservable(cold<never>('--#').pipe(sequenceGaps())).toBe('--#');
    const source = cold('a--b--', { a: at(0), b: at(5) });
    expectObservable(source.pipe(sequenceGaps()), '--!').toBe('---');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));

test('an event that does not decode is an error of the stream', () => {
  const errors: unknown[] = [];
  from([brokenEvent()])
    .pipe(sequenceGaps())
    .subscribe({ error: (error) => errors.push(error) });
  expect(errors).toMatchObject([{ name: 'MeshError', code: 'data-loss' }]);
});

test('events delivered and missing add up to those published', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4 }), fc.uniqueArray(fc.nat(300), { minLength: 1 }), (everyN, indexes) => {
      const step = Math.max(1, everyN);
      const sequences = indexes.sort((a, b) => a - b).map((index) => index * step);
      let missing = 0;
      from(sequences.map((sequence) => at(sequence)))
        .pipe(sequenceGaps({ everyN }))
        .subscribe(({ from, to, count }) => {
          missing += count;
          expect((to - from) / step + 1).toBe(count);
        });
      expect(missing + sequences.length).toBe((sequences.at(-1)! - sequences[0]!) / step + 1);
    }),
  );
});
