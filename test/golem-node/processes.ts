import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Whether this machine lets users make namespaces. */
export const namespacesWork = spawnSync('unshare', ['-Urmpf', 'true']).status === 0;
/** The kinds of isolation that can be tested here. */
export const kinds = namespacesWork ? (['namespaces', 'paths'] as const) : (['paths'] as const);

/** Processes of this machine whose arguments hold the marker. */
export function processes(marker: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(marker);
    } catch {
      return false;
    }
  }).length;
}

/** Looks again and again, as fast as the machine allows. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

/** A number that no other process sleeps for. */
let lastMarker = 1_000_000 + process.pid * 100;
export function marker(): string {
  lastMarker += 1;
  return String(lastMarker);
}
