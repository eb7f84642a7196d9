import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import fc from 'fast-check';
import { type EventClient, EventServer, EventService, type MeshError } from 'furrow';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { framePrefix } from '../../src/wire/frames.js';
import { encodeReplies, laneBytesHeader, lanePath } from '../../src/wire/lane-messages.js';
import { methodPaths } from '../../src/wire/methods.js';
import { plainServer as plainGrpcServer } from '../interop/plain-grpc.js';
import { channelOf, laneOf, laneRequests, withLane } from './request-ways.js';
import { clientAt, clientOf, entry, int32, registry, serve, until } from './running.js';
import { TcpProxy } from './tcp-proxy.js';

const string = 'google.protobuf.StringValue';
const declared = (path: string, request = int32.type, reply = int32.type) => ({ path, request, reply });
const double = { requests: [declared('/double')] };

afterEach(() => {
  vi.restoreAllMocks();
});

/** Doubles what it is asked, those above `held` only when told to. */
async function doubling({ held = Number.POSITIVE_INFINITY, port = 0 } = {}) {
  const open: (() => void)[] = [];
  const signals: AbortSignal[] = [];
  const service = await serve({ ...double, port });
  service.onRequest('/double', (value: number, { signal }) => {
    if (value < held) return value * 2;
    signals.push(signal);
    return new Promise<number>((resolve) => open.push(() => resolve(value * 2)));
  });
  return { service, open, signals };
}

const settled = (requests: Promise<unknown>[]) =>
  Promise.all(
    requests.map((request) =>
      request.then(
        () => 'answered',
        (error: MeshError) => error.code,
      ),
    ),
  );

test('the first request does not wait for the lane; those after it take it', async () => {
  const { service } = await doubling();
  const client = clientOf(service);
  const lane = laneRequests();
  expect((await client.request('/double', 1)).message).toBe(2);
  expect(lane.count).toBe(0);
  await until(() => laneOf(channelOf(client))?.state === 'open');
  expect((await client.request('/double', 2)).message).toBe(4);
  expect(lane.count).toBe(1);
});

test('a thousand at once are each answered with their own reply, in whatever order', async () => {
  const service = await serve(double);
  service.onRequest('/double', (value: number) =>
    value % 3 === 0
      ? value * 2
      : new Promise<number>((resolve) => (value % 3 === 1 ? setImmediate : setTimeout)(() => resolve(value * 2), 1)),
  );
  const client = await withLane(clientOf(service));
  const lane = laneRequests();
  const values = Array.from({ length: 1000 }, (_, value) => value);
  const replies = await Promise.all(values.map((value) => client.request('/double', value)));
  expect(replies.map(({ message }) => message)).toEqual(values.map((value) => value * 2));
  expect(replies.map(({ sequence }) => sequence)).toEqual(values);
  expect(lane.count).toBe(1000);
});

test('several services of a port are told apart, also one that comes later', async () => {
  const server = new EventServer('127.0.0.1', 0, registry);
  onTestFinished(() => server.close());
  const add = async (name: string): Promise<EventService> => {
    const service = new EventService(entry({ ...double, name }), { registry, server });
    onTestFinished(() => service.close());
    service.onRequest('/name', () => name, { request: int32.type, reply: string });
    await service.start();
    return service;
  };
  const ask = async (client: EventClient) => (await client.request('/name', 1, { type: int32.type })).message;
  const gps = await add('gps');
  const one = await withLane(clientAt(server.port, { name: 'gps' }));
  const nobody = await withLane(clientAt(server.port, { name: 'nobody' }));
  expect(await ask(one)).toBe('gps');
  // The only one there is.
  expect(await ask(nobody)).toBe('gps');
  await add('oak/0');
  const other = await withLane(clientAt(server.port, { name: 'oak/0' }));
  expect(await ask(other)).toBe('oak/0');
  expect(await ask(one)).toBe('gps');
  await expect(ask(nobody)).rejects.toMatchObject({ code: 'not-found' });
  gps.close();
  await expect(ask(one)).resolves.toBe('oak/0');
});

