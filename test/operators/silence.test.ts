import { Subject } from 'rxjs';
import { expect, test, vi } from 'vitest';
import type { MeshEvent } from '../../src/messages/mesh-event.js';
import { silence } from '../../src/operators/silence.js';
import { event, marbles } from './events.js';

const sample = { service: 'agent-1', path: '/sample' };

test('tells once that a path fell silent, and when it is back', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('a 39ms a 199ms a 9ms |', { a: event() });
    expectObservable(source.pipe(silence(100))).toBe('140ms s 99ms a 9ms |', {
      s: { type: 'silent', ...sample, forMs: 100 },
      a: { type: 'alive', ...sample, forMs: 200 },
    });
  }));

test('watches each service and path on its own', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('a 29ms b 19ms a 49ms a 49ms |', { a: event(), b: event({ path: '/twist' }) });
    expectObservable(source.pipe(silence(60))).toBe('90ms s 59ms |', {
      s: { type: 'silent', service: 'agent-1', path: '/twist', forMs: 60 },
    });
  }));

test('with expected paths tells of one that was never heard of', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('30ms a 29ms |', { a: event({ path: '/twist' }) });
    expectObservable(source.pipe(silence(50, { expected: [sample] }))).toBe('50ms s 9ms |', {
      s: { type: 'silent', ...sample, forMs: 50 },
    });
  }));

test('watches a bounded number of paths', () =>
  marbles(({ cold, expectObservable }) => {
    const events = { a: event({ path: '/a' }), b: event({ path: '/b' }), c: event({ path: '/c' }) };
    expectObservable(cold('abc 57ms |', events).pipe(silence(50, { maxPaths: 2 }))).toBe('51ms bc 7ms |', {
      b: { type: 'silent', service: 'agent-1', path: '/b', forMs: 50 },
      c: { type: 'silent', service: 'agent-1', path: '/c', forMs: 50 },
    });
  }));

test('ends, fails and unsubscribes with its source, and tells nothing after', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(silence(10))).toBe('--|');
    expectObservable(cold('a-|', { a: event() }).pipe(silence(10))).toBe('--|');
    expectObservable(cold('a-#', { a: event() }).pipe(silence(10))).toBe('--#');
    const source = cold('a---', { a: event() });
    expectObservable(source.pipe(silence(10)), '--!').toBe('');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));

test('leaves no timer behind', () => {
  vi.useFakeTimers();
  try {
    const source = new Subject<MeshEvent>();
    const subscription = source.pipe(silence(1e6)).subscribe();
    source.next(event());
    expect(vi.getTimerCount()).toBe(1);
    subscription.unsubscribe();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
