import { afterEach, expect, it } from 'vitest';
import { EventServer, EventService, MeshError, TypeRegistry } from '../../src/index.js';
import { freePorts } from '../process.js';
import { describeWithPython } from './python-peer.js';
import { serviceConfig } from './service-config.js';

const int32 = 'google.protobuf.Int32Value';
const struct = 'google.protobuf.Struct';
const empty = 'google.protobuf.Empty';

const services: { close(): void }[] = [];
afterEach(() => {
  for (const service of services.splice(0)) service.close();
});

async function start(config: ReturnType<typeof serviceConfig>) {
  const service = new EventService(config);
  services.push(service);
  await service.start();
  return service;
}

describeWithPython('Python subscribes to our service', (peer) => {
  const subscribe = (service: EventService, path: string, options: object = {}) =>
    peer.probe('subscribe', { address: `localhost:${service.port}`, path, ...options });

  it('decodes a Struct and an Int32Value, whose events are as the contract says', async () => {
    const service = await start(serviceConfig('agent-1', { '/sample': { type: struct, latch: true }, '/n': int32 }));
    const sample = { sample: 0.7213814924044664, task_id: 1, nested: { list: [1, 'two', null, true], none: {} } };
    await service.publish('/sample', sample);
    const subscriber = subscribe(service, '/sample', { query: 'service_name=agent-1', count: 1 });
    const { event, message, payloadHex } = await subscriber.next('event');
    expect(message).toEqual(sample);
    expect(event.uri).toEqual({
      scheme: 'protobuf',
      authority: service.clock.host,
      path: '/sample',
      query: 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=agent-1',
    });
    expect(event.timestamps.map(({ semantics, clockName }) => [semantics, clockName])).toEqual([
      ['service/send', service.clock.monotonicName],
      ['service/send', service.clock.systemName],
      // Python calls its own host by its own name.
      ['client/receive', expect.stringMatching(/\/monotonic$/)],
    ]);
    const [sent, , received] = event.timestamps;
    expect(received!.stamp).toBeGreaterThan(sent!.stamp);
    expect(received!.stamp - sent!.stamp).toBeLessThan(60);
    expect(event).toMatchObject({ sequence: '0', payloadLength: String(payloadHex.length / 2) });

    await service.publish('/n', -455, { latch: true });
    expect(await subscribe(service, '/n', { count: 1 }).next('event')).toMatchObject({
      message: -455,
      event: {
        uri: { query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=agent-1' },
      },
    });
  });

  it('gets the latched event first and once, then every live one, and nothing else', async () => {
    const service = await start(serviceConfig('storage', { '/residual': { type: int32, latch: true, history: 5 } }));
    for (const value of [1, 2, 3]) await service.publish('/residual', value);
    const subscriber = subscribe(service, '/residual', { raw: true, count: 4 });
    await subscriber.next('event');
    for (const value of [4, 5, 6]) await service.publish('/residual', value);
    expect(await subscriber.exit).toMatchObject({ code: 0 });
    expect(subscriber.taken('event').map(({ event, payloadHex }) => [event.sequence, payloadHex])).toEqual([
      ['3', '0804'],
      ['4', '0805'],
      ['5', '0806'],
    ]);
    expect(subscriber.taken('open')[0]?.metadata).toMatchObject({ 'furrow-epoch': expect.any(String) });
  });

  it('gets every n-th event of a path, every event of `*`, and of a path without its slash', async () => {
    const service = await start(serviceConfig('agent-1', { '/a': int32, '/b': int32 }));
    const third = subscribe(service, '/a', { everyN: 3, count: 3 });
    const all = subscribe(service, '*', { everyN: 1 });
    const bare = subscribe(service, 'b', { count: 1 });
    // Headers come when the subscription is in place.
    await Promise.all([third, all, bare].map((probe) => probe.next('open')));
    for (let value = 0; value < 7; value += 1) await service.publish('/a', value);
    await service.publish('/b', 9);
    expect((await third.take('event', 3)).map(({ message }) => message)).toEqual([0, 3, 6]);
    expect(await bare.next('event')).toMatchObject({ message: 9, event: { uri: { path: '/b' } } });
    await all.next('event', ({ event }) => event.uri.path === '/b');
    expect(
      all
        .taken('event')
        .filter(({ event }) => event.uri.path === '/a')
        .map(({ message }) => message),
    ).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('reads our health', async () => {
    const service = await start(serviceConfig('agent-1', { '/a': int32 }));
    for (const value of [1, 2, 3]) await service.publish('/a', value);
    const health = await subscribe(service, '/health', { count: 1 }).next('event');
    expect(health.message).toMatchObject({
      '/a/send_count': 3,
      '/a/send_clients': 0,
      '/a/rate': expect.any(Number),
      '/a/dropped': 0,
    });
    expect(health.event.uri.query).toBe(`type=${struct}&pb=google/protobuf/struct.proto&service_name=agent-1`);
  });

  it('survives our drain: the stream ends with an error status, and it comes back to the next start', async () => {
    const [port] = await freePorts(1);
    const config = serviceConfig('storage', { '/residual': { type: int32, latch: true } }, {}, port);
    const first = await start(config);
    await first.publish('/residual', 1);
    const subscriber = subscribe(first, '/residual', { reconnect: true, count: 2 });
    await subscriber.next('event');
    await first.drain();
    expect(await subscriber.next('end')).toMatchObject({
      code: 'UNAVAILABLE',
      details: expect.stringContaining('storage'),
    });
    const second = await start(config);
    await second.publish('/residual', 2);
    expect(await subscriber.next('event')).toMatchObject({ message: 2, event: { sequence: '0' } });
    expect(await subscriber.exit).toMatchObject({ code: 0 });
  });

  it('tells two services of one port apart by name', async () => {
    const server = new EventServer('localhost', 0, new TypeRegistry());
    services.push(server);
    for (const [value, name] of ['oak/0', 'oak/1'].entries()) {
      const service = new EventService(serviceConfig(name, { '/n': { type: int32, latch: true } }), { server });
      service.onRequest('/which', () => value, { request: empty, reply: int32 });
      await service.start();
      await service.publish('/n', value);
      services.push(service);
    }
    const address = `localhost:${server.port}`;
    const event = async (path: string, query: string) =>
      (await peer.probe('subscribe', { address, path, query, count: 1 }).next('event')).message;
    const asked = async (name: string) =>
      (await peer.probe('request', { address, name, path: '/which' }).next('reply')).message;
    expect(
      await Promise.all([
        event('/n', 'service_name=oak/0'),
        event('/n', 'service_name=oak/1'),
        event('oak/1/n', ''),
        asked('oak/0'),
        asked('oak/1'),
      ]),
    ).toEqual([0, 1, 1, 0, 1]);
    const lost = await peer.probe('subscribe', { address, path: '/n' }).next('end');
    expect(lost.details).toContain('oak/0');
    const { uris } = await peer.probe('list-uris', { address }).next('uris');
    expect(uris.filter(({ path }) => path === '/n').map(({ query }) => query)).toEqual(
      ['oak/0', 'oak/1'].map((name) => `type=${int32}&pb=google/protobuf/wrappers.proto&service_name=${name}`),
    );
  });
});

describeWithPython('Python asks our service', (peer) => {
  it('is answered with the path, the stamps and the sequence of the contract', async () => {
    const requests = { '/update_storage': [empty, int32], '/twice': [int32, int32] } as const;
    const service = await start(serviceConfig('storage', {}, requests));
    const seen: string[][] = [];
    service.onRequest('/update_storage', () => 455);
    service.onRequest('/twice', (value: number, { event }) => {
      seen.push(event.timestamps.map(({ semantics }) => semantics));
      return 2 * value;
    });
    const address = `localhost:${service.port}`;
    const [residual, twice] = await Promise.all([
      peer.probe('request', { address, name: 'storage', path: '/update_storage' }).next('reply'),
      peer
        .probe('request', { address, name: 'storage', path: '/twice', type: int32, json: 21, count: 3 })
        .take('reply', 3),
    ]);
    expect(residual).toMatchObject({
      message: 455,
      event: {
        payloadLength: '3',
        uri: {
          scheme: 'protobuf',
          path: '/reply/request/update_storage',
          query: `type=${int32}&pb=google/protobuf/wrappers.proto&service_name=storage`,
        },
      },
    });
    expect(residual.event.timestamps.map(({ semantics }) => semantics)).toEqual([
      'service/send',
      'service/send',
      'client/receive',
    ]);
    expect(twice.map(({ message, event }) => [message, event.sequence])).toEqual([
      [42, '0'],
      [42, '1'],
      [42, '2'],
    ]);
    expect(seen[0]).toEqual(['client/send', 'client/send', 'service/receive']);
  });

  it('is told why it is not answered', async () => {
    const service = await start(serviceConfig('storage', {}, { '/bad': [empty, empty], '/worse': [int32, empty] }));
    service.onRequest('/bad', () => {
      throw new MeshError('failed-precondition', 'the door is locked');
    });
    service.onRequest('/worse', () => {
      throw new Error('a bug');
    });
    const refusal = (options: object) =>
      peer.probe('request', { address: `localhost:${service.port}`, name: 'storage', ...options }).next('error');
    const [unknown, bad, worse, other] = await Promise.all([
      refusal({ path: '/bed' }),
      refusal({ path: '/bad' }),
      refusal({ path: '/worse', type: int32, json: 1 }),
      refusal({ path: '/worse' }),
    ]);
    expect(unknown.code).toBe('UNIMPLEMENTED');
    for (const word of ['/bed', '/bad', '/worse']) expect(unknown.details).toContain(word);
    expect(bad).toMatchObject({ code: 'FAILED_PRECONDITION', details: 'the door is locked' });
    expect(worse).toMatchObject({ code: 'UNKNOWN', details: 'a bug' });
    expect(other.code).toBe('INVALID_ARGUMENT');
    expect(other.details).toMatch(/Int32Value.*Empty/);
  });

  it('lists what we publish', async () => {
    const service = await start(
      serviceConfig('agent-1', { '/sample': struct }, { '/update_residual': [int32, empty] }),
    );
    const { uris } = await peer.probe('list-uris', { address: `localhost:${service.port}` }).next('uris');
    // Of what it answers, nothing: farm-ng lists published paths only.
    expect(uris.filter(({ path }) => path !== '/health')).toEqual([
      {
        scheme: 'protobuf',
        authority: service.clock.host,
        path: '/sample',
        query: `type=${struct}&pb=google/protobuf/struct.proto&service_name=agent-1`,
      },
    ]);
  });
});