test('long requests go by a call of their own, long replies in pieces; limits hold for each by itself', async () => {
  const service = await serve({ requests: [declared('/long', string, string)] });
  service.onRequest('/long', (text: string) => text.repeat(100));
  const client = await withLane(clientOf(service, { maxMessageBytes: 2_000_000 }));
  const lane = laneRequests();
  const ask = (length: number) => client.request('/long', 'x'.repeat(length));
  const [short, fits, tooLong] = [ask(1), ask(19_000), ask(21_000)];
  await expect(tooLong).rejects.toMatchObject({
    code: 'resource-exhausted',
    message: expect.stringMatching(/limit is 2000000 \(maxMessageBytes\)/),
  });
  expect((await fits).message).toBe('x'.repeat(1_900_000));
  expect((await short).message).toHaveLength(100);
  expect(lane.count).toBe(3);
  await expect(ask(70_000)).rejects.toMatchObject({ code: 'resource-exhausted' });
  expect(lane.count).toBe(3);
  expect((await ask(2)).message).toHaveLength(200);
});

test('a link that breaks settles every request, once, and the next connection has a lane again', async () => {
  const { service, signals } = await doubling({ held: 100 });
  const proxy = await TcpProxy.to(service.port);
  const client = await withLane(clientAt(proxy.port, double));
  const requests = Array.from({ length: 50 }, (_, value) => client.request('/double', 100 + value));
  const outcome = settled(requests);
  await until(() => signals.length === 50);
  proxy.cut();
  expect(new Set(await outcome)).toEqual(new Set(['unavailable']));
  await until(() => signals.every(({ aborted }) => aborted));
  expect(client.state.status).toBe('away');
  expect((await client.request('/double', 4)).message).toBe(8);
  expect(client.state.status).toBe('connected');
  await withLane(client);
  const lane = laneRequests();
  expect((await client.request('/double', 5)).message).toBe(10);
  expect(lane.count).toBe(1);
  // Nothing was asked again by itself.
  expect(signals).toHaveLength(50);
});

test('a link that dies without a word costs the deadline, and then the connection', async () => {
  const { service } = await doubling();
  const proxy = await TcpProxy.to(service.port);
  const client = await withLane(clientAt(proxy.port, double, { keepaliveMs: 100 }));
  proxy.stall();
  const patient = client.request('/double', 1, { timeoutMs: 60_000 });
  patient.catch(() => undefined);
  await expect(client.request('/double', 1, { timeoutMs: 150 })).rejects.toMatchObject({
    code: 'deadline-exceeded',
    message: expect.stringMatching(/within 150 ms/),
  });
  // The link is asked for a sign of life, found dead, and given up.
  await expect(patient).rejects.toMatchObject({ code: 'unavailable' });
  expect((await client.request('/double', 4)).message).toBe(8);
});

test('a drain answers what is under way, and the client goes to who comes next', async () => {
  const { service, open } = await doubling({ held: 100 });
  const client = await withLane(clientOf(service));
  const slow = client.request('/double', 100);
  await until(() => open.length === 1);
  const drained = service.drain();
  await expect(client.request('/double', 1)).rejects.toMatchObject({ code: 'unavailable' });
  open[0]!();
  expect((await slow).message).toBe(200);
  await drained;
  await doubling({ port: service.port });
  expect((await client.request('/double', 3, { waitForReady: true })).message).toBe(6);
});

test('a service that closes settles its requests', async () => {
  const { service, signals } = await doubling({ held: 100 });
  const client = await withLane(clientOf(service));
  const outcome = settled(Array.from({ length: 10 }, () => client.request('/double', 100)));
  await until(() => signals.length === 10);
  service.close();
  expect(await outcome).toEqual(Array(10).fill('unavailable'));
  expect(client.state.status).toBe('away');
});

test('requests that were given up before they left are not handled', async () => {
  const { service, signals } = await doubling({ held: 0 });
  const client = await withLane(clientOf(service));
  const taking = new AbortController();
  const taken = client.request('/double', 1, { signal: taking.signal });
  const kept = client.request('/double', 2);
  kept.catch(() => undefined);
  taking.abort();
  await expect(taken).rejects.toMatchObject({ code: 'cancelled' });
  await until(() => signals.length > 0);
  expect(signals).toHaveLength(1);
  expect(signals[0]!.aborted).toBe(false);
});

