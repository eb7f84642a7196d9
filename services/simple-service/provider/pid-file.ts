import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** A process, told apart from a later one with the same number by the time it started. */
export interface Owner {
  readonly pid: number;
  /** Clock ticks since boot, from /proc; empty where there is no /proc. */
  readonly started: string;
}

/** This process. */
export function self(): Owner {
  return { pid: process.pid, started: stat(process.pid)?.started ?? '' };
}

/** The live owner of the pid file, or undefined when there is no file or its process is gone. */
export function ownerOf(path: string): Owner | undefined {
  const owner = read(path);
  return owner !== undefined && alive(owner) ? owner : undefined;
}

/** True until the process has ended; one that only waits to be collected by its parent has. */
export function alive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const found = stat(pid);
  if (found === undefined) return true;
  return found.state !== 'Z' && (started === '' || found.started === started);
}

/** Makes `owner` the owner, or gives back who is it already. A file whose process is gone is no obstacle. */
export function claim(path: string, owner: Owner): Owner {
  const draft = `${path}.${owner.pid}`;
  writeFileSync(draft, `${owner.pid} ${owner.started}\n`);
  try {
    for (;;) {
      try {
        // A link appears with its content or not at all, so that nobody reads half of it.
        linkSync(draft, path);
        return owner;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const other = ownerOf(path);
      if (other !== undefined) return other;
      setAside(path, `${draft}.stale`);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes the file, unless it names somebody else who lives. */
export function release(path: string, owner: Owner): void {
  const found = ownerOf(path);
  if (found === undefined || found.pid === owner.pid) rmSync(path, { force: true });
}

/** Takes a stale file away. If another process claimed it in between, it is put back. */
function setAside(path: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (ownerOf(aside) !== undefined) {
    try {
      linkSync(aside, path);
    } catch {
      // Somebody else claimed it meanwhile; the loop in claim() finds out who.
    }
  }
  rmSync(aside, { force: true });
}

function read(path: string): Owner | undefined {
  try {
    const [pid, started = ''] = readFileSync(path, 'utf8').trim().split(' ');
    const number = Number(pid);
    return Number.isSafeInteger(number) && number > 0 ? { pid: number, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Fields 3 and 22 of /proc/<pid>/stat; the command's name before them may hold spaces and parentheses. */
function stat(pid: number): { state: string; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
