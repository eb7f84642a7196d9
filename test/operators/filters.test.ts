import { test } from 'vitest';
import { ofType } from '../../src/operators/of-type.js';
import { onPath } from '../../src/operators/on-path.js';
import { event, marbles } from './events.js';

const events = {
  a: event({ path: '/gps/pvt' }),
  b: event({ path: '/gps' }),
  c: event({ path: '/gpsx/pvt', type: 'google.protobuf.Empty' }),
};

test.each([
  ['/gps', '-b-|'],
  ['gps', '-b-|'],
  ['/gps/*', 'a--|'],
  ['gps/*', 'a--|'],
  ['*', 'abc|'],
  ['/*', 'abc|'],
  ['/none', '---|'],
])('onPath(%s)', (pattern, expected) =>
  marbles(({ cold, expectObservable }) => {
    expectObservable(cold('abc|', events).pipe(onPath(pattern))).toBe(expected, events);
  }),
);

test('ofType lets one message type through', () =>
  marbles(({ cold, expectObservable }) => {
    expectObservable(cold('abc|', events).pipe(ofType('google.protobuf.Empty'))).toBe('--c|', events);
  }));

test.each([
  ['onPath', onPath('/gps')],
  ['ofType', ofType('google.protobuf.Empty')],
])('%s ends, fails and unsubscribes with its source', (_name, operator) =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(operator)).toBe('--|');
    expectObservable(cold<never>('--#').pipe(operator)).toBe('--#');
    const source = cold('---b', events);
    expectObservable(source.pipe(operator), '--!').toBe('---');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }),
);
