import { once } from 'node:events';
import fc from 'fast-check';
import { MeshError } from 'furrow';
import { expect, test } from 'vitest';
import { encodeRequests, laneMessageBytes } from '../../src/wire/lane-messages.js';
import type { IncomingCall } from '../../src/wire/types.js';
import { until } from '../mesh/running.js';
import { plainLane, RawLane, serverWith, statusOf } from './lane-server.js';

const echo = (request: Buffer) => request;
const never = () => new Promise<Uint8Array>(() => undefined);
const text = (value: string) => Buffer.from(value);
const ask = (id: number, request: string, timeoutMs = 0) => ({ id, request: text(request), timeoutMs });
const takeBack = (id: number) => ({ id, request: undefined, timeoutMs: 0 });

test('a program that knows only the proto file asks, and ends its half', async () => {
  const server = await serverWith(async (request) => text(`${request}!`));
  const call = plainLane(server.port);
  const replies: object[] = [];
  call.on('data', (message) => replies.push(...message.replies));
  const [metadata] = await Promise.all([
    once(call, 'metadata').then(([first]) => first.getMap()),
    call.write({ requests: [{ id: 7, request: text('one') }] }),
  ]);
  expect(metadata).toMatchObject({ 'furrow-version': '1.2.3', 'furrow-lane-bytes': '65536' });
  call.write({ requests: [{ id: 2 ** 50, request: text('two'), timeout_ms: 10_000 }, { id: 0 }] });
  call.end();
  expect(await statusOf(call)).toMatchObject({ code: 0 });
  const answered = { code: 0, message: '', more: false };
  expect(replies).toEqual([
    { id: 7, reply: text('one!'), ...answered },
    { id: 2 ** 50, reply: text('two!'), ...answered },
    { id: 0, reply: text('!'), ...answered },
  ]);
});

test('what is answered in one tick is one message', async () => {
  const server = await serverWith(async (request) => request);
  const call = plainLane(server.port);
  const messages: number[] = [];
  call.on('data', ({ replies }) => messages.push(replies.length));
  call.write({ requests: Array.from({ length: 20 }, (_, id) => ({ id })) });
  call.end();
  await statusOf(call);
  expect(messages).toEqual([20]);
});

test('failures have their code and message, cut like those of a call', async () => {
  const server = await serverWith((request) => {
    if (String(request) === 'thrown') throw new MeshError('aborted', 'the bucket is full');
    return Promise.reject(new Error('é'.repeat(5000)));
  });
  const lane = new RawLane(server.port).read();
  lane.ask(ask(1, 'thrown'), ask(2, 'rejected'));
  await until(() => lane.replies.length === 2);
  expect(lane.replies[0]).toMatchObject({ id: 1, code: 10, message: 'the bucket is full' });
  expect(lane.replies[1]).toMatchObject({ id: 2, code: 2 });
  expect(lane.replies[1]!.message.length).toBeLessThan(1100);
});

test('a deadline aborts the signal and answers; what the handler says later is dropped', async () => {
  const calls: IncomingCall[] = [];
  const answers: ((reply: Uint8Array) => void)[] = [];
  const server = await serverWith((_request, call) => {
    calls.push(call);
    return new Promise((resolve) => answers.push(resolve));
  });
  const lane = new RawLane(server.port).read();
  lane.ask(ask(1, '', 60_000), ask(2, '', 20));
  await until(() => calls.length === 2);
  const { signal } = calls[1]!;
  await until(() => lane.replies.length === 1);
  expect(lane.replies[0]).toMatchObject({ id: 2, code: 4 });
  expect(signal.aborted).toBe(true);
  expect(calls[0]!.signal.aborted).toBe(false);
  // Late, and under an id that another request has by now.
  lane.ask(ask(2, ''));
  await until(() => calls.length === 3);
  answers[1]!(text('late'));
  answers[2]!(text('new'));
  answers[0]!(text('old'));
  await until(() => lane.replies.length === 3);
  expect(lane.replies.slice(1).map(({ id, reply }) => `${id} ${reply}`)).toEqual(['2 new', '1 old']);
});

test('taking a request back aborts its signal only, and nothing answers it', async () => {
  const calls: IncomingCall[] = [];
  const answers: ((reply: Uint8Array) => void)[] = [];
  const server = await serverWith((_request, call) => {
    calls.push(call);
    return new Promise((resolve) => answers.push(resolve));
  });
  const lane = new RawLane(server.port).read();
  lane.ask(ask(1, ''), ask(2, ''));
  await until(() => calls.length === 2);
  lane.ask(takeBack(1), takeBack(1), takeBack(99));
  await until(() => calls[0]!.signal.aborted);
  expect(calls[1]!.signal.aborted).toBe(false);
  answers[0]!(text('nobody waits'));
  answers[1]!(text('here'));
  await until(() => lane.replies.length === 1);
  expect(lane.replies.map(({ id }) => id)).toEqual([2]);
});

test('a caller that goes away aborts all its requests', async () => {
  const signals: AbortSignal[] = [];
  const server = await serverWith((_request, { signal }) => {
    signals.push(signal);
    return never();
  });
  const lane = new RawLane(server.port).read();
  lane.ask(...Array.from({ length: 5 }, (_, id) => ask(id, '')));
  await until(() => signals.length === 5);
  lane.call.session!.destroy();
  await until(() => signals.every(({ aborted }) => aborted));
  // Who looks at the signal only now sees it, too.
  expect(signals).toHaveLength(5);
});

