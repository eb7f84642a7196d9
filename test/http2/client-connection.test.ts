import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ClientConnection } from '../../src/http2/client-connection.js';
import { errorCodes as code } from '../../src/http2/frames.js';
import { Transport } from '../../src/http2/transport.js';
import { ask, open, type Recorder } from './opened.js';
import {
  dataFrame,
  goawayFrame,
  headersFrame,
  numbers,
  plainBlock,
  type RawPeer,
  rawFrame,
  rawServer,
  rstFrame,
  settingsFrameOf,
  windowFrame,
} from './raw-peer.js';

const ok = (stream: number, flags = 0) => headersFrame(stream, flags, [':status', '200']);
const part = (stream: number, ...fields: [string, string][]) => rawFrame(1, 0, stream, plainBlock(...fields));
const continuation = (stream: number, payload: Uint8Array = Buffer.alloc(0), flags = 0) =>
  rawFrame(9, flags, stream, payload);
const many = (frame: Buffer, count: number) => Buffer.concat(new Array(count).fill(frame));

/** The code of the GOAWAY that the client sends next. */
const goawayCode = async (peer: RawPeer) => (await peer.next(7)).payload.readUInt32BE(4);

/** The number of the stream that the client begins next. */
const nextStream = async (peer: RawPeer) => (await peer.next(1)).stream;

test.each<[string, number, ...Buffer[]]>([
  ['pushes allowed by the server', code.protocolError, settingsFrameOf([2, 1])],
  ['frames of no bytes', code.protocolError, settingsFrameOf([5, 0])],
  ['frames shorter than the least', code.protocolError, settingsFrameOf([5, 16_383])],
  ['frames longer than the most', code.protocolError, settingsFrameOf([5, 2 ** 24])],
  ['a window over the largest', code.flowControlError, settingsFrameOf([4, 2 ** 31])],
  [
    'a window that makes that of a stream too large',
    code.flowControlError,
    windowFrame(1, 2 ** 31 - 1 - 65_535),
    settingsFrameOf([4, 65_536]),
  ],
  ['settings of a stream', code.protocolError, rawFrame(4, 0, 1)],
  ['settings that are cut', code.frameSizeError, rawFrame(4, 0, 0, Buffer.alloc(5))],
  ['settings in an acknowledgement', code.frameSizeError, rawFrame(4, 1, 0, Buffer.alloc(6))],
  ['a short ping', code.frameSizeError, rawFrame(6, 0, 0, Buffer.alloc(7))],
  ['a ping of a stream', code.protocolError, rawFrame(6, 0, 1, Buffer.alloc(8))],
  ['a short goaway', code.frameSizeError, rawFrame(7, 0, 0, Buffer.alloc(7))],
  ['a goaway of a stream', code.protocolError, rawFrame(7, 0, 1, Buffer.alloc(8))],
  ['a window that grows by nothing', code.protocolError, windowFrame(0, 0)],
  ['a window that grows too far', code.flowControlError, windowFrame(0, 2 ** 31 - 1)],
  ['a short window update', code.frameSizeError, rawFrame(8, 0, 0, Buffer.alloc(3))],
  ['the window of a stream that was never begun', code.protocolError, windowFrame(3, 1)],
  ['a short reset', code.frameSizeError, rawFrame(3, 0, 1, Buffer.alloc(3))],
  ['a reset of nothing', code.protocolError, rstFrame(0, 0)],
  ['a reset of a stream that was never begun', code.protocolError, rstFrame(3, 0)],
  ['data of no stream', code.protocolError, dataFrame(0, Buffer.from('x'))],
  ['data of a stream that was never begun', code.protocolError, dataFrame(3, Buffer.from('x'))],
  ['the end of a stream that was never begun', code.protocolError, dataFrame(3, Buffer.alloc(0), 1)],
  ['headers of a stream of the server', code.protocolError, ok(2)],
  ['headers of a stream that was never begun', code.protocolError, ok(3)],
  ['a push', code.protocolError, rawFrame(5, 4, 1, numbers(2))],
  ['a continuation of nothing', code.protocolError, continuation(1, Buffer.alloc(0), 4)],
  ['a continuation of other headers', code.protocolError, part(1, ['a', 'b']), continuation(3, Buffer.alloc(0), 4)],
  ['a ping between headers', code.protocolError, part(1, ['a', 'b']), rawFrame(6, 0, 0, Buffer.alloc(8))],
  [
    'data between headers',
    code.protocolError,
    ok(1),
    part(1),
    dataFrame(1, Buffer.from('x')),
    continuation(1, Buffer.alloc(0), 4),
  ],
  ['priorities that are cut', code.frameSizeError, rawFrame(1, 0x24, 1, Buffer.alloc(4))],
  ['headers that are none', code.compressionError, rawFrame(1, 4, 1, Buffer.of(0x80))],
  ['headers without an end', code.enhanceYourCalm, part(1), many(continuation(1, Buffer.alloc(16_384)), 20)],
  ['headers of empty pieces', code.enhanceYourCalm, part(1), many(continuation(1), 10_000)],
  [
    'headers that mean endless ones',
    code.enhanceYourCalm,
    rawFrame(
      1,
      4,
      1,
      Buffer.concat([Buffer.from('4001787fa11e', 'hex'), Buffer.alloc(4000, 1), Buffer.alloc(9000, 0xbe)]),
    ),
  ],
  ['a frame that is too long', code.frameSizeError, rawFrame(0, 0, 1, Buffer.alloc(1024 * 1024 + 1))],
])('%s ends the connection, and the server is told why', async (_, expected, ...frames) => {
  const server = await rawServer();
  const { connection, closed } = await open(server.port);
  const peer = await server.accept();
  const { heard } = ask(connection, { keepOpen: true });
  await nextStream(peer);
  // What comes behind the fault must not keep the news of it from the server.
  peer.send(...frames, many(rawFrame(6, 0, 0, Buffer.alloc(8)), 20));
  expect(await goawayCode(peer)).toBe(expected);
  expect(await closed).toMatchObject({ code: expected });
  await peer.gone;
  expect(heard.said.filter((line) => line.startsWith('closed'))).toEqual(['closed undefined']);
  expect(connection).toMatchObject({ closed: true, takesStreams: false, answered: true });
});

