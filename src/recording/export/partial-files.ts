import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { MeshError } from '../../base/errors.js';
import { diskError } from '../recording-disk.js';

/**
 * Files under names of their own until they are complete: whatever happens, no file looks complete that is not. One
 * whose process was killed stays as `FILE.PID.partial`.
 */
export class PartialFiles {
  /** Final name by present name. */
  private readonly names = new Map<string, string>();
  private readonly overwrite: boolean;

  constructor({ overwrite }: { readonly overwrite: boolean }) {
    this.overwrite = overwrite;
  }

  /** The name under which to write what will be `file`. Errors: `failed-precondition` when it is there already. */
  begin(file: string): string {
    if (!this.overwrite && existsSync(file)) {
      throw new MeshError('failed-precondition', `${file} is there already; name another, or say --force`);
    }
    const partial = `${file}.${process.pid}.partial`;
    this.names.set(partial, file);
    return partial;
  }

  /** Notes that the writer of `partial` has called its file otherwise. */
  renamed(partial: string, name: string): void {
    const file = this.names.get(partial);
    if (file === undefined || name === partial) return;
    this.names.delete(partial);
    this.names.set(name, file);
  }

  /** Gives all their final names. Errors: those of `diskError`. */
  async complete(): Promise<string[]> {
    const files = [...this.names.values()];
    for (const [partial, file] of this.names) {
      await rename(partial, file).catch((error) => {
        throw diskError(error, `rename ${partial} to ${file}`);
      });
      this.names.delete(partial);
    }
    return files;
  }

  /** Removes those that have no final name yet. */
  async remove(): Promise<void> {
    for (const partial of this.names.keys()) await rm(partial, { force: true });
    this.names.clear();
  }
}