test('what a lane does not hold goes by calls, and is answered, too', async () => {
  const { service } = await doubling();
  const client = await withLane(clientOf(service));
  const lane = laneRequests();
  const replies = await Promise.all(Array.from({ length: 10_020 }, (_, value) => client.request('/double', value)));
  expect(replies.every(({ message }, value) => message === 2 * value)).toBe(true);
  expect(lane.count).toBe(10_000);
});

/** A server of HTTP/2 alone that answers ordinary requests, and lanes as `lane` says. */
async function plainServer(lane: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void) {
  const asked: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  const reply = envelope();
  server.on('stream', (stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    const path = headers[':path']!;
    asked.push(path);
    if (path === lanePath) return lane(stream, stream.session as ServerHttp2Session);
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat([framePrefix(reply.length), reply]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  const { port } = server.address() as AddressInfo;
  const count = (path: string) => asked.filter((one) => one === path).length;
  return {
    client: clientAt(port, double),
    cut: () => {
      for (const session of sessions) session.destroy();
    },
    lanes: () => count(lanePath),
    calls: () => count(methodPaths.requestReply),
  };
}

/** A reply of 42. */
function envelope(): Buffer {
  const payload = Buffer.from(registry.encode(int32.type, 42));
  const uri = { scheme: 'protobuf', path: '/reply/request/double', query: `type=${int32.type}&pb=x&service_name=y` };
  const reply = { event: { uri, payloadLength: payload.length, sequence: 0, timestamps: [] }, payload };
  return Buffer.from(registry.encode('farm_ng.core.proto.RequestReplyReply', reply));
}

const laneHeaders = { ':status': 200, 'content-type': 'application/grpc', [laneBytesHeader]: '65536' };
const unimplemented = (stream: ServerHttp2Stream): void => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true });
};

test('a server without a lane is asked for one once a connection', async () => {
  const { client, cut, lanes, calls } = await plainServer(unimplemented);
  for (let count = 0; count < 3; count++) expect((await client.request('/double', 1)).message).toBe(42);
  await until(() => laneOf(channelOf(client))?.refused === true);
  for (let count = 0; count < 3; count++) expect((await client.request('/double', 1)).message).toBe(42);
  expect([lanes(), calls()]).toEqual([1, 6]);
  cut();
  // One that crosses the break on its way fails.
  while ((await settled([client.request('/double', 1)]))[0] !== 'answered');
  await until(() => lanes() === 2);
});

test('a plain grpc-js server is asked by its own method, and says nothing', async () => {
  const asked: string[] = [];
  const { port, server } = await plainGrpcServer({
    requestReply: (call: ServerUnaryCall<unknown, object>, done: sendUnaryData<object>) => {
      asked.push(call.getPath());
      const uri = {
        scheme: 'protobuf',
        path: '/reply/request/double',
        query: `type=${int32.type}&pb=x&service_name=y`,
      };
      done(null, { event: { uri, payloadLength: 2 }, payload: Buffer.from([8, 42]) });
    },
  });
  onTestFinished(() => server.forceShutdown());
  const client = clientAt(port, { ...double, host: 'localhost' });
  expect((await client.request('/double', 1)).message).toBe(42);
  await until(() => laneOf(channelOf(client))?.refused === true);
  expect((await client.request('/double', 1)).message).toBe(42);
  expect(asked).toEqual([methodPaths.requestReply, methodPaths.requestReply]);
});

