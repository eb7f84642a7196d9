import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from '../../src/base/deadline.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('aborts after its time, with a TimeoutError', () => {
  using deadline = new Deadline(100);
  vi.advanceTimersByTime(99);
  expect(deadline.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
});

test('aborts with any of its parents, for the reason of the first', () => {
  const parents = [new AbortController(), new AbortController()] as const;
  using deadline = new Deadline(100, undefined, ...parents.map(({ signal }) => signal));
  const [early, late] = [new Error('early'), new Error('late')];
  parents[1].abort(early);
  parents[0].abort(late);
  vi.advanceTimersByTime(200);
  expect(deadline.signal.reason).toBe(early);
});

test('has aborted already when a parent has', () => {
  const open = new AbortController();
  using deadline = new Deadline(100, open.signal, AbortSignal.abort('over'));
  expect(deadline.signal.reason).toBe('over');
  expect(listenersOf(open.signal)).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('leaves nothing behind, neither when it is disposed of nor when it aborts', () => {
  const { signal } = new AbortController();
  const disposed = new Deadline(100, signal);
  const aborted = new Deadline(100, signal);
  expect(listenersOf(signal)).toBe(2);
  disposed[Symbol.dispose]();
  expect(listenersOf(signal)).toBe(1);
  vi.advanceTimersByTime(100);
  expect(listenersOf(signal)).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  expect([disposed.signal.aborted, aborted.signal.aborted]).toEqual([false, true]);
});

test.each([Number.POSITIVE_INFINITY, 2 ** 40])('waits for %d ms as long as a timer can', (timeoutMs) => {
  using deadline = new Deadline(timeoutMs);
  vi.advanceTimersByTime(86_400_000);
  expect(deadline.signal.aborted).toBe(false);
});

test('is over at once when its time is', () => {
  using deadline = new Deadline(-5);
  vi.advanceTimersByTime(0);
  expect(deadline.signal.aborted).toBe(true);
});
