import { of } from 'rxjs';
import { expect, test } from 'vitest';
import { latency } from '../../src/operators/latency.js';
import { event, marbles } from './events.js';

const stamped = (sentAt: number, receivedAt: number, receiver = 'host/monotonic') =>
  event({
    timestamps: [
      { stamp: 1e9, clockName: 'host/system_clock/UTC', semantics: 'service/send' },
      { stamp: sentAt, clockName: 'host/monotonic', semantics: 'service/send' },
      { stamp: receivedAt, clockName: receiver, semantics: 'client/receive' },
    ],
  });

test('gives the seconds between two stamps of one clock', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('ab|', { a: stamped(10, 10.5), b: stamped(11, 11.25) });
    expectObservable(source.pipe(latency())).toBe('ab|', { a: 0.5, b: 0.25 });
  }));

test('never subtracts stamps of two clocks, and counts the events it passed over', () => {
  const skips: number[] = [];
  marbles(({ cold, expectObservable }) => {
    const source = cold('abc', { a: stamped(10, 10.5, 'other/monotonic'), b: event(), c: stamped(11, 11.5) });
    const onSkipped = (_event: unknown, skipped: number) => skips.push(skipped);
    expectObservable(source.pipe(latency({ onSkipped }))).toBe('--c', { c: 0.5 });
  });
  expect(skips).toEqual([1, 2]);
});

test('takes other semantics', () => {
  const sampled = event({
    timestamps: [
      { stamp: 2, clockName: 'host/monotonic', semantics: 'device/sample' },
      { stamp: 5, clockName: 'host/monotonic', semantics: 'service/send' },
    ],
  });
  const values: number[] = [];
  of(sampled)
    .pipe(latency({ from: 'device/sample', to: 'service/send' }))
    .subscribe((value) => values.push(value));
  expect(values).toEqual([3]);
});

test('ends, fails and unsubscribes with its source', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(latency())).toBe('--|');
    expectObservable(cold<never>('--#').pipe(latency())).toBe('--#');
    const source = cold('---a', { a: stamped(1, 2) });
    expectObservable(source.pipe(latency()), '--!').toBe('---');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));

test('what a callback throws is an error of the stream', () => {
  const errors: unknown[] = [];
  const onSkipped = () => {
    throw new Error('no');
  };
  of(event())
    .pipe(latency({ onSkipped }))
    .subscribe({ error: (error) => errors.push(error.message) });
  expect(errors).toEqual(['no']);
});
