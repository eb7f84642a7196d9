import { join } from 'node:path';
import { Mesh, type MeshConfig, parseConfig, type SubscriptionConfig } from 'furrow';
import { startMesh } from 'furrow/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { joinEnvelope } from '../../src/messages/envelope.js';
import { removeStamps } from '../../src/messages/event-stamps.js';
import type { MeshEvent } from '../../src/messages/mesh-event.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { everyPath, namedPaths } from '../../src/recording/recorded-paths.js';
import { Recorder, type RecorderOptions } from '../../src/recording/recorder.js';
import { openOutput, type RecordingOutputOptions } from '../../src/recording/recording-output.js';
import { isComplete } from '../../src/recording/recording-report.js';
import { encodedEvent } from '../mesh/encoded-event.js';
import { keepingLogger, serve, subscribersOf, until } from '../mesh/running.js';
import { TcpProxy } from '../mesh/tcp-proxy.js';
import { framed } from '../wire/framed.js';
import { folder, registry } from './sample-events.js';

const int32 = 'type=google.protobuf.Int32Value&pb=google/protobuf/wrappers.proto';
const uri = (path: string, more = '') => ({ scheme: 'protobuf', path, query: `${int32}${more}` });

const config = parseConfig(
  JSON.stringify({
    configs: [
      {
        name: 'agent-1',
        host: '127.0.0.1',
        port: 5001,
        uris: [uri('/count', '&history=5'), uri('/plain'), uri('/gps/pvt'), uri('/map', '&latch=true')],
      },
      { name: 'oak/0', host: '127.0.0.1', port: 5001, uris: [uri('/count')] },
    ],
  }),
  'test.json',
);

async function runMesh() {
  const running = await startMesh(config, {}, { registry });
  onTestFinished(() => running.close());
  return { mesh: running.mesh, config: running.config, service: (name: string) => running.service(name) };
}

function meshOf(given: MeshConfig): Mesh {
  const mesh = Mesh.from(given, { registry });
  onTestFinished(() => mesh.close());
  return mesh;
}

/** The configuration with agent-1 alone, behind another port. */
function at(port: number): MeshConfig {
  return { ...config, services: [{ ...config.services[0]!, port }] };
}

interface Options extends Partial<RecorderOptions>, Partial<RecordingOutputOptions> {}

async function record(mesh: Mesh, subscriptions: readonly SubscriptionConfig[], options: Options = {}) {
  const base = join(await folder(), 'recording');
  const recorder = await Recorder.start(mesh, subscriptions, {
    open: () => openOutput(base, { registry, sync: 'none', ...options }),
    ...options,
  });
  onTestFinished(() => void recorder.stop());
  return { recorder, base };
}

/** What a file holds: `service/path:sequence`, without /health. */
async function recorded(file: string): Promise<{ names: string[]; events: MeshEvent[] }> {
  const reader = await openRecording(file, { registry });
  const events: MeshEvent[] = [];
  for await (const batch of reader.batches()) {
    for (const { event } of batch) if (event.path !== '/health') events.push(event);
  }
  const { damage } = await reader.summary();
  expect(damage).toEqual([]);
  await reader.close();
  return { events, names: events.map(({ service, path, sequence }) => `${service}${path}:${sequence}`) };
}

const written = (recorder: Recorder, path: string, service = 'agent-1') =>
  recorder.report.paths.find((report) => report.path === path && report.service === service)?.written ?? 0;

