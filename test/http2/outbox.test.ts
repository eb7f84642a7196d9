import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { errorCodes } from '../../src/http2/frames.js';
import { ask, open } from './opened.js';
import { goawayFrame, headersFrame, rawFrame, rawServer, settingsFrameOf, windowFrame } from './raw-peer.js';

const ok = (stream: number, flags = 1) => headersFrame(stream, flags, [':status', '200']);

/** A server of Node's that sends back what it gets. nghttp2 ends a connection that breaks its rules. */
async function echo(settings: Record<string, number>): Promise<{ port: number; most(): number }> {
  const server = createServer({ settings });
  let now = 0;
  let most = 0;
  server.on('stream', (stream: ServerHttp2Stream) => {
    now += 1;
    most = Math.max(most, now);
    stream.once('close', () => {
      now -= 1;
    });
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, most: () => most };
}

test.each([
  { initialWindowSize: 1, maxFrameSize: 16_384, bytes: 1000 },
  { initialWindowSize: 7, maxFrameSize: 16_384, bytes: 7000 },
  { initialWindowSize: 100, maxFrameSize: 20_000, bytes: 60_000 },
  { initialWindowSize: 65_535, maxFrameSize: 16_384, bytes: 400_000 },
  { initialWindowSize: 1_000_000, maxFrameSize: 2 ** 24 - 1, bytes: 900_000 },
])('bodies come back whole over %j', async ({ bytes, ...settings }) => {
  const server = await echo(settings);
  // This end gives little at a time, too.
  const { connection, closed } = await open(server.port, {
    streamWindowBytes: Math.max(64, settings.initialWindowSize),
    connectionWindowBytes: 65_535,
  });
  const bodies = [0, 1, Math.floor(bytes / 3), bytes].map((size) => randomBytes(size));
  const calls = bodies.map((body) => ask(connection, { body }));
  for (const [index, { heard }] of calls.entries()) {
    expect(await heard.closing).toBe(errorCodes.noError);
    expect(heard.body.equals(bodies[index]!)).toBe(true);
  }
  connection.leave();
  expect(await closed).toBeUndefined();
});

test('hundreds of streams over a server that takes two at once', async () => {
  const server = await echo({ maxConcurrentStreams: 2, initialWindowSize: 50 });
  const { connection } = await open(server.port);
  // Until it has said so, it is asked more.
  await ask(connection).heard.closing;
  const calls = Array.from({ length: 300 }, (_, index) => ask(connection, { body: Buffer.alloc(index, index) }));
  for (const index of [3, 50, 299]) calls[index]!.stream.close(errorCodes.cancel);
  for (const [index, { heard }] of calls.entries()) {
    const isCancelled = [3, 50, 299].includes(index);
    expect(await heard.closing).toBe(isCancelled ? errorCodes.cancel : errorCodes.noError);
    if (!isCancelled) expect(heard.body.equals(Buffer.alloc(index, index))).toBe(true);
  }
  expect(server.most()).toBe(2);
});

/** What a server allows, in the order in which it says so. */
const permission = fc.oneof(
  fc.record({ what: fc.constant('connection' as const), bytes: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ what: fc.constantFrom(1, 3, 5), bytes: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ what: fc.constant('window' as const), bytes: fc.constantFrom(0, 1, 100, 20_000, 65_535, 90_000) }),
  fc.record({ what: fc.constant('frame' as const), bytes: fc.constantFrom(16_384, 17_000, 30_000) }),
);

test('nothing leaves that is not allowed, and all that is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 90_000 }), { minLength: 3, maxLength: 3 }),
      fc.array(fc.oneof(permission, fc.constant('settle' as const)), { maxLength: 25 }),
      async (sizes, permissions) => {
        const server = await rawServer();
        const { connection } = await open(server.port);
        const peer = await server.accept();
        const bodies = sizes.map((size) => randomBytes(size));
        const calls = bodies.map((body) => ask(connection, { body }));
        const got = new Map([1, 3, 5].map((id) => [id, { window: 65_535, pieces: [] as Buffer[], ends: 0 }]));
        let connectionWindow = 65_535;
        let initialWindow = 65_535;
        let maxFrame = 16_384;
        // Settings count from the moment at which the client says that it has them; those of the greeting are empty.
        const settings: (() => void)[] = [() => undefined];
        let answered = 0;
        const heed = () => {
          for (const frame of peer.pending.slice()) {
            (peer.pending as unknown as object[]).shift();
            if (frame.type === 4 && frame.flags === 1) settings.shift()!();
            else if (frame.type === 6) answered += 1;
            else if (frame.type === 0) {
              const stream = got.get(frame.stream)!;
              const { length } = frame.payload;
              expect(length).toBeLessThanOrEqual(maxFrame);
              stream.window -= length;
              connectionWindow -= length;
              if (length > 0) expect(Math.min(stream.window, connectionWindow)).toBeGreaterThanOrEqual(0);
              expect(stream.ends).toBe(0);
              stream.pieces.push(frame.payload);
              stream.ends += frame.flags & 1;
            }
          }
        };
        let asked = 0;
        const settle = async () => {
          // The first answer leaves ahead of the data that goes with it.
          for (let turn = 0; turn < 2; turn++) {
            asked += 1;
            peer.send(rawFrame(6, 0, 0, Buffer.alloc(8)));
            while (answered < asked) {
              await setImmediate();
              heed();
            }
          }
        };
        const allow = (what: number, bytes: number) => {
          if (what === 0) connectionWindow += bytes;
          else got.get(what)!.window += bytes;
          peer.send(windowFrame(what, bytes));
        };
        for (const one of permissions) {
          if (one === 'settle') await settle();
          else if (one.what === 'connection') allow(0, one.bytes);
          else if (one.what === 'window') {
            peer.send(settingsFrameOf([4, one.bytes]));
            settings.push(() => {
              for (const stream of got.values()) stream.window += one.bytes - initialWindow;
              initialWindow = one.bytes;
            });
          } else if (one.what === 'frame') {
            peer.send(settingsFrameOf([5, one.bytes]));
            settings.push(() => {
              maxFrame = one.bytes;
            });
          } else allow(one.what, one.bytes);
        }
        await settle();
        // What may go has gone: a stream that is not done lacks a window.
        for (const [index, stream] of [...got.values()].entries()) {
          const left = sizes[index]! - Buffer.concat(stream.pieces).length;
          if (left > 0) expect(Math.min(stream.window, connectionWindow)).toBeLessThanOrEqual(0);
          else expect(stream.ends).toBe(1);
        }
        allow(0, 300_000);
        for (const id of got.keys()) allow(id, 200_000);
        await settle();
        for (const [index, stream] of [...got.values()].entries()) {
          expect(Buffer.concat(stream.pieces).equals(bodies[index]!)).toBe(true);
          expect(stream.ends).toBe(1);
        }
        peer.send(ok(1), ok(3), ok(5), goawayFrame(5, 0));
        for (const { heard } of calls) expect(await heard.closing).toBe(errorCodes.noError);
        await peer.gone;
      },
    ),
    { numRuns: 40 },
  );
});

