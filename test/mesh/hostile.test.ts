import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import fc from 'fast-check';
import type { EventService } from 'furrow';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { framePrefix } from '../../src/wire/frames.js';
import { methodPaths } from '../../src/wire/methods.js';
import { answered, plainClient } from './plain-client.js';
import { clientOf, gather, published, serve, subscribersOf, until } from './running.js';

const surprises: unknown[] = [];
const note = (error: unknown) => surprises.push(error);
process.on('uncaughtExceptionMonitor', note);
afterEach(() => expect(surprises).toEqual([]));

/** A service with a listener who must not notice anything. */
async function witnessed(publicWay = false) {
  const service = await serve({ published: [published('/count')] }, { publicWay });
  const { items } = gather(clientOf(service).events('/count'));
  await until(() => subscribersOf(service).length === 1);
  return {
    service,
    goesOn: async () => {
      await service.publish('/count', 1);
      const sent = service.listUris().length;
      await until(() => items.length > 0);
      expect((await clientOf(service).listUris()).length).toBe(sent);
    },
  };
}

/** Sends bytes and waits until the service hangs up or answers. */
async function throwAt(service: EventService, bytes: Uint8Array): Promise<void> {
  const socket = connect(service.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.end(bytes);
  socket.resume();
  await once(socket, 'close');
}

test('garbage, a request of HTTP/1 and half a preface are turned away', async () => {
  const { service, goesOn } = await witnessed();
  await throwAt(service, Buffer.from('GET / HTTP/1.1\r\nHost: robot\r\n\r\n'));
  await throwAt(service, Buffer.from('PRI * HTTP/2.0\r\n'));
  await throwAt(service, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff'));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2000 }), (bytes) => throwAt(service, bytes)),
    { numRuns: 30 },
  );
  await goesOn();
});

test('calls that are not gRPC’s are answered, not served', async () => {
  const { service, goesOn } = await witnessed();
  const session = connectHttp2(`http://127.0.0.1:${service.port}`);
  onTestFinished(() => session.destroy());
  const ask = async (headers: Record<string, string>, body: Uint8Array) => {
    const stream = session.request(headers);
    stream.on('error', () => undefined);
    stream.end(body);
    const [answer] = await once(stream, 'response');
    stream.resume();
    return answer;
  };
  const grpc = {
    ':method': 'POST',
    ':path': methodPaths.subscribe,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  expect(
    (await ask({ ':method': 'POST', ':path': '/', 'content-type': 'text/html' }, Buffer.alloc(0)))[':status'],
  ).toBe(415);
  expect((await ask({ ...grpc, ':path': '/no.Such/method' }, Buffer.alloc(0)))['grpc-status']).toBe('12');
  // No message at all, one that is no SubscribeRequest, and half of one.
  expect((await ask(grpc, Buffer.alloc(0)))['grpc-status']).not.toBe('0');
  const broken = Buffer.from([0x0a, 0x50, 0x01]);
  expect((await ask(grpc, Buffer.concat([framePrefix(3), broken])))['grpc-status']).toBe('3');
  expect(
    (await ask({ ...grpc, ':path': methodPaths.requestReply }, Buffer.concat([framePrefix(3), broken])))['grpc-status'],
  ).toBe('3');
  const half = session.request({ ...grpc, ':path': methodPaths.requestReply });
  half.on('error', () => undefined);
  half.write(framePrefix(100));
  half.write(Buffer.alloc(20));
  await goesOn();
  half.close(constants.NGHTTP2_CANCEL);
  await goesOn();
});

test('random bytes as a request message are the caller’s fault', async () => {
  const { service, goesOn } = await witnessed();
  const session = connectHttp2(`http://127.0.0.1:${service.port}`);
  onTestFinished(() => session.destroy());
  const status = async (path: string, message: Uint8Array) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    stream.end(Buffer.concat([framePrefix(message.length), message]));
    const [answer] = await once(stream, 'response');
    stream.close(constants.NGHTTP2_CANCEL);
    return Number(answer['grpc-status'] ?? 0);
  };
  // OK for a subscription that happens to be one; invalid-argument, not-found or unimplemented for the rest.
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (message) => {
      expect([3]).toContain(await status(methodPaths.requestReply, message));
      expect([0, 3]).toContain(await status(methodPaths.subscribe, message));
    }),
    { numRuns: 100 },
  );
  await goesOn();
});

test.each([
  ['fast path', false],
  ['public way', true],
])('a client that resets streams as fast as it can leaves nothing behind (%s)', async (_, publicWay) => {
  const { service, goesOn } = await witnessed(publicWay);
  const request = service.registry.encode('farm_ng.core.proto.SubscribeRequest', { uri: { path: '/count' } });
  const message = Buffer.concat([framePrefix(request.length), request]);
  const headers = {
    ':method': 'POST',
    ':path': methodPaths.subscribe,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  const session = connectHttp2(`http://127.0.0.1:${service.port}`);
  session.on('error', () => undefined);
  await once(session, 'connect');
  let closed = false;
  session.on('close', () => {
    closed = true;
  });
  for (let burst = 0; burst < 50 && !closed; burst++) {
    for (let each = 0; each < 40 && !session.closed && !session.destroyed; each++) {
      const stream = session.request(headers);
      stream.on('error', () => undefined);
      stream.end(message);
      // Some before the service has seen them, some after.
      if (each % 2 === 0) stream.close(constants.NGHTTP2_CANCEL);
      else setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await goesOn();
  session.destroy();
  await until(() => subscribersOf(service).length === 1);
  await goesOn();
});

test.each([
  ['fast path', false],
  ['public way', true],
])('a client that opens subscriptions and drops its connection leaves nothing behind (%s)', async (_, publicWay) => {
  const { service, goesOn } = await witnessed(publicWay);
  for (let round = 0; round < 5; round++) {
    const plain = plainClient(service.port, { 'grpc.use_local_subchannel_pool': 1 });
    const calls = Array.from({ length: 50 }, () => plain.subscribe({ path: '*' }));
    await Promise.all(calls.map(answered));
    for (const call of calls) call.cancel();
    plain.close();
  }
  await until(() => subscribersOf(service).length === 1);
  await goesOn();
});
