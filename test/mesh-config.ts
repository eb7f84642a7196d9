import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, rootDirectory } from './process.js';

/** An entry of a configuration, as far as tests look at it. */
export interface ConfigEntry {
  readonly name: string;
  readonly host?: string;
  port?: number;
  args?: string[];
  readonly [key: string]: unknown;
}

/**
 * Writes the shipped configuration with free ports into a folder, so that tests can run side by side: the six services
 * that run without Golem. `change` may alter it first. Returns its path.
 */
export async function shippedConfig(
  folder: string,
  change: (entries: ConfigEntry[]) => void = () => undefined,
): Promise<string> {
  const shipped = JSON.parse(readFileSync(join(rootDirectory, 'service_config.json'), 'utf8')) as {
    configs: ConfigEntry[];
  };
  shipped.configs = shipped.configs.slice(0, 1 + shipped.configs.findIndex(({ name }) => name === 'storage'));
  const ports = await freePorts(shipped.configs.length);
  for (const [index, entry] of shipped.configs.entries()) {
    const port = ports[index];
    if (port !== undefined) entry.port = port;
  }
  change(shipped.configs);
  return writeConfig(folder, shipped.configs);
}

/** Writes a configuration of these entries into a folder. Returns its path. */
export function writeConfig(folder: string, entries: readonly ConfigEntry[]): string {
  const file = join(folder, 'service_config.json');
  writeFileSync(file, JSON.stringify({ configs: entries }, null, 2));
  return file;
}
