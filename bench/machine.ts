import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { brokerVersion } from './broker.js';
import { farmNgVersion } from './subjects.js';

/** The machine, without its name. */
export function machine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()}`,
    architecture: process.arch,
    // Above the number of cores, others are using the machine, and the figures say little.
    loadAtStart: Number(loadavg()[0]!.toFixed(2)),
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Versions of everything that was measured. */
export function versions(farmNgPython: string | undefined): Record<string, string> {
  const require = createRequire(import.meta.url);
  const installed = ['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', '@nats-io/transport-node'];
  const broker = brokerVersion();
  const farmNg = farmNgPython === undefined ? undefined : farmNgVersion(farmNgPython);
  const own = new URL('../package.json', import.meta.url);
  return {
    furrow: (JSON.parse(readFileSync(own, 'utf8')) as { version: string }).version,
    node: process.version,
    ...Object.fromEntries(installed.map((name) => [name, versionOf(require, name)])),
    ...(broker === undefined ? {} : { 'nats-server': broker }),
    ...(farmNg === undefined ? {} : { 'farm-ng-core': farmNg }),
  };
}

function versionOf(require: NodeJS.Require, name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as { version: string }).version;
    } catch {
      // Not in this folder: the next one.
    }
  }
  return 'unknown';
}
