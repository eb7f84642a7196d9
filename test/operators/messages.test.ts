import { of } from 'rxjs';
import { expect, test } from 'vitest';
import type { MeshError } from '../../src/base/errors.js';
import { messages } from '../../src/operators/messages.js';
import { event, marbles } from './events.js';

const garbage = event({ sequence: 7, payload: Buffer.from([0xff]) });
const short = event({ payloadLength: 3 });
const unknown = event({ type: 'no.Such' });

test('gives the decoded payloads', () =>
  marbles(({ cold, expectObservable }) => {
    const source = cold('ab|', { a: event({ sequence: 1 }), b: event({ sequence: 2 }) });
    expectObservable(source.pipe(messages<{ value: number }>())).toBe('ab|', { a: { value: 1 }, b: { value: 2 } });
  }));

test.each([
  ['a payload that is not of its type', garbage, 'data-loss', 'event 7 of agent-1/sample'],
  ['a payload shorter than it says', short, 'data-loss', '3 bytes'],
  ['an unknown type', unknown, 'not-found', '"no.Such"'],
])('%s is an error of the stream', (_what, broken, code, part) => {
  const errors: MeshError[] = [];
  of(event(), broken, event())
    .pipe(messages())
    .subscribe({ error: (error) => errors.push(error) });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ name: 'MeshError', code });
  expect(errors[0]!.message).toContain(part);
});

test('with onError undecodable events are told and passed over', () => {
  const told: string[] = [];
  marbles(({ cold, expectObservable }) => {
    const source = cold('abcd', { a: garbage, b: event({ sequence: 2 }), c: unknown, d: event({ sequence: 4 }) });
    const onError = (error: MeshError) => told.push(error.code);
    expectObservable(source.pipe(messages({ onError }))).toBe('-b-d', { b: { value: 2 }, d: { value: 4 } });
  });
  expect(told).toEqual(['data-loss', 'not-found']);
});

test('an empty payload of bytes is a message like any other', () => {
  const seen: unknown[] = [];
  of(event({ type: 'google.protobuf.BytesValue', payload: Buffer.alloc(0) }))
    .pipe(messages())
    .subscribe((value) => seen.push(value));
  expect(seen).toEqual([new Uint8Array(0)]);
});

test('ends, fails and unsubscribes with its source', () =>
  marbles(({ cold, expectObservable, expectSubscriptions }) => {
    expectObservable(cold<never>('--|').pipe(messages())).toBe('--|');
    expectObservable(cold<never>('--#').pipe(messages())).toBe('--#');
    const source = cold('---a', { a: event() });
    expectObservable(source.pipe(messages()), '--!').toBe('---');
    expectSubscriptions(source.subscriptions).toBe('^-!');
  }));
