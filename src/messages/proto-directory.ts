import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../base/errors.js';

/** The directory of the protos that come with furrow. */
export function shippedProtos(): string {
  // This file runs from src/ and from dist/src/: the package's root is where the protos are.
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'protos', 'farm_ng'))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new MeshError('internal', 'the protos directory of furrow is missing; reinstall it');
    directory = parent;
  }
  return join(directory, 'protos');
}
