import { EventService, MeshEvent } from 'furrow';
import { TestClock } from 'furrow/testing';
import { expect, test } from 'vitest';
import { encodeEvent } from '../../src/messages/envelope.js';
import { answered, plainClient } from './plain-client.js';
import {
  clientOf,
  entry,
  gather,
  int32,
  published,
  registry,
  serve,
  struct,
  subscribersOf,
  take,
  until,
} from './running.js';

const sample = published('/sample');

test('sequences count from 0, for each path, whether or not somebody listens', async () => {
  const service = await serve({ published: [sample, published('/other')] });
  expect(await service.publish('/sample', 1)).toEqual({ sequence: 0, subscribers: 0, dropped: 0 });
  expect(await service.publish('/sample', 2)).toEqual({ sequence: 1, subscribers: 0, dropped: 0 });
  expect((await service.publish('/other', 1)).sequence).toBe(0);
  const stream = gather(clientOf(service).events('/sample'));
  await until(() => subscribersOf(service).length === 1);
  expect(await service.publish('/sample', 3)).toEqual({ sequence: 2, subscribers: 1, dropped: 0 });
  await until(() => stream.items.length === 1);
  expect(stream.items[0]).toMatchObject({ sequence: 2, message: 3 });
});

test('a path without its slash is the same path', async () => {
  const service = await serve({ published: [sample] });
  await service.publish('sample', 1);
  expect((await service.publish('/sample', 1)).sequence).toBe(1);
});

test('two services in one process count apart', async () => {
  const [one, other] = await Promise.all([serve({ published: [sample] }), serve({ published: [sample] })]);
  await one.publish('/sample', 1);
  expect((await other.publish('/sample', 1)).sequence).toBe(0);
});

test('an event carries the two stamps of its clocks behind those it was given, its length and a query of three parts', async () => {
  const clock = new TestClock({ host: 'tractor', monotonic: 12.5, system: 99.25 });
  const service = await serve({ published: [sample] }, { clock });
  const call = plainClient(service.port).subscribe({ path: '/sample' });
  await answered(call);
  const device = { stamp: 1.5, clockName: 'camera/clock', semantics: 'device/sample' };
  await service.publish('/sample', 300, { timestamps: [device] });
  const [reply] = await take(call, 1);
  expect(reply!.event.timestamps).toEqual([
    { stamp: 1.5, clock_name: 'camera/clock', semantics: 'device/sample' },
    { stamp: 12.5, clock_name: 'tractor/monotonic', semantics: 'service/send' },
    { stamp: 99.25, clock_name: 'tractor/system_clock/UTC', semantics: 'service/send' },
  ]);
  expect(reply!.event.payload_length).toBe(reply!.payload.length);
  expect(reply!.payload.length).toBe(3);
  expect(reply!.event.uri).toEqual({
    scheme: 'protobuf',
    authority: 'tractor',
    path: '/sample',
    query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=agent-1',
  });
});

test('an event of a path that declares history and latch still has exactly three query parts', async () => {
  const service = await serve({ published: [published('/sample', { history: 3, latch: true })] });
  await service.publish('/sample', 1);
  const [event] = await take(clientOf(service).events('/sample'), 1);
  expect(event!.uri.query.split('&').map((part) => part.split('=')[0])).toEqual(['type', 'pb', 'service_name']);
});

test('however many listen, a message is encoded once', async () => {
  const service = await serve({ published: [sample] });
  const client = clientOf(service);
  const streams = Array.from({ length: 20 }, () => gather(client.events('/sample')));
  await until(() => subscribersOf(service).length === 20);
  let encoded = 0;
  const encode = service.registry.encode.bind(service.registry);
  service.registry.encode = (type, value) => {
    encoded += 1;
    return encode(type, value);
  };
  try {
    await service.publish('/sample', 1);
  } finally {
    Reflect.deleteProperty(service.registry, 'encode');
  }
  await until(() => streams.every(({ items }) => items.length === 1));
  expect(encoded).toBe(1);
});

test('a path keeps its type: another one is an error that names both, and harms nothing', async () => {
  const service = await serve({ published: [sample] });
  const wrong = service.publish('/sample', { a: 1 }, { type: struct.type });
  await expect(wrong).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/agent-1\/sample.*google\.protobuf\.Int32Value.*google\.protobuf\.Struct/),
  });
  expect((await service.publish('/sample', 1)).sequence).toBe(0);
});

test('a message that does not fit its type is an error that names the path, and takes no sequence', async () => {
  const service = await serve({ published: [sample] });
  await expect(service.publish('/sample', 'seven')).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('agent-1/sample'),
  });
  expect((await service.publish('/sample', 7)).sequence).toBe(0);
});

test('an undeclared path needs a type, and takes it with its first message', async () => {
  const service = await serve({ published: [sample] });
  await expect(service.publish('/undeclared', 1)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/agent-1\/undeclared has no message type.*"\/sample"/),
  });
  expect((await service.publish('/undeclared', 1, { type: int32.type })).sequence).toBe(0);
  expect((await service.publish('/undeclared', 2)).sequence).toBe(1);
  expect(service.listUris().map(({ path }) => path)).toContain('/undeclared');
});