test.each<[string, string | Buffer]>([
  ['HTTP/1.1', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
  ['ssh', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['frames, but no settings first', rawFrame(6, 0, 0, Buffer.alloc(8))],
  ['an acknowledgement of settings first', rawFrame(4, 1, 0)],
  ['a TLS alert', Buffer.from('15030100020228', 'hex')],
])('a server that speaks %s has not answered', async (_, greeting) => {
  const server = await rawServer({ greeting: Buffer.from(greeting as string) });
  const { connection, closed } = await open(server.port);
  const peer = await server.accept();
  peer.socket.end();
  await closed;
  expect(connection.answered).toBe(false);
});

test.each<[string, number, string[], ...Buffer[]]>([
  ['data ahead of headers', code.protocolError, [], dataFrame(1, Buffer.from('x'))],
  ['headers without a status', code.protocolError, [], headersFrame(1, 0, ['a', 'b'])],
  ['an end that is no answer', code.protocolError, [], headersFrame(1, 1, [':status', '103'])],
  ['trailers that do not end', code.protocolError, ['headers 200'], ok(1), headersFrame(1, 0, ['a', 'b'])],
  ['a window that grows by nothing', code.protocolError, [], windowFrame(1, 0)],
  ['a window that grows too far', code.flowControlError, [], windowFrame(1, 2 ** 31 - 1)],
  ['data behind the end', code.streamClosed, ['headers 200', 'ended'], ok(1, 1), dataFrame(1, Buffer.from('x'))],
  ['headers behind the end', code.streamClosed, ['headers 200', 'ended'], ok(1, 1), ok(1)],
  ['two ends', code.streamClosed, ['headers 200', 'ended'], ok(1, 1), dataFrame(1, Buffer.alloc(0), 1)],
  ['too much', code.flowControlError, ['headers 200'], ok(1), dataFrame(1, Buffer.alloc(100_001))],
])('%s resets the stream, and no other', async (_, expected, said, ...frames) => {
  const server = await rawServer();
  const { connection } = await open(server.port);
  const peer = await server.accept();
  const { stream, heard } = ask(connection, { keepOpen: true });
  stream.pause();
  const { heard: other } = ask(connection);
  await nextStream(peer);
  peer.send(...frames);
  expect(await peer.next(3)).toMatchObject({ stream: 1, payload: numbers(expected) });
  const lines = heard.said.filter((line) => !line.startsWith('data'));
  expect(lines).toEqual([...said, `closed ${expected}`]);
  // What is still on its way to a stream that is over disturbs nobody.
  peer.send(
    dataFrame(1, Buffer.from('x')),
    windowFrame(1, 1),
    rstFrame(1, 2),
    ok(1, 1),
    ok(3),
    dataFrame(3, Buffer.from('y'), 1),
  );
  expect(await other.closing).toBe(code.noError);
  expect(String(other.body)).toBe('y');
  expect(connection.closed).toBe(false);
});

test('what says nothing is taken for nothing', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port);
  const peer = await server.accept();
  const { heard } = ask(connection);
  await nextStream(peer);
  const block = plainBlock([':status', '200'], ['a', '1'], ['a', '2']);
  const headers = Buffer.concat([Buffer.of(2), numbers(3), Buffer.of(9), block.subarray(0, 5)]);
  peer.send(
    settingsFrameOf([99, 1], [6, 1], [3, 1000]),
    headersFrame(1, 0, [':status', '100']),
    headersFrame(1, 0, [':status', '103'], ['link', 'x']),
    rawFrame(2, 0, 1, Buffer.alloc(5)),
    rawFrame(77, 255, 12, Buffer.alloc(100)),
    rawFrame(1, 0x28, 1, Buffer.concat([headers, Buffer.alloc(2)])),
    continuation(1, block.subarray(5, 9)),
    continuation(1),
    continuation(1, block.subarray(9), 4),
    dataFrame(1, Buffer.alloc(0)),
    dataFrame(1, Buffer.of(3, 65, 66, 0, 0, 0), 8),
    rawFrame(6, 0, 0, Buffer.from('12345678')),
    headersFrame(1, 1, ['grpc-status', '0']),
  );
  expect(await heard.closing).toBe(code.noError);
  expect(heard.said).toEqual(['headers 200', 'data 2', 'trailers', 'closed 0']);
  expect(heard.fields).toEqual({ ':status': '200', a: '1, 2' });
  expect(heard.trailing).toEqual({ 'grpc-status': '0' });
  expect(await peer.next(6)).toMatchObject({ flags: 1, payload: Buffer.from('12345678') });
});

