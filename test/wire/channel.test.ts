import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { Channel } from '../../src/wire/channel.js';
import { ClientCall } from '../../src/wire/client-call.js';
import { framePrefix } from '../../src/wire/frames.js';
import { IncomingMessages } from '../../src/wire/incoming-messages.js';
import { WireServer } from '../../src/wire/server.js';
import type { WireHandler } from '../../src/wire/types.js';
import { framed, messagesOf } from './framed.js';

/** A channel to an HTTP/2 server that does as `answer` says. */
async function channelTo(answer: (stream: ServerHttp2Stream) => void) {
  const server: Http2Server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.resume();
    answer(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const channel = new Channel('127.0.0.1', port, { maxMessageBytes: 1000 });
  onTestFinished(() => {
    channel.close();
    server.close();
  });
  return channel;
}

const ok = { ':status': 200, 'content-type': 'application/grpc+proto' };
const frame = (text: string) => Buffer.concat([framePrefix(text.length), Buffer.from(text)]);
const ask = (channel: Channel) => channel.unary('listUris', new Uint8Array(0), { timeoutMs: 10_000 });

/** Answers with these bytes and trailers. */
function reply(stream: ServerHttp2Stream, bytes: Uint8Array, trailers: Record<string, string>): void {
  stream.respond(ok, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(bytes);
}

test('reads a reply and its status', async () => {
  const channel = await channelTo((stream) => reply(stream, frame('hello'), { 'grpc-status': '0' }));
  expect(String(await ask(channel))).toBe('hello');
});

test.each<[string, (stream: ServerHttp2Stream) => void, string, RegExp]>([
  [
    'a web server',
    (s) => s.respond({ ':status': 404, 'content-type': 'text/html' }, { endStream: true }),
    'unavailable',
    /not with gRPC \(HTTP 404, text\/html\); is it the right port/,
  ],
  [
    'a status in place of headers',
    (s) => s.respond({ ...ok, 'grpc-status': '7', 'grpc-message': 'not%20you' }, { endStream: true }),
    'permission-denied',
    /not you/,
  ],
  [
    'a status behind a message',
    (s) => reply(s, frame('x'), { 'grpc-status': '9', 'grpc-message': 'caf%C3%A9' }),
    'failed-precondition',
    /café/,
  ],
  [
    'a message that is not percent-encoded rightly',
    (s) => reply(s, frame('x'), { 'grpc-status': '2', 'grpc-message': '100%' }),
    'unknown',
    /100%/,
  ],
  [
    'a status that gRPC does not know',
    (s) => reply(s, frame('x'), { 'grpc-status': '99' }),
    'unknown',
    /gRPC status 99/,
  ],
  ['no status', (s) => reply(s, frame('x'), {}), 'unavailable', /without a status/],
  ['no message', (s) => reply(s, Buffer.alloc(0), { 'grpc-status': '0' }), 'internal', /without a message/],
  [
    'half a message',
    (s) => reply(s, frame('hello').subarray(0, 7), { 'grpc-status': '0' }),
    'data-loss',
    /in the middle of a message/,
  ],
  [
    'a message over the limit',
    (s) => reply(s, frame('x'.repeat(1001)), { 'grpc-status': '0' }),
    'resource-exhausted',
    /limit is 1000/,
  ],
  [
    'a compressed message',
    (s) => reply(s, Buffer.from([1, 0, 0, 0, 1, 65]), { 'grpc-status': '0' }),
    'internal',
    /compressed/,
  ],
  ['a refused stream', (s) => s.close(7), 'unavailable', /refused the call/],
  ['a cancelled stream', (s) => s.close(8), 'cancelled', /cancelled the call/],
  ['a reset for calm', (s) => s.close(11), 'resource-exhausted', /fewer calls/],
  ['another reset', (s) => s.close(2), 'internal', /reset the call \(HTTP\/2 code 2\)/],
  ['a broken connection', (s) => s.session!.destroy(), 'unavailable', /the connection to 127\.0\.0\.1:\d+ was lost/],
])('%s is an error of its own', async (_, answer, code, message) => {
  await expect(ask(await channelTo(answer))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('after GOAWAY the next call takes a new connection, and one that was on its way is made again there', async () => {
  const sessions = new Set<unknown>();
  const channel = await channelTo((stream) => {
    sessions.add(stream.session);
    reply(stream, frame('x'), { 'grpc-status': '0' });
    stream.session!.goaway();
  });
  // The second may still be sent to the one that leaves.
  while (sessions.size < 2) expect(String(await ask(channel))).toBe('x');
});

test('a call that the server has not looked at is made once more, and not twice', async () => {
  let calls = 0;
  const channel = await channelTo((stream) => {
    calls += 1;
    if (calls === 2) reply(stream, frame('x'), { 'grpc-status': '0' });
    else stream.close(7);
  });
  expect(String(await ask(channel))).toBe('x');
  expect(calls).toBe(2);
  await expect(ask(channel)).rejects.toMatchObject({ code: 'unavailable' });
  expect(calls).toBe(4);
});

test('a call that the server has begun to answer is not made again', async () => {
  const messages = new IncomingMessages({ keepLast: false });
  let again = 0;
  const call = new ClientCall(messages, {
    address: 'there:1',
    maxMessageBytes: 1000,
    ownVersion: undefined,
    lost: () => new MeshError('unavailable', 'lost'),
    again: () => {
      again += 1;
      return true;
    },
    findKnown: undefined,
  });
  call.headers({ ':status': '200', 'content-type': 'application/grpc' });
  call.closed(7);
  await expect(messages.receive(() => undefined)).rejects.toThrow('there:1 refused the call');
  expect(again).toBe(0);
});

test('a connection that has no more numbers for calls is replaced', async () => {
  const sessions = new Set<unknown>();
  const channel = await channelTo((stream) => {
    sessions.add(stream.session);
    reply(stream, frame('x'), { 'grpc-status': '0' });
  });
  await ask(channel);
  // biome-ignore lint/complexity/useLiteralKeys: the way to private fields.
  (await channel['connection'].ready())['lastId'] = 2 ** 31 - 3;
  await ask(channel);
  await ask(channel);
  expect(sessions.size).toBe(2);
});

test('a reader that stops stops the sender', async () => {
  let written = 0;
  const channel = await channelTo((stream) => {
    stream.respond(ok);
    const write = (): void => {
      do written += 1;
      while (stream.write(frame('x'.repeat(900))));
    };
    stream.on('drain', write);
    write();
  });
  const stream = channel.stream('subscribe', new Uint8Array(0), {});
  await stream.headers;
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // What the windows and the reader's buffer hold, some 2.3 MB, and not more.
  expect(written * 905).toBeLessThan(4 * 1024 * 1024);
  const enough = new Error('the sender goes on');
  const received = stream.receive((blocks) => {
    expect(blocks.length).toBeGreaterThan(0);
    if (written > before) throw enough;
  });
  await expect(received).rejects.toBe(enough);
});

test('a closed channel ends what is under way, and takes nothing new', async () => {
  const channel = await channelTo(() => undefined);
  const asked = ask(channel);
  asked.catch(() => undefined);
  const stream = channel.stream('subscribe', new Uint8Array(0), {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  channel.close();
  channel.close();
  await expect(asked).rejects.toMatchObject({ code: 'unavailable' });
  await expect(stream.headers).rejects.toMatchObject({ code: 'unavailable' });
  await expect(ask(channel)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('is closed'),
  });
});

test.each([false, true])('what a server writes arrives in order and whole (publicWay: %s)', async (publicWay) => {
  const sizes = [0, 1, 100, 40_000, 10, 200_000, 3];
  const handler: WireHandler = {
    listUris: async () => new Uint8Array(0),
    requestReply: async (request) => request,
    subscribe: (_request, _call, stream) => {
      stream.sendHeaders({ 'furrow-version': '1' });
      let at = 0;
      const pump = (): void => {
        while (at < sizes.length * 20) {
          const room = stream.write(framed(Buffer.alloc(sizes[at % sizes.length]!, at)));
          at += 1;
          if (!room) return;
        }
        stream.end();
      };
      stream.onDrain(pump);
      pump();
    },
  };
  const server = new WireServer(handler, {
    host: '127.0.0.1',
    port: 0,
    maxMessageBytes: 1 << 22,
    errorHeaders: {},
    publicWay,
  });
  await server.listen();
  const channel = new Channel('127.0.0.1', server.port, { maxMessageBytes: 1 << 22 });
  onTestFinished(() => {
    channel.close();
    server.close();
  });
  const stream = channel.stream('subscribe', new Uint8Array(0), {});
  const read: Buffer[] = [];
  await stream.receive((blocks) => {
    read.push(...messagesOf(blocks));
  });
  expect(read.map(({ length }) => length)).toEqual(Array.from({ length: 140 }, (_, at) => sizes[at % sizes.length]));
  expect(read.every((message, at) => message.every((byte) => byte === at))).toBe(true);
});
