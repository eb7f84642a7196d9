import { expect, onTestFinished, test } from 'vitest';
import type { MeshConfig, ServiceConfig } from '../../src/config/types.js';
import type { Gap } from '../../src/mesh/sequence-tracker.js';
import { Player } from '../../src/recording/player/player.js';
import type { PlayerOptions } from '../../src/recording/player/player-options.js';
import { clientAt, entry, gather, keepingLogger, published, registry, until } from '../mesh/running.js';
import { freePorts } from '../process.js';
import { type Line, MemoryRecording, sentBytes } from './memory-recording.js';
import { TestTimer } from './test-timer.js';

const robot: readonly Line[] = [
  { path: 'gps/header/frame', atS: 0, sequence: 0, type: 'google.protobuf.StringValue', value: 'map' },
  { path: 'gps/pvt', atS: 0.5, sequence: 500 },
  { path: 'arm/state', atS: 0.5, sequence: 7 },
  { path: 'gps/pvt', atS: 1, sequence: 501 },
  { path: 'gps/odd', atS: 1.5, sequence: 3, type: 'robot.Unknown', payload: Buffer.from('whatever') },
  { path: 'arm/state', atS: 2, sequence: 8 },
  { path: 'gps/pvt', atS: 2.5, sequence: 502 },
  { path: 'gps/pvt', atS: 3, sequence: 503 },
];

async function open(lines: readonly Line[] = robot, options: PlayerOptions = {}): Promise<Player> {
  const player = await Player.open(new MemoryRecording(lines), { registry, host: '127.0.0.1', ...options });
  onTestFinished(() => player.close());
  await player.start();
  return player;
}

function clientOf(player: Player, name: string) {
  const { port } = player.stage.service(name)!;
  return clientAt(port, { name });
}

const ask = (player: Player) =>
  clientAt(player.control.port, { name: 'player', requests: player.control.config.requests });

function configOf(...services: Partial<ServiceConfig>[]): MeshConfig {
  return { file: 'test.json', services: services.map((service) => entry(service)) };
}

function bytesOf(items: readonly { eventBytes: Buffer; payload: Buffer }[]): string[] {
  return items.map(({ eventBytes, payload }) => `${eventBytes.toString('hex')} ${payload.toString('hex')}`);
}

function sent(lines: readonly Line[]): string[] {
  return bytesOf(lines.map(sentBytes).map(({ event, payload }) => ({ eventBytes: event, payload })));
}

const of = (path: string) => robot.filter((line) => line.path.startsWith(path));

test('subscribers get what the machine published, byte for byte, of known and unknown types', async () => {
  const player = await open(robot, { rate: 0, waitFor: 4 });
  const all = gather(clientOf(player, 'gps').events('*'));
  const arm = gather(clientOf(player, 'arm').events('state'));
  const second = gather(clientOf(player, 'gps').events({ path: '/pvt', everyN: 2 }));
  const gone: Gap[] = [];
  const stream = clientOf(player, 'gps').events('/pvt');
  stream.gaps$.subscribe((gap) => gone.push(gap));
  const exact = gather(stream);
  expect(await player.run()).toMatchObject({ events: 8, skipped: 0, loops: 0, lateS: 0 });
  await until(() => all.items.length === 6 && arm.items.length === 2 && exact.items.length === 4);
  expect(bytesOf(all.items)).toEqual(sent(of('gps/')));
  expect(bytesOf(arm.items)).toEqual(sent(of('arm/')));
  expect(second.items.map(({ sequence }) => sequence)).toEqual([500, 502]);
  expect(all.items[0]).toMatchObject({ message: 'map', service: 'gps', uri: { authority: 'robot' } });
  expect(gone).toEqual([]);
});