test.each<[string, (stream: ServerHttp2Stream) => void]>([
  ['says nothing', () => undefined],
  ['answers as a web server', (stream) => stream.respond({ ':status': 404 }, { endStream: true })],
  ['resets it', (stream) => stream.close(2)],
  ['is of another kind', (stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc' })],
  ['says odd things of its limit', (stream) => stream.respond({ ...laneHeaders, [laneBytesHeader]: '-1' })],
])('requests go on beside a lane whose server %s', async (_, lane) => {
  const { client, calls } = await plainServer(lane);
  for (let count = 0; count < 5; count++) expect((await client.request('/double', 1)).message).toBe(42);
  expect(calls()).toBe(5);
});

/** A lane whose server does as `answer` says once it has been asked. */
const laneThat = (answer: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void) =>
  plainServer((stream, session) => {
    stream.respond(laneHeaders, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.once('data', () => answer(stream, session));
  });
const framed = (message: Uint8Array) => Buffer.concat([framePrefix(message.length), message]);

test.each<[string, (stream: ServerHttp2Stream, session: ServerHttp2Session) => void]>([
  ['ends well without a reply', (stream) => stream.end()],
  ['is reset', (stream) => stream.close(8)],
  ['sends garbage', (stream) => stream.write(framed(Buffer.from([0x0a, 0x7f, 1])))],
  ['sends a message without end', (stream) => stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))],
  ['ends in half a message', (stream) => stream.end(framed(Buffer.alloc(10)).subarray(0, 9))],
  ['loses its connection', (_, session) => session.destroy()],
  ['is told to go away at once', (_, session) => session.goaway(2)],
])('a lane that %s settles its requests with unavailable', async (_, answer) => {
  const { client, calls } = await laneThat(answer);
  await withLane(client);
  const before = calls();
  const outcome = await settled([client.request('/double', 1), client.request('/double', 2)]);
  expect(outcome).toEqual(['unavailable', 'unavailable']);
  // Neither was asked a second time by a call of its own.
  expect(calls()).toBe(before);
  expect((await client.request('/double', 1, { waitForReady: true })).message).toBe(42);
});

test('after GOAWAY a lane finishes what it has, and others take a new connection', async () => {
  let answer: () => void = () => undefined;
  const { client, calls } = await laneThat((stream, session) => {
    session.goaway(0);
    answer = () => {
      stream.write(framed(encodeReplies([{ id: 1, reply: envelope(), code: 0, message: '', more: false }])));
    };
  });
  await withLane(client);
  const before = answer;
  const slow = client.request('/double', 1);
  await until(() => answer !== before);
  await until(() => laneOf(channelOf(client))?.state === 'leaving');
  const calledBefore = calls();
  expect((await client.request('/double', 1, { waitForReady: true })).message).toBe(42);
  expect(calls()).toBe(calledBefore + 1);
  answer();
  expect((await slow).message).toBe(42);
});

test('replies that nobody waits for, and second ones, are passed over', async () => {
  const { client } = await laneThat((stream) => {
    const reply = { reply: envelope(), code: 0, message: '', more: false };
    const refusal = { reply: Buffer.alloc(0), code: 5, message: 'twice', more: false };
    stream.write(
      framed(
        encodeReplies([
          { id: 77, ...reply },
          { id: 1, ...reply },
          { id: 1, ...refusal },
        ]),
      ),
    );
  });
  await withLane(client);
  expect((await client.request('/double', 1)).message).toBe(42);
  expect(laneOf(channelOf(client))?.state).toBe('open');
});

test('whatever a lane’s server sends, each request is settled and the next ones are answered', async () => {
  let bytes: Uint8Array = new Uint8Array(0);
  const { client } = await laneThat((stream) => {
    stream.write(framed(bytes));
    stream.end();
  });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (sent) => {
      bytes = sent;
      // A lane that once sent garbage is not asked again, so each run has a connection of its own.
      channelOf(client).close();
      Reflect.set(Reflect.get(client, 'connection') as object, 'channel', undefined);
      await withLane(client);
      const [outcome] = await settled([client.request('/double', 1, { timeoutMs: 10_000 })]);
      // Few bytes are a reply; an id and a status at most.
      expect(outcome).not.toBe('deadline-exceeded');
      expect((await client.request('/double', 1)).message).toBe(42);
    }),
    { numRuns: 40 },
  );
});

test('the error of a lane that ends is not an answer of the service', async () => {
  const { client } = await laneThat((stream) => stream.close(8));
  await withLane(client);
  await expect(client.request('/double', 1)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/agent-1 at 127\.0\.0\.1:\d+ is away .*ended the request lane before it answered/),
  });
  expect(client.state.status).toBe('away');
});

test('closing the client ends its lane at the service, too', async () => {
  const { service, signals } = await doubling({ held: 0 });
  const client = await withLane(clientOf(service));
  const [outcome] = [settled([client.request('/double', 1)])];
  await until(() => signals.length === 1);
  client.close();
  expect(await outcome).toEqual(['cancelled']);
  await until(() => signals[0]!.aborted);
});
