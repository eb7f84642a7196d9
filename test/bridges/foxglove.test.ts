import type { MeshConfig, ServiceConfig } from 'furrow';
import { EventService, Mesh, MeshEvent } from 'furrow';
import { startMesh, TestClock } from 'furrow/testing';
import { expect, onTestFinished, test } from 'vitest';
import { Catalog } from '../../src/bridges/foxglove/catalog.js';
import { logTimeNs } from '../../src/bridges/foxglove/channel.js';
import { PathSelection } from '../../src/bridges/foxglove/path-selection.js';
import { bytes, entry, keepingLogger, published, registry, struct, subscribersOf, until } from '../mesh/running.js';
import { freePorts } from '../process.js';
import { show } from './show.js';
import { TestViewer } from './test-viewer.js';

const lifeCycle = { type: 'furrow.LifeCycleEvent', pb: 'furrow/life_cycle_event.proto' };

const agent = entry({
  name: 'agent-1',
  port: 5001,
  published: [
    published('/count'),
    published('/sample', { type: struct }),
    published('/mode', { latch: true }),
    published('/image', { type: bytes }),
    published('/life', { type: lifeCycle }),
  ],
});

function meshConfig(...services: ServiceConfig[]): MeshConfig {
  return { file: 'service_config.json', services };
}

async function started(config = meshConfig(agent), clock?: TestClock) {
  const running = await startMesh(config, {}, { registry, ...(clock === undefined ? {} : { clock }) });
  onTestFinished(() => running.close());
  return running;
}

test('every path is a channel whose schema decodes its events, with the time they were sent', async () => {
  const running = await started(undefined, new TestClock({ system: 1_700_000_000.25 }));
  const service = running.service('agent-1');
  const viewer = await TestViewer.connect((await show(running.mesh)).url);
  await viewer.subscribe('agent-1/sample');
  await viewer.subscribe('agent-1/life');
  await viewer.subscribe('agent-1/count');
  expect([...viewer.channels.keys()].sort()).toEqual(
    ['count', 'health', 'image', 'life', 'mode', 'sample'].map((path) => `agent-1/${path}`),
  );
  expect(viewer.info).toMatchObject({ capabilities: ['services'], supportedEncodings: ['json', 'protobuf'] });
  expect(viewer.channels.get('agent-1/life')).toMatchObject({
    encoding: 'protobuf',
    schemaEncoding: 'protobuf',
    schemaName: 'furrow.LifeCycleEvent',
  });
  await until(() => subscribersOf(service).length === 3);
  await service.publish('/sample', { sample: 0.5, task_id: 3 });
  await service.publish('/life', { state: 'RUNNING', reason: 'rented' });
  await service.publish('/count', 7);
  await until(() => viewer.seen.length === 3);
  expect(viewer.on('agent-1/sample')[0]!.message).toMatchObject({
    fields: { sample: { numberValue: 0.5 }, task_id: { numberValue: 3 } },
  });
  expect(viewer.on('agent-1/count')[0]).toMatchObject({ message: { value: 7 }, timeNs: 1_700_000_000_250_000_000n });
  expect(viewer.on('agent-1/life')[0]!.message).toMatchObject({ reason: 'rented' });
});

test('the mesh is subscribed while somebody looks, once for all who do', async () => {
  const running = await started();
  const service = running.service('agent-1');
  const server = await show(running.mesh);
  const { url } = server;
  const [one, other] = [await TestViewer.connect(url), await TestViewer.connect(url)];
  await until(() => one.channels.has('agent-1/count'));
  expect(subscribersOf(service)).toEqual([]);
  expect(await service.publish('/count', 1)).toMatchObject({ subscribers: 0 });

  const first = await one.subscribe('agent-1/count');
  await until(() => subscribersOf(service).length === 1);
  const second = await other.subscribe('agent-1/count');
  await until(() => server.status.channels.some(({ viewers }) => viewers === 2));
  await service.publish('/count', 2);
  // The second has looked whether something is latched, and is served by the first's subscription.
  await until(() => subscribersOf(service).length === 1);
  expect(await service.publish('/count', 3)).toMatchObject({ subscribers: 1 });
  for (const viewer of [one, other]) {
    await until(() => viewer.seen.length === 2);
    expect(viewer.seen.map(({ message }) => message)).toEqual([{ value: 2 }, { value: 3 }]);
  }

  one.client.unsubscribe(first);
  await service.publish('/count', 4);
  await until(() => other.seen.length === 3);
  other.client.unsubscribe(second);
  await until(() => subscribersOf(service).length === 0);
  expect(one.seen.length).toBe(2);

  await one.subscribe('agent-1/count');
  await until(() => subscribersOf(service).length === 1);
  one.client.close();
  await until(() => subscribersOf(service).length === 0);
});

