import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FoxgloveStatus } from 'furrow/foxglove';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { int32, serve, subscribersOf, until } from '../mesh/running.js';
import { writeConfig } from '../mesh-config.js';
import { freePorts, startFurrow, startService } from '../process.js';
import { TestViewer } from './test-viewer.js';

const folder = mkdtempSync(join(tmpdir(), 'furrow-foxglove-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An agent that runs in this process, and a configuration with it and a Foxglove service on free ports. */
async function mesh(...args: string[]) {
  const [agentPort = 0, foxglovePort = 0] = await freePorts(2);
  const count = { scheme: 'protobuf', path: '/count', query: `type=${int32.type}&pb=${int32.pb}&service_name=agent-1` };
  const status = {
    scheme: 'request',
    path: '/status',
    query: 'request=google.protobuf.Empty&reply=google.protobuf.Struct',
  };
  const file = writeConfig(folder, [
    { name: 'agent-1', host: '127.0.0.1', port: agentPort, uris: [count] },
    { name: 'foxglove', host: '127.0.0.1', port: foxglovePort, uris: [status], args },
  ]);
  const agent = await serve(loadConfig(file).services[0]);
  return { file, agent };
}

test('furrow foxglove says where to look, shows the mesh, counts, and ends at Ctrl-C', async () => {
  const { file, agent } = await mesh();
  await using running = startFurrow(['foxglove', 'agent-1/*', '--port', '0', '--json', '-c', file]);
  const [, url = ''] = await running.line(/^\{"url":"(ws:\/\/localhost:\d+)"\}$/);
  const viewer = await TestViewer.connect(url);
  await viewer.subscribe('agent-1/count');
  await until(() => subscribersOf(agent).length === 1);
  await agent.publish('/count', 5);
  await until(() => viewer.seen.length === 1);
  expect([...viewer.channels.keys()].sort()).toEqual(['agent-1/count', 'agent-1/health']);
  const [line] = await running.line(/^\{"viewers":\[\{.*"subscriptions":1,"sent":1,.*"topic":"agent-1\/count".*\}$/);
  expect(JSON.parse(line)).toMatchObject({ services: 0, sent: 1, dropped: 0, refused: 0 });
  process.kill(running.pid, 'SIGINT');
  expect(await running.exit).toEqual({ code: 0, signal: null });
  await until(() => viewer.closes.length === 1);
  await running.line(/"final":true/);
});

test('furrow foxglove for people, with a port that is taken, and with a mistyped service', async () => {
  const { file } = await mesh();
  await using running = startFurrow(['foxglove', '--port', '0', '-c', file]);
  const [, port = ''] = await running.line(/^In Foxglove \(app\.foxglove\.dev\): Open connection .* ws:\/\/\w+:(\d+)$/);
  await running.line(/^0 viewers {2}2 channels {2}0 services {2}0 sent {2}0 dropped$/);
  await using second = startFurrow(['foxglove', '--port', port, '-c', file]);
  await second.line(new RegExp(`port ${port} of 127.0.0.1 is in use`));
  expect(await second.exit).toMatchObject({ code: 4 });
  await using mistyped = startFurrow(['foxglove', 'agnet-1/count', '-c', file]);
  await mistyped.line(/did you mean "agent-1"/);
  expect(await mistyped.exit).toMatchObject({ code: 2 });
});

test('the service foxglove shows the mesh that it belongs to, and says how it is', async () => {
  const { file, agent } = await mesh('port=0', 'paths=agent-1/count,foxglove/*');
  await using running = startService('foxglove', ['-c', file, '-n', 'foxglove']);
  const [, url = ''] = await running.line(/^Foxglove WebSocket: (ws:\S+)$/);
  const viewer = await TestViewer.connect(url);
  await viewer.subscribe('agent-1/count');
  await until(() => subscribersOf(agent).length === 1);
  await until(() => viewer.services.has('foxglove/status') && viewer.channels.size === 2);
  const { data } = await viewer.call('foxglove/status', Buffer.from('{}'));
  const status = JSON.parse(data.toString()) as FoxgloveStatus;
  expect(status.viewers).toMatchObject([{ subscriptions: 1, dropped: 0 }]);
  process.kill(running.pid, 'SIGTERM');
  expect(await running.exit).toEqual({ code: 0, signal: null });
});