test('a long reply comes in pieces, and short ones pass between', async () => {
  const long = Buffer.alloc(1_000_000, 'x');
  const server = await serverWith((request) => (String(request) === 'long' ? long : request));
  const lane = new RawLane(server.port);
  lane.ask(ask(1, 'long'), ask(2, 'long'));
  await once(lane.call, 'response');
  lane.ask(ask(3, 'short'));
  lane.read();
  await until(() => lane.replies.filter(({ more }) => !more).length === 3);
  for (const id of [1, 2]) {
    const pieces = lane.replies.filter((reply) => reply.id === id);
    expect(Buffer.concat(pieces.map(({ reply }) => reply)).equals(long)).toBe(true);
    expect(pieces.map(({ more }) => more)).toEqual([...Array(pieces.length - 1).fill(true), false]);
  }
  expect(lane.replies.findIndex(({ id }) => id === 3)).toBeLessThan(lane.replies.length - 5);
});

test('a caller that reads no replies is not served without end, and misses nothing when it reads', async () => {
  let handled = 0;
  const server = await serverWith(() => {
    handled += 1;
    return Buffer.alloc(10_000);
  });
  const lane = new RawLane(server.port);
  const requests = 3000;
  for (let id = 0; id < requests; id += 100) {
    lane.ask(...Array.from({ length: 100 }, (_, index) => ask(id + index, '')));
  }
  // Full for good: it has room again only when its caller reads.
  const full = () => [...(Reflect.get(server, 'lanes') as Set<object>)].some((one) => Reflect.get(one, 'full'));
  await until(full);
  expect(handled).toBeLessThan(1000);
  lane.read();
  await until(() => lane.replies.length === requests);
  expect(new Set(lane.replies.map(({ id }) => id)).size).toBe(requests);
});

test('a message over the limit ends its lane; the limit is told', async () => {
  const server = await serverWith(echo, { maxMessageBytes: 1000 });
  const lane = new RawLane(server.port).read();
  const [headers] = await once(lane.call, 'response');
  expect(headers['furrow-lane-bytes']).toBe('1000');
  lane.ask(ask(1, 'x'.repeat(2000)));
  expect(await lane.ended).toBe('8');
});

test('an id that is in use ends its lane, and no other', async () => {
  const server = await serverWith(never);
  const [lane, other] = [new RawLane(server.port).read(), new RawLane(server.port).read()];
  lane.ask(ask(1, ''), ask(1, ''));
  other.ask(ask(1, ''));
  expect(await lane.ended).toBe('3');
  expect(other.call.closed).toBe(false);
});

test('no bytes on a lane harm more than that lane', async () => {
  const server = await serverWith(echo);
  const good = new RawLane(server.port).read();
  let asked = 0;
  const requests = fc.array(fc.record({ id: fc.nat(3), request: fc.constant(text('x')), timeoutMs: fc.nat(5) }));
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    // One that is right but for a byte.
    fc.tuple(requests, fc.nat(), fc.nat(255)).map(([items, at, byte]) => {
      const bytes = encodeRequests(items);
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return bytes;
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      fc.uint8Array({ maxLength: 8 }),
      async (messages, tail) => {
        const lane = new RawLane(server.port).read();
        for (const bytes of messages) lane.write(bytes);
        // Whatever follows is half a frame at most.
        lane.call.end(tail.length < 5 ? tail : tail.subarray(0, 4));
        expect(['0', '3', '8', '13', 'reset']).toContain(await lane.ended);
        lane.call.session?.destroy();
        good.ask(ask(++asked, 'still here'));
        await until(() => good.replies.length === asked);
      },
    ),
    { numRuns: 60 },
  );
  expect(good.replies.every(({ reply }) => String(reply) === 'still here')).toBe(true);
});

test('a drained server answers what is under way, refuses the rest and ends its lanes', async () => {
  let answer: (reply: Uint8Array) => void = () => undefined;
  const server = await serverWith((request) =>
    String(request) === 'slow'
      ? new Promise((resolve) => {
          answer = resolve;
        })
      : request,
  );
  const [lane, idle] = [new RawLane(server.port).read(), new RawLane(server.port).read()];
  lane.ask(ask(1, 'slow'));
  idle.ask(ask(1, 'quick'));
  const before = answer;
  await until(() => answer !== before && idle.replies.length === 1);
  const drained = server.drain(10_000);
  expect(await idle.ended).toBe('0');
  lane.ask(ask(2, 'quick'));
  await until(() => lane.replies.length === 1);
  expect(lane.replies[0]).toMatchObject({ id: 2, code: 14, message: expect.stringContaining('shutting down') });
  answer(text('done'));
  expect(await lane.ended).toBe('0');
  expect(lane.replies[1]).toMatchObject({ id: 1, code: 0, reply: text('done') });
  await drained;
});

test('a closed server tells its lanes', async () => {
  let signal: AbortSignal | undefined;
  const server = await serverWith((_request, call) => {
    signal = call.signal;
    return never();
  });
  const lane = new RawLane(server.port).read();
  lane.ask(ask(1, ''));
  await until(() => signal !== undefined);
  server.close();
  expect(await lane.ended).toBe('14');
  expect(signal!.aborted).toBe(true);
});

test('no message of a lane is much longer than it should be', async () => {
  const server = await serverWith(async () => Buffer.alloc(40_000));
  const call = plainLane(server.port);
  const sizes: number[] = [];
  call.on('data', ({ replies }) =>
    sizes.push(replies.reduce((sum: number, { reply }: { reply: Buffer }) => sum + reply.length, 0)),
  );
  call.write({ requests: Array.from({ length: 50 }, (_, id) => ({ id })) });
  call.end();
  await statusOf(call);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_000_000);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * laneMessageBytes);
});