describe('a recorder', () => {
  it('writes all of a mesh: what is held first, then what comes, and tells what was gone before', async () => {
    const { service, mesh, config: live } = await runMesh();
    const agent = service('agent-1');
    const oak = service('oak/0');
    for (let value = 0; value < 8; value++) await agent.publish('/count', value);
    for (let value = 0; value < 3; value++) await agent.publish('/map', value);
    await agent.publish('/plain', 0);
    const { recorder, base } = await record(mesh, everyPath(live));
    await until(() => written(recorder, '/count') === 5 && subscribersOf(oak).length === 1);
    await agent.publish('/count', 8);
    await agent.publish('/plain', 1);
    await oak.publish('/count', 0);
    await agent.publish('/later', 0, { type: 'google.protobuf.Int32Value' });
    await until(() => written(recorder, '/later') === 1 && written(recorder, '/count', 'oak/0') === 1);
    const report = await recorder.stop();
    expect(isComplete(report)).toBe(true);
    const counts = report.paths.map(({ service, path, written, lost, before }) => [
      service + path,
      { written, lost, before },
    ]);
    expect(Object.fromEntries(counts)).toMatchObject({
      'agent-1/count': { written: 6, lost: 0, before: 3 },
      'agent-1/later': { written: 1, lost: 0, before: 0 },
      'agent-1/map': { written: 1, lost: 0, before: 2 },
      'agent-1/plain': { written: 1, lost: 0, before: 1 },
      'oak/0/count': { written: 1, lost: 0, before: 0 },
    });
    expect(report.files).toEqual([`${base}.0000.bin`]);
    const { names } = await recorded(base);
    expect(names.filter((name) => name.startsWith('agent-1/count'))).toEqual(
      [3, 4, 5, 6, 7, 8].map((sequence) => `agent-1/count:${sequence}`),
    );
    expect(names.sort()).toEqual(
      [...names.filter((name) => name.startsWith('agent-1/count'))].concat(
        'agent-1/later:0',
        'agent-1/map:2',
        'agent-1/plain:1',
        'oak/0/count:0',
      ),
    );
  });

  it('leaves what came as it came, and adds when it came and when it was written', async () => {
    const { service, mesh, config: live } = await runMesh();
    const published: MeshEvent[] = [];
    service('agent-1').published$.subscribe((event) => published.push(event));
    const { recorder, base } = await record(mesh, namedPaths(live, ['agent-1/count']));
    await until(() => subscribersOf(service('agent-1')).length === 1);
    for (let value = 0; value < 20; value++) await service('agent-1').publish('/count', value);
    await until(() => recorder.report.events === 20);
    await recorder.stop();
    const { events } = await recorded(base);
    const counts = published.filter(({ path }) => path === '/count');
    expect(events.map(({ payload }) => payload)).toEqual(counts.map(({ payload }) => payload));
    expect(events.map(({ eventBytes }) => removeStamps(eventBytes, ['client/receive', 'file/write']))).toEqual(
      counts.map(({ eventBytes }) => eventBytes),
    );
    for (const event of events) {
      const stamps = event.timestamps.map(({ semantics }) => semantics);
      expect(stamps).toEqual(['service/send', 'service/send', 'client/receive', 'file/write']);
      expect(event.secondsBetween('service/send', 'client/receive')).toBeGreaterThanOrEqual(0);
      expect(event.secondsBetween('client/receive', 'file/write')).toBeGreaterThanOrEqual(0);
    }
  });

  it('writes the same to an MCAP file', async () => {
    const { service, mesh, config: live } = await runMesh();
    const { recorder, base } = await record(mesh, namedPaths(live, ['agent-1/count']), { format: 'mcap' });
    await until(() => subscribersOf(service('agent-1')).length === 1);
    for (let value = 0; value < 7; value++) await service('agent-1').publish('/count', value);
    await until(() => recorder.report.events === 7);
    expect((await recorder.stop()).files).toEqual([`${base}.mcap`]);
    const { names } = await recorded(`${base}.mcap`);
    expect(names).toEqual(Array.from({ length: 7 }, (_, index) => `agent-1/count:${index}`));
  });

  it('waits for publishers that are away, loses nothing held over a break, and tells the rest exactly', async () => {
    const agent = await serve(config.services[0]!.published.length > 0 ? { ...config.services[0]!, port: 0 } : {});
    const proxy = await TcpProxy.to(agent.port);
    const { recorder, base } = await record(meshOf(at(proxy.port)), namedPaths(at(proxy.port), ['agent-1/*']));
    await until(() => subscribersOf(agent).length === 1);
    await agent.publish('/count', 0);
    await agent.publish('/plain', 0);
    await until(() => written(recorder, '/count') === 1 && written(recorder, '/plain') === 1);
    proxy.cut();
    await until(() => subscribersOf(agent).length === 0);
    for (let value = 1; value < 9; value++) await agent.publish('/count', value);
    await agent.publish('/plain', 1);
    await until(() => subscribersOf(agent).length === 1);
    await agent.publish('/plain', 2);
    await until(() => written(recorder, '/count') === 6 && written(recorder, '/plain') === 2);
    const report = await recorder.stop();
    expect(isComplete(report)).toBe(false);
    expect(report.paths.filter(({ path }) => path === '/count' || path === '/plain')).toMatchObject([
      { path: '/count', expected: 9, written: 6, lost: 3, gaps: [{ from: 1, to: 3, count: 3, reason: 'reconnect' }] },
      { path: '/plain', expected: 3, written: 2, lost: 1, gaps: [{ from: 1, to: 1, count: 1, reason: 'reconnect' }] },
    ]);
    expect(report.subscriptions).toMatchObject([{ service: 'agent-1', path: '*', reconnects: 1, unreadable: 0 }]);
    const { names } = await recorded(base);
    expect(names.filter((name) => name.includes('/count'))).toEqual(
      [0, 4, 5, 6, 7, 8].map((sequence) => `agent-1/count:${sequence}`),
    );
  });

  it('writes an event once that several subscriptions bring, for the most exact of them', async () => {
    const { service, mesh } = await runMesh();
    const every = (path: string, everyN = 0) => ({ publisher: 'agent-1', path, everyN, qos: {} });
    const { recorder, base } = await record(mesh, [every('*'), every('/gps/*'), every('/count', 2)]);
    await until(() => subscribersOf(service('agent-1')).length === 3);
    for (let value = 0; value < 5; value++) await service('agent-1').publish('/count', value);
    for (let value = 0; value < 3; value++) await service('agent-1').publish('/gps/pvt', value);
    await service('agent-1').publish('/plain', 0);
    await until(() =>
      [3, 3, 1].every((count, index) => written(recorder, ['/count', '/gps/pvt', '/plain'][index]!) === count),
    );
    const report = await recorder.stop();
    expect(report.paths.filter(({ path }) => path === '/count')).toMatchObject([{ written: 3, expected: 3, lost: 0 }]);
    const { names } = await recorded(base);
    expect(names.sort()).toEqual(
      ['/count:0', '/count:2', '/count:4', '/gps/pvt:0', '/gps/pvt:1', '/gps/pvt:2', '/plain:0'].map(
        (name) => `agent-1${name}`,
      ),
    );
  });

  it('holds the publisher rather than lose what the disk is too slow for', async () => {
    const { service, mesh, config: live } = await runMesh();
    let open = 0;
    let events = 0;
    const slow = {
      files: [],
      clearHeaders: () => undefined,
      write: async (batch: readonly unknown[]) => {
        open += 1;
        expect(open).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        events += batch.length;
        open -= 1;
      },
      close: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { recorder } = await record(mesh, namedPaths(live, ['agent-1/plain']), { open: async () => slow });
    await until(() => subscribersOf(service('agent-1')).length === 1);
    let dropped = 0;
    for (let value = 0; value < 30_000; value++) dropped += (await service('agent-1').publish('/plain', value)).dropped;
    await until(() => events === 30_000);
    expect(dropped).toBe(0);
    expect(await recorder.stop()).toMatchObject({ events: 30_000, lost: 0 });
  });

  it('leaves out and counts what is no event, for a reader would not find its way behind it', async () => {
    const { service, mesh, config: live } = await runMesh();
    const logger = keepingLogger();
    const { recorder, base } = await record(mesh, namedPaths(live, ['agent-1/plain']), { logger });
    await until(() => subscribersOf(service('agent-1')).length === 1);
    const [subscriber] = subscribersOf(service('agent-1'));
    const published: MeshEvent[] = [];
    service('agent-1').published$.subscribe((event) => published.push(event));
    await service('agent-1').publish('/plain', 7);
    const { eventBytes } = published.find(({ path }) => path === '/plain')!;
    // The same event with a payload that is a byte too long, and with a stamp that ends too soon.
    const offer = (event: Buffer, payload: number[]) =>
      subscriber!.offer(encodedEvent('/plain', 0, framed(joinEnvelope(event, Buffer.from(payload))).bytes));
    offer(eventBytes, [8, 7, 7]);
    offer(Buffer.concat([eventBytes, Buffer.of(0x12, 2, 0x12, 9)]), [8, 7]);
    offer(eventBytes, [8, 7, 7]);
    await service('agent-1').publish('/plain', 8);
    await until(() => recorder.report.events === 2 && recorder.report.lost === 3);
    const report = await recorder.stop();
    expect(report.subscriptions).toMatchObject([{ unreadable: 3 }]);
    expect(logger.lines.filter((line) => /error: not recorded: event 0 of agent-1\/plain/.test(line))).toHaveLength(1);
    expect((await recorded(base)).names).toEqual(['agent-1/plain:0', 'agent-1/plain:1']);
  });

  it('gives up what trying again cannot mend, says so, and goes on with the rest', async () => {
    const agent = await serve({ ...config.services[0]!, port: 0 }, { maxBlockMs: 500 });
    const { recorder } = await record(meshOf(at(agent.port)), [
      { publisher: 'agent-1', path: '/plain', everyN: 0, qos: { blockMs: 501 } },
    ]);
    await until(() => recorder.report.subscriptions[0]?.error !== undefined);
    const report = await recorder.stop();
    expect(report.subscriptions[0]!.error).toMatchObject({ code: 'invalid-argument' });
    expect(isComplete(report)).toBe(false);
  });

  it('asks a service for no more patience than it has', async () => {
    const agent = await serve({ ...config.services[0]!, port: 0 }, { maxBlockMs: 1000 });
    const { recorder } = await record(meshOf(at(agent.port)), namedPaths(at(agent.port), ['agent-1/plain']));
    await until(() => subscribersOf(agent).length === 1);
    await agent.publish('/plain', 0);
    await until(() => recorder.report.events === 1);
    expect(isComplete(await recorder.stop())).toBe(true);
  });
});

describe('a disk that runs full', () => {
  it('keeps a recording from beginning', async () => {
    const { mesh, config: live } = await runMesh();
    const full = { freeBytes: async () => 5e6, minFreeBytes: 6e6 };
    await expect(record(mesh, everyPath(live), full)).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringContaining('5 MB left'),
    });
  });

  it('ends a recording that runs, complete, with a last event that says why', async () => {
    const { service, mesh, config: live } = await runMesh();
    let free = 1e9;
    const last: MeshEvent[] = [];
    service('oak/0').published$.subscribe((event) => last.push(event));
    const { recorder, base } = await record(mesh, namedPaths(live, ['agent-1/count']), {
      freeBytes: async () => free,
      lastEvent: async ({ message }) => {
        await service('oak/0').publish('/error', message, { type: 'google.protobuf.StringValue' });
        return last.at(-1);
      },
    });
    await until(() => subscribersOf(service('agent-1')).length === 1);
    for (let value = 0; value < 5; value++) await service('agent-1').publish('/count', value);
    await until(() => recorder.report.events === 5);
    free = 1e6;
    const report = await recorder.ended;
    expect(report).toMatchObject({ events: 5, lost: 0, error: { code: 'resource-exhausted' } });
    const { names, events } = await recorded(base);
    expect(names).toEqual([...[0, 1, 2, 3, 4].map((sequence) => `agent-1/count:${sequence}`), 'oak/0/error:0']);
    expect(events.at(-1)!.message).toMatch(/1 MB left/);
    await expect(recorder.write([])).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('ends it also when a write fails', async () => {
    const { service, mesh, config: live } = await runMesh();
    const failure = new MeshError('resource-exhausted', 'the disk is full');
    let closed = false;
    const broken = {
      files: [],
      clearHeaders: () => undefined,
      write: () => Promise.reject(failure),
      close: async () => {
        closed = true;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { recorder } = await record(mesh, everyPath(live), { open: async () => broken });
    await until(() => subscribersOf(service('agent-1')).length === 1);
    await service('agent-1').publish('/count', 0);
    expect(await recorder.ended).toMatchObject({ error: failure });
    expect(closed).toBe(true);
  });
});