test('padding counts, and is given back', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port, { streamWindowBytes: 1000 });
  const peer = await server.accept();
  const { heard } = ask(connection);
  await nextStream(peer);
  peer.send(ok(1));
  expect(await peer.next(8)).toMatchObject({ stream: 0, payload: numbers(1_000_000 - 65_535) });
  let given = 0;
  for (let turn = 0; turn < 10; turn++) {
    peer.send(rawFrame(0, 8, 1, Buffer.concat([Buffer.of(249), Buffer.alloc(249)])));
    const { stream, payload } = await peer.next(8);
    expect(stream).toBe(1);
    given += payload.readUInt32BE(0);
  }
  expect(given).toBe(2500);
  peer.send(dataFrame(1, Buffer.from('x'), 1));
  expect(await heard.closing).toBe(code.noError);
});

test('a reset behind an answer leaves the answer whole', async () => {
  const server = await rawServer();
  const { connection } = await open(server.port);
  const peer = await server.accept();
  const said: string[] = [];
  const on = (line: string) => void said.push(line);
  ask(connection, { keepOpen: true, on });
  const { heard } = ask(connection, { keepOpen: true, on });
  await nextStream(peer);
  peer.send(ok(1), dataFrame(1, Buffer.from('abc')), rstFrame(1, code.cancel));
  peer.send(ok(3), dataFrame(3, Buffer.from('de')), headersFrame(3, 1, ['a', 'b']), rstFrame(3, code.noError));
  await heard.closing;
  expect(said).toEqual([
    ...['headers 200', 'data 3', 'settled', 'closed 8'],
    ...['headers 200', 'data 2', 'settled', 'trailers', 'ended', 'closed 0'],
  ]);
});

test('a server that goes away in two steps gets what it takes, and the rest is refused', async () => {
  const server = await rawServer();
  const { connection, closed, goaway } = await open(server.port);
  const peer = await server.accept();
  const streams = [ask(connection), ask(connection), ask(connection)].map(({ heard }) => heard);
  for (const id of [1, 3, 5]) expect(await nextStream(peer)).toBe(id);
  peer.send(goawayFrame(2 ** 31 - 1, code.noError));
  await goaway;
  expect(connection.takesStreams).toBe(false);
  expect(await ask(connection).heard.closing).toBe(code.refusedStream);
  peer.send(goawayFrame(3, code.noError));
  expect(await streams[2]!.closing).toBe(code.refusedStream);
  peer.send(ok(1, 1), ok(3), dataFrame(3, Buffer.from('x')));
  expect(await streams[0]!.closing).toBe(code.noError);
  expect(connection.closed).toBe(false);
  peer.send(dataFrame(3, Buffer.from('y'), 1));
  expect(await streams[1]!.closing).toBe(code.noError);
  expect(await closed).toBeUndefined();
  await peer.gone;
  expect(peer.pending.filter(({ type }) => type === 1)).toEqual([]);
});