test('the paths that were recorded are listed, as the machine listed them', async () => {
  const player = await open();
  const uris = await clientOf(player, 'gps').listUris();
  expect(uris).toEqual([
    expect.objectContaining({
      authority: 'robot',
      path: '/header/frame',
      query: 'type=google.protobuf.StringValue&pb=google/protobuf/wrappers.proto&service_name=gps',
    }),
    expect.objectContaining({ path: '/pvt' }),
    expect.objectContaining({ path: '/odd', query: 'type=robot.Unknown&pb=robot/unknown.proto&service_name=gps' }),
    // Nobody recorded it, and every service has one.
    expect.objectContaining({ path: '/health' }),
  ]);
});

test('recorded /health is the only one', async () => {
  const health = { path: 'gps/health', type: 'google.protobuf.Struct' };
  const lines = [
    { ...health, atS: 0, sequence: 40, value: { '/pvt/rate': 10 } },
    { ...health, atS: 1, sequence: 41, value: { '/pvt/rate': 11 } },
  ];
  const player = await open([...lines, { path: 'arm/state', atS: 2, sequence: 0 }], { rate: 0, waitFor: 2 });
  const gps = gather(clientOf(player, 'gps').events('/health'));
  const arm = gather(clientOf(player, 'arm').events('/health'));
  await player.run();
  // The other service has had time for one of its own.
  await until(() => arm.items.length > 0);
  expect(bytesOf(gps.items)).toEqual(sent(lines));
});

test('events come at their times, faster with a rate, and not while it is paused', async () => {
  const timer = new TestTimer();
  const player = await open(robot, { timer, waitFor: 2 });
  const gps = gather(clientOf(player, 'gps').events('*'));
  const arm = gather(clientOf(player, 'arm').events('*'));
  const run = player.run();
  const came = () => gps.items.length + arm.items.length;
  await until(() => came() === 1);
  timer.letPass(0.49);
  expect(player.status).toMatchObject({ state: 'playing', positionS: 0, events: 1, rate: 1 });
  timer.letPass(1.2);
  await until(() => came() === 4);
  expect(player.status).toMatchObject({ events: 4, positionS: 1 });

  player.pause();
  expect(player.status.state).toBe('paused');
  timer.jump(50);
  player.setRate(2);
  player.resume();
  expect(player.status).toMatchObject({ state: 'playing', rate: 2 });
  // From position 1 at 51 s, twice as fast: 1.5 at 51.25, 2 at 51.5.
  timer.letPass(51.3);
  await until(() => came() === 5);
  expect(timer.passedS).toBe(51.25);
  timer.letPass(60);
  expect(await run).toMatchObject({ events: 8, lateS: 0 });
  expect(timer.passedS).toBe(52);
  expect(player.status).toMatchObject({ state: 'ended', positionS: 3 });
});

test('plays a range, of the paths that are wanted', async () => {
  const player = await open(robot, { rate: 0, waitFor: 1, startS: 1, endS: 3, paths: ['gps/pvt'] });
  expect(player.stage.services.map(({ name }) => name)).toEqual(['gps']);
  const { items } = gather(clientOf(player, 'gps').events('*'));
  await player.run();
  await until(() => items.filter(({ path }) => path === '/pvt').length === 2);
  expect(items.filter(({ path }) => path !== '/health').map(({ sequence }) => sequence)).toEqual([501, 502]);
});

test('headers and what the configuration latches are kept, for those who come late and from before the start', async () => {
  const config = configOf({ name: 'arm', port: undefined!, published: [published('/state', { latch: true })] });
  const player = await open(robot, { rate: 0, startS: 1.8, config, latch: ['gps/odd'] });
  expect(await player.run()).toMatchObject({ events: 3 });
  const all = gather(clientOf(player, 'gps').events('*'));
  const arm = gather(clientOf(player, 'arm').events('*'));
  await until(() => all.items.length >= 2 && arm.items.length >= 1);
  expect(bytesOf(all.items.slice(0, 2))).toEqual(sent([robot[0]!, robot[4]!]));
  expect(bytesOf(arm.items.slice(0, 1))).toEqual(sent([robot[5]!]));
});

