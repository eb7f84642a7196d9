import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWithPython } from './python-peer.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const int32 = 'google.protobuf.Int32Value';
const struct = 'google.protobuf.Struct';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'furrow-peer-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function config(...configs: object[]): string {
  const file = join(folder, 'service_config.json');
  writeFileSync(file, JSON.stringify({ configs }));
  return file;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, 'localhost', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

describeWithPython('the Python peer with itself', (peer) => {
  async function service(options: object = {}) {
    const running = peer.probe('publish', { name: 'agent-1', noHealth: true, stdin: true, ...options });
    const { port } = await running.next('listening');
    return { running, port, address: `localhost:${port}` };
  }

  it('reads the proto files as a compiler does', async () => {
    const set = join(folder, 'protos.binpb');
    execFileSync(at('../../node_modules/.bin/buf'), [
      'build',
      at('../../protos'),
      '--as-file-descriptor-set',
      '-o',
      set,
    ]);
    const probe = peer.probe('compare-protos', {}, set);
    const { files, differ } = await probe.next('protos');
    expect(files).toContain('farm_ng/core/event_service.proto');
    expect(differ).toEqual([]);
  });

  it('publishes an event as the contract says', async () => {
    const { running, address } = await service();
    const subscriber = peer.probe('subscribe', { address, path: '/sample', query: 'service_name=agent-1', count: 2 });
    expect(await running.next('subscriber')).toMatchObject({ change: 1, path: '/sample' });
    for (const task_id of [1, 2]) running.send({ path: '/sample', type: struct, json: { sample: 0.5, task_id } });

    expect(await running.take('published', 2)).toMatchObject([
      { path: '/sample', sequence: 0, subscribers: 1 },
      { path: '/sample', sequence: 1, subscribers: 1 },
    ]);
    const [first, second] = await subscriber.take('event', 2);
    expect(first?.event.uri).toMatchObject({
      scheme: 'protobuf',
      path: '/sample',
      query: 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=agent-1',
    });
    expect(first?.event.timestamps.map(({ semantics }) => semantics)).toEqual([
      'service/send',
      'service/send',
      'client/receive',
    ]);
    expect(first?.event.payloadLength).toBe(String((first?.payloadHex.length ?? 0) / 2));
    expect(second).toMatchObject({ event: { sequence: '1' }, message: { sample: 0.5, task_id: 2 } });
    expect(await subscriber.exit).toMatchObject({ code: 0 });
    expect(await running.next('subscriber')).toMatchObject({ change: -1 });
    expect(await running.stop()).toEqual({ code: 0, signal: null });
  });

  it('delivers every n-th event, and every path to a wildcard', async () => {
    const { running, address } = await service();
    const third = peer.probe('subscribe', { address, path: '/a', everyN: 3, count: 2 });
    const all = peer.probe('subscribe', { address, path: '*', count: 5 });
    await running.take('subscriber', 2);
    for (let json = 0; json < 4; json += 1) running.send({ path: '/a', type: int32, json });
    running.send({ path: '/b', type: int32, json: 9 });
    expect((await third.take('event', 2)).map(({ message }) => message)).toEqual([0, 3]);
    expect((await all.take('event', 5)).map(({ event, message }) => [event.uri.path, message])).toEqual([
      ['/a', 0],
      ['/a', 1],
      ['/a', 2],
      ['/a', 3],
      ['/b', 9],
    ]);
  });

  it('gives the latched event first, and lists what it publishes', async () => {
    const { running, address } = await service({ path: '/residual', json: [5, 6], type: int32, latch: true });
    await running.take('published', 2);
    const late = peer.probe('subscribe', { address, path: '/residual', count: 2 });
    await running.next('subscriber');
    running.send({ path: '/residual', type: int32, json: 7 });
    expect((await late.take('event', 2)).map(({ message }) => message)).toEqual([6, 7]);
    const { uris } = await peer.probe('list-uris', { address }).next('uris');
    expect(uris.map(({ path }) => path)).toEqual(['/residual']);
  });

  it('refuses another type on a path and goes on', async () => {
    const { running } = await service();
    running.send({ path: '/a', type: int32, json: 1 });
    running.send({ path: '/a', type: struct, json: {} });
    running.send({ path: '/a', type: int32, json: 2 });
    expect((await running.next('refused')).message).toMatch(/Int32Value.*Struct/);
    expect((await running.take('published', 2)).map(({ sequence }) => sequence)).toEqual([0, 1]);
  });

  it('publishes its health', async () => {
    const { running, address } = await service({ noHealth: false });
    running.send({ path: '/a', type: int32, json: 1 });
    await running.next('published', ({ path }) => path === '/a');
    const health = peer.probe('subscribe', { address, path: '/health', count: 1 });
    expect((await health.next('event')).message).toMatchObject({ '/a/send_count': 1, '/a/send_clients': 0 });
  });

  it('drops the newest of a subscriber that does not read, and counts them', async () => {
    const { running, address } = await service({ type: 'google.protobuf.StringValue' });
    const stalled = peer.probe('subscribe', { address, path: '/big', raw: true });
    await running.next('subscriber');
    stalled.signal('SIGSTOP');
    const text = 'x'.repeat(200_000);
    for (let i = 0; i < 100; i += 1) running.send({ path: '/big', type: 'google.protobuf.StringValue', json: text });
    await running.take('published', 100);
    await running.printed(/Dropped sequence \d+ of \/big/);
    stalled.signal('SIGCONT');
    expect((await stalled.take('event', 10)).map(({ event }) => event.sequence)).toEqual(
      Array.from({ length: 10 }, (_, i) => String(i)),
    );
  });

  it('answers requests, and replies as the contract says', async () => {
    const echo = peer.probe('echo-service', { name: 'echo', fail: ['/bad'] });
    const { port } = await echo.next('listening');
    const address = `localhost:${port}`;
    const asked = peer.probe('request', { address, name: 'echo', path: '/twice', type: int32, json: 455, count: 2 });
    expect((await asked.take('reply', 2)).map(({ event }) => event.sequence)).toEqual(['0', '1']);
    const request = await echo.next('request');
    expect(request).toMatchObject({ message: 455, event: { uri: { path: '/twice' } } });
    expect(request.event.uri.query).toMatch(/&service_name=echo$/);
    expect(request.event.timestamps.map(({ semantics }) => semantics)).toEqual([
      'client/send',
      'client/send',
      'service/receive',
    ]);
    const reply = await peer
      .probe('request', { address, name: 'echo', path: '/x', type: int32, json: 1 })
      .next('reply');
    expect(reply).toMatchObject({ message: 1, event: { uri: { path: '/reply/request/x' } } });
    expect(reply.event.uri.query).toMatch(/^type=google.protobuf.Int32Value&.*&service_name=echo$/);

    const failed = peer.probe('request', { address, name: 'echo', path: '/bad' });
    expect(await failed.next('error')).toMatchObject({ code: 'UNKNOWN' });
    expect(await failed.exit).toMatchObject({ code: 1 });
  });

  it('answers Empty where it has no handler, and gives up at its deadline where nobody is', async () => {
    const { address } = await service();
    const reply = await peer.probe('request', { address, path: '/any', type: int32, json: 1 }).next('reply');
    expect(reply).toMatchObject({ message: {}, event: { payloadLength: '0' } });

    const nobody = `localhost:${await freePort()}`;
    const waits = peer.probe('request', { address: nobody, path: '/any', deadlineMs: 300 });
    expect(await waits.next('deadline')).toMatchObject({ deadlineMs: 300 });
    expect(await waits.exit).toMatchObject({ code: 3 });
    const fails = peer.probe('request', { address: nobody, path: '/any', noWait: true });
    expect(await fails.next('error')).toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('loads a configuration strictly', async () => {
    const entry = {
      name: 'storage',
      host: 'localhost',
      port: 7010,
      log_level: 'INFO',
      uris: [{ scheme: 'request', path: '/update_storage', query: 'request=a.B&reply=c.D' }],
    };
    const good = peer.probe('check-config', { name: 'storage' }, config(entry));
    expect((await good.next('config')).config).toMatchObject({ logLevel: 'INFO', port: 7010 });
    await good.exit;
    const bad = peer.probe('check-config', { name: 'storage' }, config({ ...entry, qos: 1 }));
    expect((await bad.next('error')).details).toContain('qos');
  });

  it('runs the service-propagation system', async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const entry = (name: string, port: number | undefined, args: string[], rest = {}) => ({
      ...{ name, host: 'localhost', port, args },
      ...rest,
    });
    const subscriptions = [{ uri: { path: '/sample', query: 'depth=100&service_name=agent-1' } }];
    const file = config(
      entry('agent-1', ports[0], ['rate=50', 'num_tasks=2']),
      entry('supervisor-1', ports[1], ['confidence=0.1'], { subscriptions }),
      entry('storage', ports[2], ['max_storage=20', 'batch_size=10']),
    );
    const agent = peer.program('agent', file, 'agent-1');
    const supervisor = peer.program('supervisor', file, 'supervisor-1');
    const storage = peer.program('storage', file, 'storage');
    await agent.printed(/^Published sample 0\.\d+ from task [01]$/);
    await storage.printed(/^INFO:storage:Storage: 3\/20 \(17 remaining\)$/);
    await supervisor.printed(/^INFO:supervisor-1:Residual: value: \d+/);
    await agent.printed(/^INFO:agent-1:Remainder: \d+$/);
    await storage.printed(/^INFO:storage:Removed from storage: 10\/20$/);
    expect([agent, supervisor, storage].every(({ running }) => running)).toBe(true);
  });

  it('lets its programs die of what kills farm-ng programs', async () => {
    const bad = config({
      name: 'agent-1',
      host: 'localhost',
      port: await freePort(),
      args: ['rate=1=2', 'num_tasks=1'],
    });
    const agent = peer.program('agent', bad, 'agent-1');
    expect(await agent.exit).toMatchObject({ code: 1 });
    await agent.printed(/^ValueError: too many values to unpack/);

    const portless = config(
      { name: 'supervisor-1', host: 'localhost', port: await freePort(), args: ['confidence=0.5'] },
      { name: 'record_default' },
    );
    const supervisor = peer.program('supervisor', portless, 'supervisor-1');
    expect(await supervisor.exit).toMatchObject({ code: 1 });
    await supervisor.printed(/^ValueError: 'record_default' has no port/);
  });
});