test.each<[string, Buffer, RegExp]>([
  ['a goaway with an error', goawayFrame(1, code.enhanceYourCalm), /went away, with HTTP\/2 code 11/],
  ['a frame that breaks the rules', rstFrame(99, 0), /stream 99 was never begun/],
])('what came before %s is settled before the stream is over', async (_, frame, reason) => {
  const server = await rawServer();
  const { connection, closed } = await open(server.port);
  const peer = await server.accept();
  const said: string[] = [];
  ask(connection, { on: (line) => void said.push(line) });
  await nextStream(peer);
  peer.send(ok(1), dataFrame(1, Buffer.from('abc')), frame);
  expect(await closed).toMatchObject({ message: expect.stringMatching(reason) });
  expect(said).toEqual(['headers 200', 'data 3', 'settled', 'closed undefined']);
  await peer.gone;
});

test('streams over what a server takes at once wait, in order, and can be given up', async () => {
  const server = await rawServer({ greeting: settingsFrameOf([3, 1]) });
  const { connection } = await open(server.port);
  const peer = await server.accept();
  peer.send(rawFrame(6, 0, 0, Buffer.alloc(8)));
  await peer.next(6);
  const calls = Array.from({ length: 8 }, (_, index) => ask(connection, { body: Buffer.of(index) }));
  calls[1]!.stream.close(code.cancel);
  peer.send(ok(1, 1));
  // The one that was given up never got a number.
  const bodies: number[] = [];
  const body = async () => bodies.push((await peer.next(0)).payload[0]!);
  await body();
  await body();
  calls[2]!.stream.close(code.cancel);
  await body();
  peer.send(settingsFrameOf([3, 3]));
  await body();
  await body();
  expect(bodies).toEqual([0, 2, 3, 4, 5]);
  peer.send(settingsFrameOf([3, 0]), ok(5, 1), ok(7, 1), ok(9, 1));
  expect(await calls[5]!.heard.closing).toBe(code.noError);
  peer.send(goawayFrame(2 ** 31 - 1, code.noError));
  expect(await calls[6]!.heard.closing).toBe(code.refusedStream);
  expect(await calls[7]!.heard.closing).toBe(code.refusedStream);
  await peer.gone;
  expect(calls.map(({ heard }) => heard.said.at(-1)?.at(-1))).toEqual([...'08800077']);
});

test('when the numbers of streams run out, all that wait are refused', async () => {
  const server = await rawServer({ greeting: settingsFrameOf([3, 1]) });
  const { connection } = await open(server.port);
  const peer = await server.accept();
  peer.send(rawFrame(6, 0, 0, Buffer.alloc(8)));
  await peer.next(6);
  // biome-ignore lint/complexity/useLiteralKeys: the way to a private field.
  connection['lastId'] = 2 ** 31 - 5;
  const calls = Array.from({ length: 9000 }, () => ask(connection).heard);
  expect(await nextStream(peer)).toBe(2 ** 31 - 3);
  peer.send(ok(2 ** 31 - 3, 1));
  expect(await nextStream(peer)).toBe(2 ** 31 - 1);
  expect(connection.takesStreams).toBe(false);
  expect(await calls.at(-1)!.closing).toBe(code.refusedStream);
  peer.send(ok(2 ** 31 - 1, 1));
  expect(await calls[1]!.closing).toBe(code.noError);
  expect(calls.map(({ said }) => said.at(-1))).toEqual([
    ...['closed 0', 'closed 0'],
    ...new Array(8998).fill('closed 7'),
  ]);
});

test('a server that asks for answers and does not read them gets no more', async () => {
  const server = await rawServer();
  const { connection, closed } = await open(server.port);
  const peer = await server.accept();
  const { heard } = ask(connection);
  const ping = rawFrame(6, 0, 0, Buffer.alloc(8));
  peer.send(ping);
  await peer.next(6);
  const unsent = vi.spyOn(Transport.prototype, 'unsentBytes', 'get').mockReturnValue(16 * 1024 * 1024 + 1);
  onTestFinished(() => unsent.mockRestore());
  peer.send(ping);
  expect(await closed).toMatchObject({ code: code.enhanceYourCalm });
  expect(heard.said).toEqual(['closed undefined']);
  expect(await goawayCode(peer)).toBe(code.enhanceYourCalm);
});

