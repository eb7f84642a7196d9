import { MeshError, type RequestContext } from 'furrow';
import { TestClock } from 'furrow/testing';
import { describe, expect, test } from 'vitest';
import { plainClient } from './plain-client.js';
import { requestWays, takeWay } from './request-ways.js';
import { clientAt, clientOf, int32, keepingLogger, serve, until } from './running.js';

const string = 'google.protobuf.StringValue';
const declared = (path: string, request = int32.type, reply = int32.type) => ({ path, request, reply });
const double = { requests: [declared('/double')] };
const uri = (path: string, query = `type=${int32.type}&pb=${int32.pb}&service_name=agent-1`) => ({
  scheme: 'protobuf',
  path,
  query,
});

async function doubling(options: Parameters<typeof serve>[1] = {}) {
  const service = await serve(double, options);
  service.onRequest('/double', (value: number) => value * 2);
  return service;
}

describe.each(requestWays)('over %s', (way) => {
  takeWay(way);

  test('a request and its reply carry the stamps, the path and the sequence of the contract', async () => {
    const clock = new TestClock({ host: 'tractor', monotonic: 5, system: 100 });
    const service = await serve(double, { clock });
    let asked: RequestContext | undefined;
    service.onRequest('/double', (value: number, context) => {
      asked = context;
      return value * 2;
    });
    const client = clientOf(service, { clock: new TestClock({ host: 'phone', monotonic: 7, system: 200 }) });
    await client.request('/double', 1);
    const reply = await client.request('/double', 21);
    expect(reply.message).toBe(42);
    expect(reply.sequence).toBe(1);
    expect(reply.uri).toEqual({
      scheme: 'protobuf',
      authority: 'tractor',
      path: '/reply/request/double',
      query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=agent-1',
    });
    expect(reply.payloadLength).toBe(reply.payload.length);
    expect(reply.timestamps).toEqual([
      { stamp: 5, clockName: 'tractor/monotonic', semantics: 'service/send' },
      { stamp: 100, clockName: 'tractor/system_clock/UTC', semantics: 'service/send' },
      { stamp: 7, clockName: 'phone/monotonic', semantics: 'client/receive' },
    ]);
    expect(asked!.path).toBe('/double');
    expect(asked!.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(asked!.event.uri.query).toMatch(/&service_name=agent-1$/);
    expect(asked!.event.timestamps).toEqual([
      { stamp: 7, clockName: 'phone/monotonic', semantics: 'client/send' },
      { stamp: 200, clockName: 'phone/system_clock/UTC', semantics: 'client/send' },
      { stamp: 5, clockName: 'tractor/monotonic', semantics: 'service/receive' },
    ]);
  });

  test('sequences count for each client and path', async () => {
    const service = await doubling();
    service.onRequest('/other', () => 1, { request: int32.type, reply: int32.type });
    const [one, other] = [clientOf(service), clientOf(service)];
    await one.request('/double', 1);
    expect((await one.request('/other', 1, { type: int32.type })).sequence).toBe(0);
    expect((await other.request('/double', 1)).sequence).toBe(0);
    expect((await one.request('double', 1)).sequence).toBe(1);
  });

  test('a plain client is answered, its sequence echoed', async () => {
    const service = await doubling();
    const reply = await plainClient(service.port).request(uri('/double'), Buffer.from([0x08, 21]));
    expect(reply.event.sequence).toBe(7);
    expect(reply.payload).toEqual(Buffer.from([0x08, 42]));
  });

  test.each(['', 'a=b=c', 'service_name=agent-1', 'type=google.protobuf.Int32Value&x=y=z'])(
    'the query "%s" of a request is legal',
    async (query) => {
      const service = await doubling();
      const reply = await plainClient(service.port).request(uri('/double', query), Buffer.from([0x08, 21]));
      expect(reply.payload).toEqual(Buffer.from([0x08, 42]));
    },
  );

  test('an unknown path is UNIMPLEMENTED, with the paths that exist and a suggestion', async () => {
    const service = await doubling();
    await expect(clientOf(service).request('/doubel', 1, { type: int32.type })).rejects.toMatchObject({
      code: 'unimplemented',
      message: expect.stringMatching(/request agent-1\/doubel: .*did you mean "\/double"\?; it answers "\/double"/),
    });
    await expect(plainClient(service.port).request(uri('/nothing'))).rejects.toMatchObject({ code: 12 });
  });

  test('a wrong type names both', async () => {
    const service = await doubling();
    await expect(clientOf(service).request('/double', 'x', { type: string })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(
        /agent-1\/double takes google\.protobuf\.Int32Value.*google\.protobuf\.StringValue/,
      ),
    });
  });

  test('a message that does not fit never leaves the client', async () => {
    const service = await doubling();
    await expect(clientOf(service).request('/double', 'x')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(clientOf(service).request('/undeclared', 1)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/agent-1\/undeclared has no message type.*declared are "\/double"/),
    });
  });

  test.each([1, 3])('a payload of two bytes that is said to have %i is refused', async (length) => {
    const service = await doubling();
    await expect(plainClient(service.port).request(uri('/double'), Buffer.from([8, 1]), length)).rejects.toMatchObject({
      code: 3,
      details: `agent-1/double: the request says its payload has ${length} bytes; 2 came`,
    });
  });

  test('a payload that is not of its type, no event, no URI and an endless path are refused by name', async () => {
    const service = await doubling();
    const plain = plainClient(service.port);
    const refused = (details: RegExp) => ({ code: 3, details: expect.stringMatching(details) });
    await expect(plain.request(uri('/double'), Buffer.from([0x08]))).rejects.toMatchObject(refused(/Int32Value/));
    await expect(plain.requestWithoutEvent()).rejects.toMatchObject(refused(/no event/));
    await expect(plain.request({})).rejects.toMatchObject(refused(/no URI path/));
    await expect(plain.request(uri(`/${'x'.repeat(9999)}`))).rejects.toMatchObject(refused(/10000 characters.*1024/));
    // A pair of surrogates lies across the place where the message cuts such a path.
    for (const path of [`/${'😀'.repeat(5000)}`, `//${'😀'.repeat(5000)}`]) {
      await expect(plain.request(uri(path))).rejects.toMatchObject(refused(/characters/));
      await expect(plain.subscribe(uri(path)).toArray()).rejects.toMatchObject(refused(/characters/));
    }
    expect((await clientOf(service).request('/double', 4)).message).toBe(8);
  });

  test('an unknown type reaches a handler that takes anything, as bytes', async () => {
    const service = await serve();
    service.onRequest('/any', (message) => `${Buffer.isBuffer(message)} ${message}`, { reply: string });
    const query = 'type=nobody.Knows&pb=nobody.proto&service_name=agent-1';
    const reply = await plainClient(service.port).request(uri('/any', query), Buffer.from('raw'));
    expect(reply.payload.subarray(2).toString()).toBe('true raw');
  });

  test('a message over the limit is refused by either end that would take it', async () => {
    const service = await serve({ requests: [declared('/long', string, string)] }, { maxMessageBytes: 10_000 });
    service.onRequest('/long', (text: string) => text.repeat(3));
    const small = clientOf(service, { maxMessageBytes: 5000 });
    await expect(small.request('/long', 'x'.repeat(20_000))).rejects.toMatchObject({ code: 'resource-exhausted' });
    await expect(small.request('/long', 'x'.repeat(3000))).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('limit is 5000'),
    });
    expect((await small.request('/long', 'x')).message).toBe('xxx');
  });

  test('the default limit is 4 MiB', async () => {
    const service = await serve({ requests: [declared('/long', string, int32.type)] });
    service.onRequest('/long', (text: string) => text.length);
    const client = clientOf(service);
    expect((await client.request('/long', 'x'.repeat(4_000_000))).message).toBe(4_000_000);
    await expect(client.request('/long', 'x'.repeat(4_194_304))).rejects.toMatchObject({ code: 'resource-exhausted' });
  });

  test('what a handler throws reaches its caller with code and message, and the log', async () => {
    const logger = keepingLogger();
    const service = await serve({}, { logger });
    const types = { request: int32.type, reply: int32.type };
    service.onRequest('/mesh', () => Promise.reject(new MeshError('aborted', 'the bucket is full')), types);
    service.onRequest(
      '/plain',
      () => {
        throw new RangeError('off the field');
      },
      types,
    );
    service.onRequest('/odd', () => Promise.reject('just text'), types);
    service.onRequest('/long', () => Promise.reject(new Error('\ud83d'.repeat(100_000))), types);
    service.onRequest('/away', () => Promise.reject(new MeshError('unavailable', 'storage is away')), types);
    const client = clientOf(service);
    const ask = (path: string) => client.request(path, 1, { type: int32.type });
    await expect(ask('/mesh')).rejects.toMatchObject({
      code: 'aborted',
      message: `request agent-1/mesh: 127.0.0.1:${service.port}: the bucket is full`,
    });
    await expect(ask('/plain')).rejects.toMatchObject({
      code: 'unknown',
      message: expect.stringMatching(/off the field$/),
    });
    await expect(ask('/odd')).rejects.toMatchObject({ code: 'unknown', message: expect.stringMatching(/just text$/) });
    await expect(ask('/long')).rejects.toMatchObject({ code: 'unknown' });
    // Not agent-1 is away: it says so of another.
    await expect(ask('/away')).rejects.toMatchObject({
      code: 'unavailable',
      message: `request agent-1/away: 127.0.0.1:${service.port}: storage is away`,
    });
    expect(client.state.status).toBe('idle');
    expect(logger.lines).toContain('error: request agent-1/mesh failed: aborted: the bucket is full');
    expect(logger.lines).toContain('error: request agent-1/plain failed: unknown: off the field');
  });

  test('a reply that does not fit is the service’s fault', async () => {
    const service = await serve(double);
    service.onRequest('/double', () => 'text');
    await expect(clientOf(service).request('/double', 1)).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/handler of agent-1\/double gave no valid reply/),
    });
  });

  test('a handler that gives nothing answers with an empty message', async () => {
    const service = await serve({ requests: [declared('/set', int32.type, 'google.protobuf.Empty')] });
    service.onRequest('/set', () => undefined);
    const reply = await clientOf(service).request('/set', 1);
    expect(reply.type).toBe('google.protobuf.Empty');
    expect(reply.payload).toHaveLength(0);
    expect(reply.message).toEqual({});
  });

  test('a handler that never answers costs its caller the deadline, and hears of it', async () => {
    const service = await serve(double);
    let signal: AbortSignal | undefined;
    service.onRequest('/double', (_, context) => {
      signal = context.signal;
      return new Promise(() => undefined);
    });
    await expect(clientOf(service).request('/double', 1, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
      message: expect.stringMatching(/request agent-1\/double: .*within 50 ms/),
    });
    await until(() => signal!.aborted);
  });

  test('a caller can take its request back, and the handler hears of it', async () => {
    const service = await serve(double);
    let signal: AbortSignal | undefined;
    service.onRequest('/double', (_, context) => {
      signal = context.signal;
      return new Promise(() => undefined);
    });
    const client = clientOf(service);
    const taking = new AbortController();
    const request = client.request('/double', 1, { signal: taking.signal });
    request.catch(() => undefined);
    await until(() => signal !== undefined);
    taking.abort();
    await expect(request).rejects.toMatchObject({ code: 'cancelled' });
    await until(() => signal!.aborted);
    await expect(client.request('/double', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  test('a signal of a request that was answered does not abort', async () => {
    const service = await serve(double);
    let signal: AbortSignal | undefined;
    service.onRequest('/double', (value: number, context) => {
      signal = context.signal;
      return value;
    });
    const client = clientOf(service);
    await client.request('/double', 1);
    // The call is over for both ends when a second one has been answered.
    const first = signal!;
    await client.request('/double', 1);
    expect(first.aborted).toBe(false);
  });

  test('closing the client ends its requests', async () => {
    const service = await serve(double);
    let asked = false;
    service.onRequest('/double', () => {
      asked = true;
      return new Promise(() => undefined);
    });
    const client = clientOf(service);
    const request = client.request('/double', 1);
    request.catch(() => undefined);
    await until(() => asked);
    client.close();
    await expect(request).rejects.toMatchObject({ code: 'cancelled', message: expect.stringContaining('was closed') });
    await expect(client.request('/double', 1)).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(client.listUris()).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  test('one wildcard handler answers all below, the longest prefix first, an exact one before it', async () => {
    const service = await serve({ requests: [declared('/header/*', int32.type, string)] });
    service.onRequest('/header/*', (_, { path }) => `all ${path}`);
    service.onRequest('/header/map/*', (_, { path }) => `map ${path}`, { reply: string });
    service.onRequest('/header/map/one', () => 'exact', { reply: string });
    const client = clientOf(service);
    const answer = async (path: string) => (await client.request(path, 1)).message;
    expect(await answer('/header/x')).toBe('all /header/x');
    expect(await answer('/header/map/x')).toBe('map /header/map/x');
    expect(await answer('/header/map/one')).toBe('exact');
    expect(() => service.onRequest('header/*', () => 'again')).toThrow(
      /agent-1\/header\/\* has a request handler already/,
    );
  });

  test('no more requests at once than the port allows; the others go on', async () => {
    const service = await serve(double, { maxRequests: 2 });
    const open: (() => void)[] = [];
    service.onRequest(
      '/double',
      (value: number) => new Promise<number>((resolve) => open.push(() => resolve(value * 2))),
    );
    const client = clientOf(service);
    const held = [client.request('/double', 1), client.request('/double', 2)];
    await until(() => open.length === 2);
    await expect(client.request('/double', 3)).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('2 requests are under way'),
    });
    for (const answer of open) answer();
    expect((await Promise.all(held)).map(({ message }) => message)).toEqual([2, 4]);
    const next = client.request('/double', 3);
    await until(() => open.length === 3);
    open[2]!();
    expect((await next).message).toBe(6);
  });

  test('an absent service fails a request at once, or it waits within its deadline', async () => {
    const gone = await doubling();
    const { port } = gone;
    gone.close();
    const client = clientAt(port, double);
    await expect(client.request('/double', 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(new RegExp(`agent-1 at 127\\.0\\.0\\.1:${port} is away`)),
    });
    expect(client.state.status).toBe('away');
    await expect(client.request('/double', 1, { waitForReady: true, timeoutMs: 150 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    });
    const waiting = client.request('/double', 4, { waitForReady: true, timeoutMs: 10_000 });
    const back = await serve({ ...double, port });
    back.onRequest('/double', (value: number) => value * 2);
    expect((await waiting).message).toBe(8);
    expect(client.state.status).toBe('connected');
  });

  test('an error of a peer of another version says both versions', async () => {
    const service = await serve(double);
    const client = clientOf(service);
    Reflect.set(client, 'version', '9.9.9');
    await expect(client.request('/double', 1)).rejects.toThrow(/\(furrow \d+\.\d+\.\d+; this is 9\.9\.9\)/);
    await expect(clientOf(service).request('/double', 1)).rejects.not.toThrow(/furrow \d/);
  });
});