test('a header that stands again at the beginning of a file is published once', async () => {
  const header = robot[0]!;
  const player = await open([header, robot[1]!, { ...header }, { ...header, sequence: 1 }], { rate: 0, waitFor: 1 });
  const { items } = gather(clientOf(player, 'gps').events('*'));
  expect(await player.run()).toMatchObject({ events: 3, skipped: 0 });
  await until(() => items.length >= 3);
  expect(items.slice(0, 3).map(({ path, sequence }) => `${path} ${sequence}`)).toEqual([
    '/header/frame 0',
    '/pvt 500',
    '/header/frame 1',
  ]);
});

test('each loop is a new epoch, and nothing in it counts as lost', async () => {
  const timer = new TestTimer();
  const player = await open(robot, { timer, loop: true, waitFor: 1 });
  const client = clientOf(player, 'gps');
  const epochs = new Set<string>();
  client.state$.subscribe(({ epoch }) => epoch !== undefined && epochs.add(epoch));
  const stream = client.events('/pvt');
  const gone: Gap[] = [];
  stream.gaps$.subscribe((gap) => gone.push(gap));
  const { items } = gather(stream);
  const run = player.run();
  timer.letPass(8.9);
  await until(() => items.length === 11);
  expect(items.map(({ sequence }) => sequence)).toEqual([500, 501, 502, 503, 500, 501, 502, 503, 500, 501, 502]);
  expect(bytesOf(items.slice(4, 8))).toEqual(sent(of('gps/pvt')));
  expect(epochs.size).toBe(3);
  expect(gone).toEqual([]);
  expect(player.status).toMatchObject({ loops: 2, state: 'playing' });
  player.close();
  await run;
});

test('a loop forgets what was latched at the end of the one before', async () => {
  const timer = new TestTimer();
  const player = await open(robot, { timer, loop: true, latch: ['arm/state'], paths: ['arm/state'] });
  const run = player.run();
  timer.letPass(2.1);
  await until(() => player.status.loops === 1);
  const { items } = gather(clientOf(player, 'arm').events('/state'));
  await until(() => player.status.subscribers === 1);
  timer.letPass(3);
  await until(() => items.length > 0);
  expect(items[0]!.sequence).toBe(7);
  player.close();
  await run;
});

test('seeks back and forth by request; subscribers begin anew there', async () => {
  const timer = new TestTimer();
  const player = await open(robot, { timer, waitFor: 1, paths: ['gps/*'] });
  const stream = clientOf(player, 'gps').events('/pvt');
  const gone: Gap[] = [];
  stream.gaps$.subscribe((gap) => gone.push(gap));
  const { items } = gather(stream);
  const run = player.run();
  timer.letPass(1.1);
  await until(() => items.length === 2);
  await ask(player).request('/seek', 2.2);
  timer.letPass(1.5);
  await until(() => items.length === 3);
  expect(timer.passedS).toBeCloseTo(1.3);
  await ask(player).request('/seek', 0.9);
  timer.letPass(1.45);
  await until(() => items.length === 4);
  expect(items.map(({ sequence }) => sequence)).toEqual([500, 501, 502, 501]);
  // What is latched is latched there, too.
  const late = gather(clientOf(player, 'gps').events('/header/frame'));
  await until(() => late.items.length === 1);
  await expect(ask(player).request('/seek', 3.1)).rejects.toMatchObject({ code: 'out-of-range' });
  timer.letPass(10);
  expect(await run).toMatchObject({ events: 3 + 1 + 4 });
  expect(gone).toEqual([]);
  await expect(ask(player).request('/seek', 1)).rejects.toMatchObject({ code: 'failed-precondition' });
});