test('a misspelt type is an error with a suggestion, and does not stick to the path', async () => {
  const service = await serve();
  await expect(service.publish('/x', 1, { type: 'google.protobuf.Int32Valu' })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringMatching(/agent-1\/x.*did you mean "google.protobuf.Int32Value"/),
  });
  expect((await service.publish('/x', 1, { type: int32.type })).sequence).toBe(0);
});

test.each(['*', '/gps/*', ''])('"%s" is no path to publish on', async (path) => {
  const service = await serve();
  await expect(service.publish(path, 1, { type: int32.type })).rejects.toMatchObject({ code: 'invalid-argument' });
  const event = { uri: { scheme: 'protobuf', authority: '', path, query: '' }, timestamps: [] };
  await expect(
    service.publishEvent({ ...event, payloadLength: 0, sequence: 0 }, new Uint8Array(0)),
  ).rejects.toMatchObject({ code: 'invalid-argument' });
});

test('an event over the limit is refused where it is published', async () => {
  const service = await serve({}, { maxMessageBytes: 1000 });
  await expect(service.publish('/x', 'x'.repeat(1000), { type: 'google.protobuf.StringValue' })).rejects.toMatchObject({
    code: 'resource-exhausted',
    message: expect.stringMatching(/agent-1\/x.*limit of 1000/),
  });
  expect((await service.publish('/x', 'x', { type: 'google.protobuf.StringValue' })).sequence).toBe(0);
});

test('listUris has the declared paths and /health from the start', async () => {
  const service = await serve({ published: [sample] });
  const uris = await clientOf(service).listUris();
  expect(uris.map(({ path }) => path)).toEqual(['/sample', '/health']);
  expect(uris[0]!.query).toBe('type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=agent-1');
});

const replayed = {
  uri: {
    scheme: 'protobuf',
    authority: 'other-host',
    path: '/sample',
    query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=recorded',
  },
  timestamps: [{ stamp: 5, clockName: 'other-host/monotonic', semantics: 'service/send' }],
  payloadLength: 2,
  sequence: 41,
};

test('publishEvent sends an event as it is, to the byte', async () => {
  const service = await serve();
  const stream = gather(clientOf(service).events('/sample'));
  await until(() => subscribersOf(service).length === 1);
  const payload = registry.encode(int32.type, 7);
  const eventBytes = Buffer.concat([encodeEvent(replayed), Buffer.from([0xfa, 0x3f, 0x01, 0x21])]);
  const event = new MeshEvent(eventBytes, Buffer.from(payload), { registry, unknownType: () => undefined });
  expect(await service.publishEvent(event, payload)).toEqual({ sequence: 41, subscribers: 1, dropped: 0 });
  await until(() => stream.items.length === 1);
  expect(stream.items[0]!.eventBytes).toEqual(eventBytes);
  expect(stream.items[0]!.message).toBe(7);
  // The path's own events go on from there.
  expect((await service.publish('/sample', 8)).sequence).toBe(42);
});

test('a recording that is played again arrives again, without a gap told', async () => {
  const service = await serve();
  const stream = clientOf(service).events('/sample');
  const gaps: unknown[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const { items } = gather(stream);
  await until(() => subscribersOf(service).length === 1);
  const payload = registry.encode(int32.type, 7);
  for (const sequence of [0, 1, 2, 0, 1, 2]) await service.publishEvent({ ...replayed, sequence }, payload);
  await until(() => items.length === 6);
  expect(items.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 0, 1, 2]);
  expect(gaps).toEqual([]);
});

test('publishEvent refuses a wrong length and another type', async () => {
  const service = await serve({ published: [published('/sample', { type: struct })] });
  await expect(service.publishEvent(replayed, new Uint8Array(3))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/2 bytes of payload; 3 were given/),
  });
  await expect(service.publishEvent(replayed, new Uint8Array(2))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(/google\.protobuf\.Struct.*google\.protobuf\.Int32Value/),
  });
});

test('published$ shows every event, completes on close, and may publish in turn', async () => {
  const service = await serve({ published: [sample] });
  const seen: [number, unknown][] = [];
  let completed = false;
  service.published$.subscribe({
    next: (event) => {
      if (event.path !== '/sample') return;
      seen.push([event.sequence, event.message]);
      if (event.message === 1) void service.publish('/sample', 2);
    },
    complete: () => {
      completed = true;
    },
  });
  await service.publish('/sample', 1);
  expect(seen).toEqual([
    [0, 1],
    [1, 2],
  ]);
  service.close();
  expect(completed).toBe(true);
});

test.each(['drain', 'close'] as const)('after %s publishing is an error', async (end) => {
  const service = await serve({ published: [sample] });
  await service[end]();
  const refused = { code: 'failed-precondition', message: expect.stringContaining('agent-1 is closed') };
  await expect(service.publish('/sample', 1)).rejects.toMatchObject(refused);
  await expect(service.publishEvent(replayed, new Uint8Array(2))).rejects.toMatchObject(refused);
});

test('an entry without a port is no server', () => {
  const { port: _, ...withoutPort } = entry({ name: 'profile' });
  expect(() => new EventService(withoutPort)).toThrow(/"profile" has no port/);
});
