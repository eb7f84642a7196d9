import { asyncScheduler } from 'rxjs';
import { test } from 'vitest';
import { rate } from '../../src/operators/rate.js';
import { event, marbles } from './events.js';

const sentAt = (stamp: number, clockName = 'host/monotonic') =>
  event({ timestamps: [{ stamp, clockName, semantics: 'service/send' }] });

/** The virtual time of a marble test, in seconds. */
const clock = { monotonic: () => asyncScheduler.now() / 1000 };

test('is computed from stamps, however the events arrive', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('(abc)--d|', { a: sentAt(1), b: sentAt(1.5), c: sentAt(2), d: sentAt(2.5) });
    expectObservable(source.pipe(rate())).toBe('(bc)---d|', { b: 2, c: 2, d: 2 });
  }));

test('looks at the last events only', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd', { a: sentAt(1), b: sentAt(2), c: sentAt(2.5), d: sentAt(2.75) });
    expectObservable(source.pipe(rate({ window: 2 }))).toBe('-bcd', { b: 1, c: 2, d: 4 });
  }));

test('without stamps takes the time of arrival', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('a 499ms b 249ms c', { a: event(), b: event(), c: event() });
    expectObservable(source.pipe(rate({ window: 2, clock }))).toBe('500ms b 249ms c', { b: 2, c: 4 });
  }));

test('takes the time of arrival while the stamps in view are of several clocks', () =>
  marbles(({ cold, expectObservable }) => {
    const events = { a: sentAt(100), b: sentAt(7, 'other/monotonic'), c: sentAt(8, 'other/monotonic') };
    const source = cold('a 499ms b 249ms c', events);
    expectObservable(source.pipe(rate({ window: 2, clock }))).toBe('500ms b 249ms c', { b: 2, c: 1 });
  }));

test('begins anew when the clock goes back', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd', { a: sentAt(1000), b: sentAt(1001), c: sentAt(1), d: sentAt(1.5) });
    expectObservable(source.pipe(rate())).toBe('-b-d', { b: 1, d: 2 });
  }));

test('gives no value before time has passed', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('abc', { a: sentAt(1), b: sentAt(1), c: sentAt(2) });
    expectObservable(source.pipe(rate())).toBe('--c', { c: 2 });
  }));

test('ends, fails and unsubscribes with its source', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(rate())).toBe('--|');
    expectObservable(cold<never>('--#').pipe(rate())).toBe('--#');
    const source = cold('a--b', { a: sentAt(1), b: sentAt(2) });
    expectObservable(source.pipe(rate()), '--!').toBe('---');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));