test('steps by request, one event each; then plays on from there', async () => {
  const timer = new TestTimer();
  const player = await open(robot, { timer, paused: true, waitFor: 1 });
  const { items } = gather(clientOf(player, 'gps').events('*'));
  const run = player.run();
  await until(() => player.status.state === 'paused');
  const control = ask(player);
  const status = async (path: string, value: unknown = {}) => (await control.request(path, value)).message;
  expect(await status('/status')).toMatchObject({ state: 'paused', positionS: 0, events: 0, subscribers: 1 });
  expect(await status('/step')).toMatchObject({ event: { service: 'gps', path: '/header/frame', sequence: 0 } });
  expect(await status('/step')).toMatchObject({ event: { path: '/pvt', sequence: 500 }, positionS: 0.5 });
  await until(() => items.length === 2);
  expect(timer.passedS).toBe(0);
  expect(await status('/rate', 10)).toMatchObject({ state: 'paused', rate: 10 });
  await expect(control.request('/rate', -1)).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(await status('/resume')).toMatchObject({ state: 'playing' });
  timer.letPass(0.25);
  expect(await run).toMatchObject({ events: 8, lateS: 0 });
  expect(timer.passedS).toBeCloseTo(0.25);
  await expect(control.request('/step', {})).rejects.toMatchObject({ code: 'failed-precondition' });
});

test('a step that waits for an event which does not come is refused at the end', async () => {
  const player = await open(robot.slice(0, 1), { paused: true });
  const run = player.run();
  const steps = await Promise.allSettled([player.step(), player.step()]);
  expect(steps).toEqual([
    { status: 'fulfilled', value: { service: 'gps', path: '/header/frame', sequence: 0, positionS: 0 } },
    { status: 'rejected', reason: expect.objectContaining({ code: 'failed-precondition' }) },
  ]);
  await run;
});

test('a subscriber that blocks slows the player and loses nothing; the schedule goes on from there', async () => {
  const timer = new TestTimer();
  const big = Buffer.alloc(200_000);
  const lines = Array.from({ length: 200 }, (_, index) => ({
    path: 'oak/rgb',
    atS: index * 0.01,
    sequence: index,
    type: 'google.protobuf.BytesValue',
    payload: Buffer.from(registry.encode('google.protobuf.BytesValue', big)),
  }));
  const player = await open(lines, { timer, waitFor: 1 });
  const seen: number[] = [];
  let letRead: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    letRead = resolve;
  });
  const stream = clientOf(player, 'oak').events({ path: '/rgb', overflow: 'block', depth: 1, blockMs: 10_000 });
  const read = async () => {
    for await (const { sequence } of stream) {
      seen.push(sequence);
      await opened;
    }
  };
  read().catch(() => undefined);
  const run = player.run();
  timer.letPass(100);
  await until(() => player.status.events > 3);
  let before = 0;
  await until(() => {
    const stands = before > 0 && before === player.status.events;
    before = player.status.events;
    return stands;
  });
  expect(before).toBeLessThan(200);
  // Meanwhile the time goes on.
  timer.jump(30);
  letRead();
  const summary = await run;
  expect(summary).toMatchObject({ events: 200, skipped: 0 });
  expect(summary.lateS).toBeGreaterThan(29);
  expect(timer.passedS).toBeLessThan(33);
  await until(() => seen.length === 200);
  expect(seen).toEqual(lines.map(({ sequence }) => sequence));
});

test('services keep the ports of the configuration, also a common one; others get free ones', async () => {
  const [port, own] = (await freePorts(2)) as [number, number];
  const at = { host: '127.0.0.1', port };
  const config = configOf({ name: 'gps', ...at }, { name: 'arm', ...at }, { name: 'player', ...at, port: own });
  const lines = [...robot, { path: 'oak/0/rgb', atS: 4, sequence: 0 }];
  const player = await open(lines, { config, rate: 0, waitFor: 2 });
  const ports = player.stage.services.map((service) => [service.name, service.port]);
  expect(ports.slice(0, 2)).toEqual([
    ['gps', port],
    ['arm', port],
  ]);
  expect(ports[2]![1]).not.toBe(port);
  expect(player.control.port).toBe(own);
  const gps = gather(clientOf(player, 'gps').events('/pvt'));
  const arm = gather(clientOf(player, 'arm').events('/state'));
  await player.run();
  await until(() => gps.items.length === 4 && arm.items.length === 2);

  const second = await Player.open(new MemoryRecording(robot), { registry, config });
  await expect(second.start()).rejects.toMatchObject({ code: 'already-exists' });
});

