import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../base/errors.js';

/** A file that is written from its start to its end. */
export type RecordingFile = Pick<FileHandle, 'datasync' | 'truncate' | 'close'> & {
  /** May take less than all, as the operating system does; gives how many bytes it took. */
  write(bytes: Buffer, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
};

/** What a writer of recordings needs of a disk. */
export interface RecordingDisk {
  /** Names in a directory; none where there is no directory. */
  list(directory: string): Promise<readonly string[]>;
  /** Makes a file that does not exist yet, and its directory. */
  create(file: string): Promise<RecordingFile>;
  /** Puts the names of new files in the directory on disk. */
  syncDirectory(directory: string): Promise<void>;
}

/** The disks of this machine. */
export const nodeDisk: RecordingDisk = {
  async list(directory) {
    try {
      return await readdir(directory);
    } catch (error) {
      if (errno(error) === 'ENOENT') return [];
      throw error;
    }
  },
  async create(file) {
    await mkdir(dirname(file), { recursive: true });
    return open(file, 'wx');
  },
  async syncDirectory(directory) {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** `resource-exhausted` for a full disk, else `internal`; `doing` is as in `cannot write FILE`. */
export function diskError(error: unknown, doing: string): MeshError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new MeshError(
      'resource-exhausted',
      `cannot ${doing}: the disk is full (${code}); make room, or name another`,
      {
        cause: error,
      },
    );
  }
  if (code === 'ENOENT') return new MeshError('not-found', `cannot ${doing}: it does not exist`, { cause: error });
  if (code === 'EEXIST') {
    return new MeshError('failed-precondition', `cannot ${doing}: it is there already; name another, or remove it`, {
      cause: error,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new MeshError('permission-denied', `cannot ${doing}: ${message}`, { cause: error });
  }
  return new MeshError('internal', `cannot ${doing}: ${message}`, { cause: error });
}

function errno(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
