import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import fc from 'fast-check';
import type { EventService } from 'furrow';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { methodPaths } from '../../src/wire/methods.js';
import { bytes, published, serve, until } from '../mesh/running.js';
import { TcpProxy } from '../mesh/tcp-proxy.js';
import { furrowPublisher } from './matrix-publishers.js';
import { type Subscription, seen, subscribe } from './matrix-subscribers.js';
import { eventServiceDefinition } from './plain-grpc.js';
import { frameOf, messagesIn, RawCall, rawSession, subscribeFrame, writeApart } from './raw-http2.js';

const surprises: unknown[] = [];
process.on('uncaughtExceptionMonitor', (error) => surprises.push(error));
afterEach(() => expect(surprises).toEqual([]));

const megabyte = 1024 * 1024;

describe.each([
  ['fast path', false],
  ['public way', true],
])('the wire of a furrow service (%s)', (_, publicWay) => {
  /** A bare call that subscribes to everything. */
  async function rawSubscriber(service: EventService, headers = {}, session = rawSession(service.port)) {
    const before = service.subscriberCount;
    const call = new RawCall(session, headers);
    call.stream.end(subscribeFrame('*'));
    await until(() => service.subscriberCount === before + 1);
    return call;
  }

  async function witness(service: EventService): Promise<Subscription> {
    const before = service.subscriberCount;
    const subscription = subscribe('furrow', service.port, { path: '*' });
    await until(() => service.subscriberCount === before + 1);
    return subscription;
  }

  const digests = (call: RawCall) => messagesIn(call.body).map(({ message }) => seen(message));

  test('a request is understood wherever it was cut, and in single bytes', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const session = rawSession(service.port);
    const request = subscribeFrame('*');
    const whole = Array.from(request, (_one, at) => request.subarray(at, at + 1));
    const cuts = Array.from(request, (_one, at) => [request.subarray(0, at), request.subarray(at)]);
    const calls = await Promise.all(
      [...cuts, whole].map(async (pieces) => {
        const call = new RawCall(session);
        for (const piece of pieces) await writeApart(call.stream, piece);
        call.stream.end();
        return call;
      }),
    );
    await until(() => service.subscriberCount === request.length + 1);
    for (const size of [3, 40_000, 0]) await service.publish('/a', randomBytes(size));
    await until(() => calls.every((call) => call.has(3)));
    for (const call of calls) expect(digests(call)).toEqual(sent);
  });

  test('a client that says GOAWAY in mid-stream still gets its events', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const session = rawSession(service.port);
    const call = await rawSubscriber(service, {}, session);
    await service.publish('/a', randomBytes(10));
    await until(() => call.has(1));
    session.goaway(constants.NGHTTP2_NO_ERROR);
    // Its answer shows that the GOAWAY has arrived.
    await new Promise((resolve) => session.ping(resolve));
    for (const size of [megabyte, 20]) await service.publish('/a', randomBytes(size));
    await until(() => call.has(3));
    expect(digests(call)).toEqual(sent);
    session.destroy();
    await until(() => service.subscriberCount === 0);
  });

  test.each([
    ['CANCEL', constants.NGHTTP2_CANCEL],
    ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
    ['REFUSED_STREAM', constants.NGHTTP2_REFUSED_STREAM],
  ])('a reset (%s) in the middle of a message ends one subscription and no other', async (_name, code) => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const session = rawSession(service.port);
    const [leaves, stays] = [await rawSubscriber(service, {}, session), await rawSubscriber(service, {}, session)];
    leaves.stream.once('data', () => leaves.stream.close(code));
    const publishing = Array.from({ length: 4 }, () => service.publish('/a', randomBytes(megabyte)));
    await until(() => service.subscriberCount === 1);
    await service.publish('/a', randomBytes(10));
    await Promise.all(publishing);
    await until(() => stays.has(5));
    expect(digests(stays)).toEqual(sent);
  });

  test('a connection that breaks in the middle of megabytes harms nobody else', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const proxy = await TcpProxy.to(service.port);
    const call = new RawCall(rawSession(proxy.port));
    call.stream.end(subscribeFrame('*'));
    await until(() => service.subscriberCount === 1);
    const other = await witness(service);
    call.stream.once('data', () => proxy.cut());
    for (let one = 0; one < 6; one++) void service.publish('/a', randomBytes(megabyte));
    await until(() => service.subscriberCount === 1 && other.came.length === 6);
    await service.publish('/a', randomBytes(10));
    await until(() => other.came.length === 7);
    expect(other.came).toEqual(sent);
  });

  test('a link that died without a word holds a publisher up for block_ms, and no longer', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const proxy = await TcpProxy.to(service.port);
    const quality = { overflow: 'block' as const, depth: 2, blockMs: 50 };
    subscribe('grpc-js', proxy.port, { path: '*', quality });
    await until(() => service.subscriberCount === 1);
    const other = await witness(service);
    proxy.stall();
    let dropped = 0;
    while (dropped === 0) ({ dropped } = await service.publish('/a', randomBytes(megabyte)));
    expect(service.subscriberCount).toBe(1);
    expect(await service.publish('/a', randomBytes(10))).toMatchObject({ subscribers: 1, dropped: 0 });
    await until(() => other.came.length === sent.length);
    expect(other.came).toEqual(sent);
  });

  test('pings are answered between events, and disturb none', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const session = rawSession(service.port);
    const call = await rawSubscriber(service, {}, session);
    for (let round = 0; round < 30; round++) {
      const asked = randomBytes(8);
      const answered = new Promise<Buffer>((resolve, reject) => {
        session.ping(asked, (error, _ms, answer) => (error === null ? resolve(answer) : reject(error)));
      });
      void service.publish('/a', randomBytes(round * 3000));
      expect((await answered).equals(asked)).toBe(true);
    }
    await until(() => call.has(30));
    expect(digests(call)).toEqual(sent);
  });

  test('who takes compressed messages gets plain ones, and may send compressed ones', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const session = rawSession(service.port);
    const compressed = { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip,deflate,identity' };
    const call = new RawCall(session, compressed);
    call.stream.end(frameOf(gzipSync(subscribeFrame('*').subarray(5)), { compressed: true }));
    const client = new grpc.Client(`127.0.0.1:${service.port}`, grpc.credentials.createInsecure(), {
      'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
    });
    onTestFinished(() => client.close());
    const { requestSerialize } = eventServiceDefinition.subscribe!;
    const uri = { path: '*', query: 'overflow=block&service_name=agent-1' };
    const plain = client.makeServerStreamRequest(methodPaths.subscribe, requestSerialize, seen, { uri });
    plain.on('error', () => undefined);
    const came: unknown[] = [];
    plain.on('data', (message) => came.push(message));
    await until(() => service.subscriberCount === 2);
    for (const size of [10, 70_000]) await service.publish('/a', Buffer.alloc(size));
    await until(() => call.has(2) && came.length === 2);
    expect((await call.headers)['grpc-encoding'] ?? 'identity').toBe('identity');
    expect(messagesIn(call.body).map((message) => message.compressed)).toEqual([false, false]);
    expect(digests(call)).toEqual(sent);
    expect(came).toEqual(sent);
    plain.cancel();

    const unknown = new RawCall(session, { 'grpc-encoding': 'zebra' });
    unknown.stream.end(frameOf(Buffer.alloc(10), { compressed: true }));
    expect(await unknown.trailers).toMatchObject({ 'grpc-status': '12' });
    expect(service.subscriberCount).toBe(1);
  });

  test('a request over the limit is refused as RESOURCE_EXHAUSTED, compressed or not; one of the limit is not', async () => {
    const maxMessageBytes = 1000;
    const service = await serve({}, { publicWay, maxMessageBytes });
    const session = rawSession(service.port);
    const { requestSerialize } = eventServiceDefinition.subscribe!;
    // A query may say anything, so a request can have any size.
    const least = requestSerialize({ uri: { path: '*', query: 'a'.repeat(200) } }).length - 200;
    const requestOf = (size: number) => requestSerialize({ uri: { path: '*', query: 'a'.repeat(size - least) } });
    const sizes = fc.oneof(
      fc.integer({ min: maxMessageBytes - 3, max: maxMessageBytes + 3 }),
      fc.integer({ min: 300, max: 10_000 }),
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), fc.nat(), async (size, compressed, cutAt) => {
        const request = requestOf(size);
        expect(request.length).toBe(size);
        const message = frameOf(compressed ? gzipSync(request) : request, { compressed });
        const call = new RawCall(session, compressed ? { 'grpc-encoding': 'gzip' } : {});
        call.stream.write(message.subarray(0, cutAt % message.length));
        call.stream.end(message.subarray(cutAt % message.length));
        const answer = await call.headers;
        if (size > maxMessageBytes) expect(answer['grpc-status']).toBe('8');
        else expect(answer).not.toHaveProperty('grpc-status');
        call.stream.close(constants.NGHTTP2_CANCEL);
      }),
      { numRuns: 60 },
    );
  });

  test('a subscription that runs into its deadline is told so behind whole messages, and is gone', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const call = await rawSubscriber(service, { 'grpc-timeout': '150m' });
    let over = false;
    const trailers = call.trailers.finally(() => {
      over = true;
    });
    while (!over) {
      await service.publish('/a', randomBytes(9000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await trailers).toMatchObject({ 'grpc-status': '4' });
    await until(() => service.subscriberCount === 0);
    const came = digests(call);
    expect(came.length).toBeGreaterThan(0);
    expect(came).toEqual(sent.slice(0, came.length));
  });

  test('what is published in the very tick of the end arrives before the status', async () => {
    const { service, sent } = await furrowPublisher({ publicWay });
    const call = await rawSubscriber(service);
    for (const size of [10, 40_000, 20]) void service.publish('/a', randomBytes(size));
    service.close();
    expect(await call.trailers).toMatchObject({ 'grpc-status': '14' });
    expect(digests(call)).toEqual(sent);
    expect(sent).toHaveLength(3);
  });

  test('status and message stand in the trailers, percent-encoded; a refusal has nothing else', async () => {
    const name = 'größe 100%';
    const service = await serve(
      { name, published: [published('/a', { type: bytes })] },
      { publicWay, health: false, maxSubscribers: 1 },
    );
    const session = rawSession(service.port);
    const call = new RawCall(session);
    call.stream.end(subscribeFrame('*', ''));
    // Node adds a symbol.
    expect(Object.fromEntries(Object.entries(await call.headers))).toEqual({
      ':status': 200,
      'content-type': 'application/grpc+proto',
      'grpc-accept-encoding': 'identity,deflate,gzip',
      'grpc-encoding': 'identity',
      'furrow-version': expect.any(String),
      'furrow-epoch': expect.any(String),
      'furrow-first-bin': expect.any(String),
      date: expect.any(String),
    });
    const refused = new RawCall(session);
    refused.stream.end(subscribeFrame('*', ''));
    const headers = await refused.headers;
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc+proto', 'grpc-status': '8' });
    expect(headers['grpc-message']).toBe('service%20gr%C3%B6%C3%9Fe%20100%25%20has%201%20subscribers%20already');
    await once(refused.stream, 'close');
    expect(refused.body).toHaveLength(0);

    const detail = subscribe('grpc-js', service.port, { path: '*' }).ended;
    expect(await detail).toEqual({ code: 'RESOURCE_EXHAUSTED', details: `service ${name} has 1 subscribers already` });
    const drained = service.drain();
    expect(await call.trailers).toMatchObject({
      'grpc-status': '14',
      'grpc-message': 'service%20gr%C3%B6%C3%9Fe%20100%25%20is%20shutting%20down',
      'furrow-version': expect.any(String),
    });
    await drained;
  });
});