test('a latched value reaches every viewer, once, however late it comes', async () => {
  const running = await started();
  const service = running.service('agent-1');
  const { url } = await show(running.mesh);
  await service.publish('/mode', 1);
  const viewers = [await TestViewer.connect(url), await TestViewer.connect(url), await TestViewer.connect(url)];
  for (const viewer of viewers) {
    await viewer.subscribe('agent-1/mode');
    await until(() => viewer.seen.length === 1);
  }
  await until(() => subscribersOf(service).length === 1);
  await service.publish('/mode', 2);
  for (const viewer of viewers) {
    await until(() => viewer.seen.length === 2);
    expect(viewer.seen.map(({ message }) => message.value)).toEqual([1, 2]);
  }
  // Not declared as latched, but published so.
  await service.publish('/count', 5, { latch: true });
  for (const viewer of viewers) {
    await viewer.subscribe('agent-1/count');
    await until(() => viewer.on('agent-1/count').length === 1);
    expect(viewer.on('agent-1/count')[0]!.message.value).toBe(5);
  }
});

test('channels and services come and go with their service, and as it begins new paths', async () => {
  const [port = 0] = await freePorts(1);
  const config = entry({
    name: 'agent-1',
    port,
    published: [published('/count')],
    requests: [{ path: '/add', request: 'google.protobuf.Int32Value', reply: 'google.protobuf.Int32Value' }],
  });
  const mesh = Mesh.from(meshConfig(config), { registry });
  onTestFinished(() => mesh.close());
  const viewer = await TestViewer.connect((await show(mesh)).url);
  expect([...viewer.channels]).toEqual([]);

  const begin = async () => {
    const service = new EventService(config, { registry });
    onTestFinished(() => service.close());
    await service.start();
    return service;
  };
  const service = await begin();
  await viewer.subscribe('agent-1/count');
  await until(() => viewer.services.has('agent-1/add') && subscribersOf(service).length === 1);
  const before = viewer.channels.get('agent-1/count')!.id;
  await service.publish('/note', 'hello', { type: 'google.protobuf.StringValue' });
  await until(() => viewer.channels.has('agent-1/note'));
  expect(viewer.channels.get('agent-1/count')!.id).toBe(before);

  service.close();
  await until(() => viewer.channels.size === 0 && viewer.services.size === 0);

  const again = await begin();
  await viewer.subscribe('agent-1/count');
  await until(() => viewer.services.has('agent-1/add') && subscribersOf(again).length === 1);
  await again.publish('/count', 8);
  await until(() => viewer.seen.length === 1);
  expect(viewer.channels.get('agent-1/count')!.id).not.toBe(before);
});

test('only the paths that are asked for are shown, and a wrong one is an error', async () => {
  const running = await started();
  const logger = keepingLogger();
  const server = await show(running.mesh, { paths: ['agent-1/mode', 'agent-1/cuont'], logger });
  const viewer = await TestViewer.connect(server.url);
  await until(() => viewer.channels.size > 0);
  expect([...viewer.channels.keys()]).toEqual(['agent-1/mode']);
  expect(logger.lines[0]).toMatch(/^warn: agent-1 does not declare \/cuont; did you mean "\/count"/);
  await expect(show(running.mesh, { paths: ['agnet-1/mode'] })).rejects.toThrow(/did you mean "agent-1"/);
  await expect(show(running.mesh, { paths: ['agent-1/mo*'] })).rejects.toThrow(/stands only alone or at the end/);
});

