import { connect, createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { EventClient, type EventClientOptions, type MeshEvent } from '../../src/index.js';
import { channelOf, laneOf } from '../mesh/request-ways.js';
import { freePorts, until } from '../process.js';
import type { PeerProcess } from './peer-process.js';
import { describeWithPython } from './python-peer.js';
import { serviceConfig } from './service-config.js';

const int32 = 'google.protobuf.Int32Value';
const struct = 'google.protobuf.Struct';
const empty = 'google.protobuf.Empty';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function clientOf(name: string, port: number, options: EventClientOptions = {}) {
  const requests = { '/twice': [int32, int32], '/bad': [empty, empty], '/any': [int32, empty] } as const;
  const client = new EventClient(serviceConfig(name, {}, requests, port), options);
  open.push(client);
  return client;
}

/** Collects what a stream brings; `count` resolves once so many are there. */
function collect(client: EventClient, request: Parameters<EventClient['events']>[0]) {
  const stream = client.events(request);
  const events: MeshEvent[] = [];
  const gaps: object[] = [];
  stream.gaps$.subscribe((gap) => gaps.push(gap));
  const reading = (async () => {
    for await (const event of stream) events.push(event as MeshEvent);
  })();
  // A failure shows in `count`.
  reading.catch(() => undefined);
  const count = (least: number) =>
    Promise.race([until(`${least} events`, () => events.length >= least), reading]).then(() =>
      events.map(({ message }) => message),
    );
  return { stream, events, gaps, count };
}

function logLines() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  return { lines, logger: { debug: () => undefined, info: write, warn: write, error: write } };
}