test('an end needs no window', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port);
  const peer = await server.accept();
  const first = ask(connection, { body: Buffer.alloc(65_535), keepOpen: true });
  for (let bytes = 0; bytes < 65_535; ) bytes += (await peer.next(0)).payload.length;
  // The one that is blocked is ahead of those that are not.
  ask(connection, { body: Buffer.from('blocked') });
  ask(connection);
  ask(connection, { body: Buffer.alloc(0) });
  first.stream.end(Buffer.alloc(0));
  for (const stream of [5, 7, 1]) {
    expect(await peer.next(0)).toMatchObject({ stream, flags: 1, payload: Buffer.alloc(0) });
  }
  peer.send(windowFrame(0, 100));
  expect(await peer.next(0)).toMatchObject({ stream: 3, flags: 1, payload: Buffer.from('blocked') });
});

test('streams that send take turns', async () => {
  const server = await rawServer({
    greeting: Buffer.concat([settingsFrameOf([4, 1_000_000]), windowFrame(0, 1_000_000)]),
  });
  const { connection } = await open(server.port);
  const peer = await server.accept();
  for (let call = 0; call < 4; call++) ask(connection, { body: Buffer.alloc(5 * 16_384, call) });
  const order: number[] = [];
  while (order.length < 20) order.push((await peer.next(0)).stream);
  expect(order).toEqual(Array.from({ length: 20 }, (_, turn) => 1 + 2 * (turn % 4)));
});

test('a server that reads slowly slows its writers down, and what it asks in the meantime harms nobody', async () => {
  const greeting = Buffer.concat([
    settingsFrameOf([4, 2 ** 31 - 1], [5, 2 ** 24 - 1]),
    windowFrame(0, 2 ** 31 - 1 - 65_535),
  ]);
  const server = await rawServer({ greeting });
  const { connection } = await open(server.port);
  const peer = await server.accept();
  peer.send(rawFrame(6, 0, 0, Buffer.alloc(8)));
  await peer.next(6);
  peer.socket.pause();
  let drains = 0;
  const on = (line: string) => {
    if (line === 'drained') drains += 1;
  };
  const { stream, heard } = ask(connection, { keepOpen: true, on });
  expect(stream.write(Buffer.alloc(64 * 1024))).toBe(true);
  expect(stream.write(Buffer.alloc(1))).toBe(false);
  expect(stream.write(Buffer.alloc(40 * 1024 * 1024))).toBe(false);
  const bytes = 64 * 1024 + 1 + 40 * 1024 * 1024;
  const { heard: other } = ask(connection);
  for (let turn = 0; turn < 20; turn++) {
    peer.send(rawFrame(6, 0, 0, Buffer.alloc(8)));
    await setImmediate();
  }
  expect(drains).toBe(0);
  expect(connection.closed).toBe(false);
  // biome-ignore lint/complexity/useLiteralKeys: the way to a private field.
  expect(connection['transport'].unsentBytes).toBeLessThan(4 * 1024 * 1024);
  peer.socket.resume();
  for (let got = 0; got < bytes; ) {
    const frame = await peer.next(0);
    if (frame.stream === 1) got += frame.payload.length;
  }
  peer.send(ok(3));
  await other.closing;
  expect(drains).toBe(1);
  stream.end();
  peer.send(ok(1));
  expect(await heard.closing).toBe(errorCodes.noError);
});