test('what is said to a machine is taken and counted; what is asked of it is refused', async () => {
  const requests = [
    { path: '/update_residual', request: 'google.protobuf.Int32Value', reply: 'google.protobuf.Empty' },
    { path: '/stats', request: 'google.protobuf.Empty', reply: 'google.protobuf.Struct' },
    { path: '/odd', request: 'robot.Unknown', reply: 'google.protobuf.Empty' },
  ];
  const player = await open(robot, { config: configOf({ name: 'arm', port: 0, requests }), paused: true });
  const arm = clientAt(player.stage.service('arm')!.port, { name: 'arm', requests });
  expect((await arm.request('/update_residual', 5)).type).toBe('google.protobuf.Empty');
  await expect(arm.request('/stats', {})).rejects.toMatchObject({ code: 'unimplemented' });
  expect(player.status.ignoredRequests).toBe(1);
});

test('an event that cannot be published is left out, and said once for its path', async () => {
  const logger = keepingLogger();
  const lines: Line[] = [
    ...robot,
    ...[0, 1].map((sequence) => ({
      path: 'gps/pvt',
      atS: 4,
      sequence,
      type: 'google.protobuf.StringValue',
      value: 'x',
    })),
    { path: 'gps/pvt', atS: 5, sequence: 504 },
  ];
  const player = await open(lines, { logger, rate: 0 });
  expect(await player.run()).toMatchObject({ events: 9, skipped: 2 });
  expect(logger.lines).toEqual([expect.stringMatching(/^warn: an event is left out: gps\/pvt carries .*Int32Value/)]);
});

test.each([
  [{ paths: ['gps/pvd'] }, 'not-found', /"gps\/pvd" is not in the recording; did you mean "gps\/pvt"/],
  [{ startS: 3.5 }, 'invalid-argument', /nothing to play; the recording is 3\.000 s long/],
  [{ startS: 2, endS: 1 }, 'invalid-argument', /nothing to play/],
  [{ rate: -1 }, 'invalid-argument', /rate is -1/],
])('refuses %o', async (options, code, message) => {
  const opened = Player.open(new MemoryRecording(robot), { registry, ...options });
  await expect(opened).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test('refuses a recording without events, and to play twice', async () => {
  await expect(Player.open(new MemoryRecording([]), { registry })).rejects.toMatchObject({
    code: 'failed-precondition',
    message: expect.stringContaining('memory.0000.bin'),
  });
  const player = await open(robot, { rate: 0 });
  await player.run();
  await expect(player.run()).rejects.toMatchObject({ code: 'failed-precondition' });
});

test('a loop around no events ends', async () => {
  const player = await open(robot, { rate: 0, loop: true, paths: ['arm/state'], startS: 2.7 });
  expect(await player.run()).toMatchObject({ events: 0, loops: 0 });
});

test('closing ends it, whatever it is doing', async () => {
  const timer = new TestTimer();
  const playing = await open(robot, { timer });
  const waiting = await open(robot, { waitFor: 1 });
  const paused = await open(robot, { paused: true });
  const runs = [playing, waiting, paused].map((player) => player.run());
  await until(() => playing.status.events === 1 && paused.status.state === 'paused');
  for (const player of [playing, waiting, paused]) player.close();
  expect((await Promise.all(runs)).map(({ events }) => events)).toEqual([1, 0, 0]);
});