test('a type that is not known is left out, which is said once', () => {
  const config = meshConfig(
    entry({ port: 5001, published: [{ ...published('/strange'), type: 'other.Thing', pb: 'other/thing.proto' }] }),
  );
  const mesh = Mesh.from(config, { registry });
  onTestFinished(() => mesh.close());
  const logger = keepingLogger();
  const selection = new PathSelection(config, []);
  const catalog = new Catalog({ registry, selection, depth: 10, callTimeoutMs: 1000, logger });
  const list = () => catalog.update(config.services[0]!, mesh.client('agent-1'), [{ path: '/strange', type: '' }]);
  for (const change of [list(), list()]) expect(change).toMatchObject({ added: [], removed: [] });
  expect(logger.lines).toEqual([
    expect.stringMatching(/^warn: agent-1\/strange carries "other\.Thing", which is not known here.*--protos/),
  ]);
});

test('services that share a port are told apart', async () => {
  const count = { port: 5001, published: [published('/count')] };
  const running = await started(meshConfig(entry({ ...count, name: 'agent-1' }), entry({ ...count, name: 'oak/0' })));
  const viewer = await TestViewer.connect((await show(running.mesh)).url);
  await viewer.subscribe('oak/0/count');
  await viewer.subscribe('agent-1/count');
  await until(() => subscribersOf(running.service('oak/0')).length === 1);
  await running.service('oak/0').publish('/count', 3);
  await until(() => viewer.seen.length === 1);
  expect(viewer.seen[0]).toMatchObject({ topic: 'oak/0/count', message: { value: 3 } });
  running.service('oak/0').close();
  await until(() => !viewer.channels.has('oak/0/count'));
  expect(viewer.channels.has('agent-1/count')).toBe(true);
});

test('a viewer that stops reading loses events, is told so, and holds nobody up', async () => {
  const running = await started();
  const service = running.service('agent-1');
  const logger = keepingLogger();
  const server = await show(running.mesh, { logger, maxBufferedBytes: 300_000 });
  const [slow, quick] = [await TestViewer.connect(server.url), await TestViewer.connect(server.url)];
  for (const viewer of [slow, quick]) {
    await viewer.subscribe('agent-1/image');
    await viewer.subscribe('agent-1/count');
  }
  await until(() => server.status.channels.filter(({ viewers }) => viewers === 2).length === 2);
  await until(() => subscribersOf(service).length >= 2);
  slow.socket.pause();
  const image = new Uint8Array(100_000).fill(7);
  let published = 0;
  const dropped = () => server.status.viewers[0]!.dropped;
  while (dropped() < 20) {
    expect(published).toBeLessThan(2000);
    await service.publish('/image', image);
    published += 1;
    // Whoever reads keeps up, so that only the one who does not can lose.
    await until(() => quick.on('agent-1/image').length === published);
  }
  for (let count = 1; count <= 5; count += 1) await service.publish('/count', count);
  await until(() => quick.on('agent-1/count').length === 5);

  const { viewers, channels } = server.status;
  expect(viewers.map(({ dropped }) => dropped > 0)).toEqual([true, false]);
  expect(viewers[0]!.bufferedBytes).toBeLessThan(700_000);
  const shown = channels.find(({ topic }) => topic === 'agent-1/image')!;
  expect(shown.sent + shown.dropped + 1).toBe(2 * published);
  await until(() => logger.lines.some((line) => /^warn: .*is slow: \d+ events were dropped \(agent-1\/im/.test(line)));

  slow.socket.resume();
  await until(() => slow.statuses.some(({ message }) => message.includes('too slow')));
  // The newest of each channel was kept for it.
  await until(() => slow.on('agent-1/count').some(({ message }) => message.value === 5));
  await until(() => slow.on('agent-1/image').length + server.status.viewers[0]!.dropped === published);
});

test('the time of an event is when it was sent, else when it came', () => {
  const at = (stamp: number, clockName: string, what = 'service/send') => {
    const eventBytes = Buffer.from(
      registry.encode('farm_ng.core.proto.Event', { timestamps: [{ stamp, clockName, semantics: what }] }),
    );
    const event = new MeshEvent(eventBytes, Buffer.alloc(0), { registry, unknownType: () => undefined });
    return logTimeNs(event, 5.5);
  };
  expect(at(1_700_000_000.123456, 'host/system_clock/UTC')).toBe(1_700_000_000_123_456_000n);
  const came = 5_500_000_000n;
  expect(at(77, 'host/monotonic')).toBe(came);
  expect(at(77, 'host/system_clock/UTC', 'client/send')).toBe(came);
  for (const none of [0, -3, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    expect(at(none, 'host/system_clock/UTC')).toBe(came);
  }
});
