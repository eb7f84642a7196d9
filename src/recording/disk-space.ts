import { statfs } from 'node:fs/promises';
import { MeshError } from '../base/errors.js';

/** Bytes that this process can still write in a folder. Errors: `not-found` where there is no such folder. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    throw new MeshError('not-found', `the free space of ${folder} cannot be told: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What to say, and with which code, of a disk that has too little room left. */
export function nearlyFull(free: number, least: number): MeshError {
  const [left, limit] = [free, least].map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`);
  return new MeshError(
    'resource-exhausted',
    `the disk has ${left} left, less than the ${limit} that a recording leaves free; make room, or set min-free-mb`,
  );
}
