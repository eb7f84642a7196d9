import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { golemFolders } from './sandbox.js';

const prefix = 'activity-';
/** Another node may be between making a folder and writing into it whose it is. */
const youngMs = 60_000;

/** Makes the folder of an activity, with what is bound to `/golem` and `/tmp` in it. */
export function makeActivityFolder(base: string): string {
  mkdirSync(base, { recursive: true, mode: 0o700 });
  // Somebody else could otherwise have made it, to exchange what lies in it.
  if (statSync(base).uid !== process.getuid?.()) throw new Error(`${base} belongs to another user`);
  const folder = mkdtempSync(join(realpathSync(base), prefix));
  writeFileSync(join(folder, 'owner'), String(process.pid));
  for (const name of golemFolders) mkdirSync(join(folder, 'golem', name), { recursive: true });
  mkdirSync(join(folder, 'tmp'));
  mkdirSync(join(folder, 'root'));
  return folder;
}

/**
 * Removes what nodes left behind that could not clean up: usually nothing, because a shell of its own outlives the
 * node and removes each folder.
 */
export function removeAbandoned(base: string): void {
  let names: string[];
  try {
    names = readdirSync(base);
  } catch {
    return;
  }
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    const folder = join(base, name);
    if (isAbandoned(folder)) rmSync(folder, { recursive: true, force: true });
  }
}

function isAbandoned(folder: string): boolean {
  const owner = ownerOf(folder);
  if (!Number.isNaN(owner)) return !isAlive(owner);
  const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  return Date.now() - made > youngMs;
}

function ownerOf(folder: string): number {
  try {
    return Number(readFileSync(join(folder, 'owner'), 'utf8'));
  } catch {
    return Number.NaN;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