test('a connection that is left or destroyed before it is there never opens', async () => {
  const server = await rawServer();
  for (const end of ['leave', 'destroy'] as const) {
    const said: string[] = [];
    const connection = new ClientConnection({
      host: '127.0.0.1',
      port: server.port,
      tls: undefined,
      streamWindowBytes: 65_535,
      connectionWindowBytes: 65_535,
      onOpen: () => said.push('open'),
      onGoaway: () => said.push('goaway'),
      onClosed: () => said.push('closed'),
    });
    connection[end](new Error('not wanted'));
    // Another one is there only after it.
    const { connection: other } = await open(server.port, { connectionWindowBytes: 65_535 });
    expect(ask(other).stream.closed).toBe(false);
    expect(said).toEqual(['closed']);
    expect(connection).toMatchObject({ closed: true, takesStreams: false });
  }
});

const rawSettings = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.constantFrom(0, 1, 100, 16_384, 65_535, 2 ** 31)), {
    maxLength: 3,
  })
  .map((settings) => settingsFrameOf(...settings));
const anyFrame = fc.oneof(
  fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.nat(255),
      fc.integer({ min: 0, max: 8 }),
      fc.uint8Array({ maxLength: 20 }),
    )
    .map(([type, flags, stream, payload]) => rawFrame(type, flags, stream, payload)),
  fc.tuple(fc.constantFrom(1, 3, 5), fc.nat(1)).map(([stream, end]) => ok(stream, end)),
  fc.tuple(fc.constantFrom(1, 3, 5), fc.nat(1)).map(([stream, end]) => dataFrame(stream, Buffer.from('x'), end)),
  fc.tuple(fc.constantFrom(1, 3, 5), fc.nat(12)).map(([stream, reason]) => rstFrame(stream, reason)),
  fc.tuple(fc.constantFrom(0, 1, 3, 5), fc.nat(100_000)).map(([stream, bytes]) => windowFrame(stream, bytes)),
  fc.tuple(fc.nat(6), fc.constantFrom(0, 0, 2)).map(([last, reason]) => goawayFrame(last, reason)),
  rawSettings,
);

test('whatever a server sends and whatever listeners do: each stream ends once, and nothing is told after that', async () => {
  const server = await rawServer();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyFrame, fc.boolean()), { maxLength: 30, size: 'max' }),
      fc.array(fc.constantFrom('', '', '', 'close', 'pause', 'request', 'leave', 'destroy', 'end'), { minLength: 1 }),
      async (frames, acts) => {
        const { connection, closed } = await open(server.port);
        const peer = await server.accept();
        const all: Recorder[] = [];
        let turn = 0;
        const begin = () => {
          const call = ask(connection, {
            body: Buffer.alloc(30_000),
            keepOpen: all.length % 2 === 0,
            on: () => {
              const act = acts[turn++ % acts.length];
              if (act === 'close') call.stream.close(code.cancel);
              else if (act === 'pause') call.stream.pause();
              else if (act === 'end') call.stream.end();
              else if (act === 'request' && all.length < 20) begin();
              else if (act === 'leave') connection.leave();
              else if (act === 'destroy') connection.destroy(new Error('enough'));
            },
          });
          all.push(call.heard);
        };
        for (let count = 0; count < 3; count++) begin();
        for (const [frame, isApart] of frames) {
          peer.send(frame);
          if (isApart) await setImmediate();
        }
        peer.socket.end();
        await Promise.all([closed, peer.gone, ...all.map(({ closing }) => closing)]);
        for (const { said } of all) {
          expect(said.filter((line) => line.startsWith('closed'))).toHaveLength(1);
          expect(said.at(-1)).toMatch(/^closed/);
          for (const once of ['headers', 'trailers', 'ended']) {
            expect(said.filter((line) => line.startsWith(once)).length).toBeLessThanOrEqual(1);
          }
        }
        const last = peer.pending.filter(({ type }) => type === 7).map(({ payload }) => payload.readUInt32BE(4));
        // A fault of ours would say so.
        expect(last).not.toContain(code.internalError);
      },
    ),
    { numRuns: 200 },
  );
});
