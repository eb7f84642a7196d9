import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type ConfigEntry, writeConfig } from '../mesh-config.js';
import { freePorts, rootDirectory, startFurrow, until } from '../process.js';
import { patient } from './process-mesh.js';

it('furrow up runs the whole shipped mesh, instances on Golem included, and leaves nothing behind', {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'golem-up-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const shipped = JSON.parse(readFileSync(`${rootDirectory}service_config.json`, 'utf8')) as { configs: ConfigEntry[] };
  const ports = await freePorts(shipped.configs.length);
  const activities = join(folder, 'activities');
  const entries = shipped.configs.map((entry, index) => ({ ...entry, port: ports[index]! }));
  Object.assign(entries.find(({ name }) => name === 'golem-node')!, { args: [`folder=${activities}`] });
  const env = { XDG_STATE_HOME: join(folder, 'state'), YAGNA_APPKEY: '' };
  await using up = startFurrow(['up', '-c', writeConfig(folder, entries)], { env });

  expect((await up.line(/^furrow +\| ready in [\d.]+ s: (.*)$/, patient))[1]?.split(', ')).toHaveLength(10);
  for (const name of ['simple-service-1', 'simple-service-2']) {
    await up.line(new RegExp(`^${name} \\| INFO:${name}:running: \\w+$`), patient);
  }
  await up.line(/^supervisor-3 +\| INFO:supervisor-3:Residual: value: \d+$/, patient);
  await up.line(/^supervisor-1 +\| INFO:supervisor-1:Residual: value: \d+$/, patient);
  up.signal('SIGINT');
  expect(await up.ended(patient)).toEqual({ code: 0, signal: null });
  for (const name of ['simple-service-1', 'simple-service-2']) {
    await up.line(new RegExp(`^${name} \\| INFO:${name}:terminated: \\w+: It was told to stop$`));
  }
  await until('the folders of activities to be removed', () => list(activities).length === 0, patient);
  const left = list(join(folder, 'state')).filter((path) => path.endsWith('.json'));
  expect(left).toEqual([]);
});

function list(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true }).map(String);
  } catch {
    return [];
  }
}
