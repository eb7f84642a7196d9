import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startGolemNode } from '../../services/golem-node/start-golem-node.js';
import { simpleServiceImage } from '../../services/simple-service/local-image.js';
import { rootDirectory, TestProcess } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

it('the requestor runs instances, reports, saves plots, and leaves nothing behind', { timeout: 90_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'golem-requestor-'));
  const node = await startGolemNode({
    folder: join(folder, 'activities'),
    providers: [{ name: 'meadow' }, { name: 'orchard' }],
    images: [simpleServiceImage()],
  });
  onTestFinished(async () => {
    await node.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = async (path: string) => {
    const response = await fetch(node.url + path, { headers: { Authorization: `Bearer ${node.appKey}` } });
    return (await response.json()) as object[];
  };
  const { url, appKey } = node;
  const state = join(folder, 'state');
  const env = { YAGNA_API_URL: url, YAGNA_APPKEY: appKey, GOLEM_REGISTRY_URL: url, XDG_STATE_HOME: state };
  const args = ['--num-instances', '2', '--running-time', '600', '--show-usage'];
  await using requestor = new TestProcess(process.execPath, [`${rootDirectory}dist/services/requestor.js`, ...args], {
    cwd: folder,
    env,
  });
  for (const name of ['simple-service-1', 'simple-service-2']) {
    await requestor.line(new RegExp(`^${name} is running on (meadow|orchard)$`), patient);
    await requestor.line(new RegExp(`^${name}: \\{"min":.*"size":[1-9]`), patient);
    await requestor.line(new RegExp(`^${name}: \\{"golem.usage.duration_sec":.* GLM$`), patient);
  }
  requestor.signal('SIGINT');
  const [, plot = ''] = await requestor.line(/^simple-service-2: plot saved to (.*dist\.png)$/, patient);
  await requestor.line(/^stopped; 0\.\d+ GLM accepted$/, patient);
  expect(await requestor.ended(patient)).toEqual({ code: 0, signal: null });
  expect(readFileSync(plot).subarray(1, 4).toString()).toBe('PNG');
  expect(await ask('/payment-api/v1/allocations')).toEqual([]);
  expect(await ask('/market-api/v1/demands')).toEqual([]);
  expect(readdirSync(folder)).not.toContain('activities');
  expect(readdirSync(join(state, 'furrow', 'golem'))).toEqual([]);
});

it('with YAGNA_APPKEY set, the node of a mesh is idle and proxies run on that daemon', {
  timeout: 90_000,
}, async () => {
  const state = mkdtempSync(join(tmpdir(), 'golem-daemon-'));
  const daemon = await startGolemNode({
    folder: join(state, 'activities'),
    providers: [{ name: 'faraway' }],
    images: [simpleServiceImage()],
  });
  onTestFinished(async () => {
    await daemon.close();
    rmSync(state, { recursive: true, force: true });
  });
  const { url, appKey } = daemon;
  const environment = { YAGNA_API_URL: url, YAGNA_APPKEY: appKey, GOLEM_REGISTRY_URL: url, XDG_STATE_HOME: state };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  await using system = await ProcessMesh.make({ services: ['golem-node', 'simple-service-1'] });
  const node = system.start('golem-node');
  const proxy = system.start('simple-service-1');
  await node.line(/^INFO:golem-node:idle: YAGNA_APPKEY is set/, patient);
  await proxy.line(/^INFO:simple-service-1:running: faraway$/, patient);
  proxy.signal('SIGTERM');
  expect(await proxy.ended(patient)).toEqual({ code: 0, signal: null });
  await proxy.line(/^INFO:simple-service-1:terminated: faraway: It was told to stop$/);
});