describeWithPython('our client of a Python service', (peer) => {
  async function publisher(options: object = {}): Promise<{ running: PeerProcess; port: number }> {
    const running = peer.probe('publish', { name: 'gps', noHealth: true, stdin: true, ...options });
    return { running, port: (await running.next('listening')).port };
  }

  const subscribed = (running: PeerProcess) => running.next('subscriber', ({ change }) => change === 1);
  const say = (running: PeerProcess, path: string, json: unknown, type = int32) => running.send({ path, type, json });

  it('gets the latched event first, and says once that the service is of farm-ng', async () => {
    const { running, port } = await publisher({ path: '/n', type: int32, json: 5, latch: true });
    const { lines, logger } = logLines();
    const client = clientOf('gps', port, { logger });
    const numbers = collect(client, '/n');
    await subscribed(running);
    say(running, '/n', 6);
    expect(await numbers.count(2)).toEqual([5, 6]);
    const [latched] = numbers.events;
    expect(latched).toMatchObject({ path: '/n', sequence: 0, type: int32, service: 'gps', payloadLength: 2 });
    expect(latched?.timestamps.map(({ semantics }) => semantics)).toEqual([
      'service/send',
      'service/send',
      'client/receive',
    ]);
    expect(client.state).toEqual({ status: 'connected' });
    expect(lines.filter((line) => line.includes('farm-ng'))).toHaveLength(1);
  });

  it('gets every n-th event, every path of `*`, and of a prefix only what is below it', async () => {
    const { running, port } = await publisher();
    const client = clientOf('gps', port);
    const third = collect(client, { path: '/gps/pvt', everyN: 3 });
    const all = collect(client, '*');
    const below = collect(client, '/gps/*');
    for (let one = 0; one < 3; one += 1) await subscribed(running);
    for (let value = 0; value < 4; value += 1) {
      say(running, '/gps/pvt', value);
      say(running, '/gpsd', 100 + value);
    }
    say(running, '/gps/ecef', { x: 1, y: [2, null] }, struct);
    expect(await below.count(5)).toEqual([0, 1, 2, 3, { x: 1, y: [2, null] }]);
    expect(await all.count(9)).toEqual([0, 100, 1, 101, 2, 102, 3, 103, { x: 1, y: [2, null] }]);
    expect(await third.count(2)).toEqual([0, 3]);
    expect([...third.gaps, ...all.gaps, ...below.gaps]).toEqual([]);
  });

  it('reads its health', async () => {
    const { port } = await publisher({ noHealth: false, path: '/n', type: int32, json: [1, 2] });
    const health = collect(clientOf('gps', port), '/health');
    await health.count(1);
    expect(health.events[0]?.message).toMatchObject({ '/n/send_count': 2 });
  });

  it('learns from sequences what the service dropped', async () => {
    const { running, port } = await publisher();
    const numbers = collect(clientOf('gps', port), '/n');
    await subscribed(running);
    // farm-ng's queue holds ten, and a burst within one turn of its loop overflows it.
    for (let value = 0; value < 400; value += 1) say(running, '/n', value);
    await running.take('published', 400);
    await until('the last', async () => {
      say(running, '/n', -1);
      return numbers.events.at(-1)?.message === -1;
    });
    const lost = numbers.gaps.reduce((sum: number, gap) => sum + (gap as { count: number }).count, 0);
    expect(numbers.events.length + lost).toBe(numbers.events.at(-1)!.sequence + 1);
    expect(numbers.stream.counts).toMatchObject({ received: numbers.events.length, lost });
  });

  it('takes its restart for what it is, whatever the sequences say', async () => {
    const [port] = await freePorts(1);
    const first = await publisher({ port, path: '/n', type: int32, json: [1, 2, 3], latch: true });
    const client = clientOf('gps', port!);
    const numbers = collect(client, '/n');
    expect(await numbers.count(1)).toEqual([3]);
    await subscribed(first.running);
    first.running.kill();
    await first.running.exit;
    await publisher({ port, path: '/n', type: int32, json: [7], latch: true });
    expect(await numbers.count(2)).toEqual([3, 7]);
  });

  it('takes a restart that begins with the sequence it had last for a restart, too', async () => {
    const [port] = await freePorts(1);
    const first = await publisher({ port, path: '/calibration', type: int32, json: 1, latch: true });
    const numbers = collect(clientOf('gps', port!), '/calibration');
    expect(await numbers.count(1)).toEqual([1]);
    await subscribed(first.running);
    first.running.kill();
    await first.running.exit;
    await publisher({ port, path: '/calibration', type: int32, json: 2, latch: true });
    expect(await numbers.count(2)).toEqual([1, 2]);
  });

  it('watches over a quiet link without being told to ping less', async () => {
    const { running, port } = await publisher({ path: '/n', type: int32, json: 1, latch: true });
    let chunks = 0;
    const proxy = createServer((near) => {
      const far = connect(port, 'localhost');
      near.on('data', () => {
        chunks += 1;
      });
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, 'localhost', resolve));
    open.push(proxy);
    const client = clientOf('gps', (proxy.address() as { port: number }).port, { keepaliveMs: 500 });
    const states: string[] = [];
    client.state$.subscribe(({ status, reason }) => states.push(reason ?? status));
    const numbers = collect(client, '/n');
    await numbers.count(1);
    await subscribed(running);
    const since = chunks;
    await until('several signs of life', () => chunks - since >= 12);
    say(running, '/n', 2);
    expect(await numbers.count(2)).toEqual([1, 2]);
    expect(states).toEqual(['idle', 'connecting', 'connected']);
    expect(numbers.stream.counts.reconnects).toBe(0);
    client.close();
  });

  it('asks and is answered; is told Empty where nobody answers, and UNKNOWN where the handler fails', async () => {
    const echo = peer.probe('echo-service', { name: 'echo', type: int32, reply: 42, fail: ['/bad'] });
    const client = clientOf('echo', (await echo.next('listening')).port);
    const replies = [await client.request('/twice', 21), await client.request('/twice', 21)];
    expect(replies.map(({ message, sequence }) => [message, sequence])).toEqual([
      [42, 0],
      [42, 1],
    ]);
    // It lacks the lane, and was asked for it once.
    await until('the lane was refused', () => laneOf(channelOf(client))?.refused === true);
    expect((await client.request('/twice', 21)).sequence).toBe(2);
    expect(replies[0]).toMatchObject({ path: '/reply/request/twice', type: int32, payloadLength: 2 });
    expect(replies[0]?.timestamps.map(({ semantics }) => semantics)).toEqual([
      'service/send',
      'service/send',
      'client/receive',
    ]);
    const request = await echo.next('request');
    expect(request).toMatchObject({
      message: 21,
      event: {
        sequence: '0',
        payloadLength: '2',
        uri: {
          path: '/twice',
          query: 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto&service_name=echo',
        },
      },
    });
    expect(request.event.timestamps.map(({ semantics }) => semantics)).toEqual([
      'client/send',
      'client/send',
      'service/receive',
    ]);
    await expect(client.request('/bad', {})).rejects.toMatchObject({
      code: 'unknown',
      message: expect.stringContaining('echo/bad'),
    });

    const silent = await publisher();
    const answer = await clientOf('gps', silent.port).request('/any', 1);
    expect(answer).toMatchObject({ message: {}, type: empty, path: '/reply/request/any', payloadLength: 0 });
  });

  it('lists what it publishes', async () => {
    const { running, port } = await publisher({ path: '/n', type: int32, json: 1 });
    await running.next('published');
    const uris = await clientOf('gps', port).listUris();
    expect(uris).toMatchObject([
      { scheme: 'protobuf', path: '/n', query: `type=${int32}&pb=google/protobuf/wrappers.proto&service_name=gps` },
    ]);
  });
});
