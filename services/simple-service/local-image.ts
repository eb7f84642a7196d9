import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalImage } from '../golem-node/images.js';

const wrappers = 'services/simple-service/provider/run';

/**
 * The simple service as an image of the local node: the same compiled programs and wrappers that the Dockerfile puts
 * into a real one, at the same places. Needs `npm run build` before.
 */
export function simpleServiceImage(tag = 'furrow/simple-service:latest'): LocalImage {
  const root = packageFolder();
  const programs = join(root, 'dist/services/simple-service/provider');
  // Wherever npm put them: beside this package or above it.
  const modules = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), '..');
  return {
    tag,
    mounts: [
      { from: join(root, wrappers), to: '/golem/run' },
      { from: programs, to: '/opt/simple-service/provider' },
      { from: modules, to: '/opt/simple-service/node_modules' },
      // It says that the programs are ES modules.
      { from: join(root, 'package.json'), to: '/opt/simple-service/package.json' },
      { from: process.execPath, to: '/opt/node/bin/node' },
    ],
    env: { PATH: '/opt/node/bin:/usr/local/bin:/usr/bin:/bin' },
  };
}

function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, wrappers, 'simple_service'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`${wrappers} is not to be found above ${fileURLToPath(import.meta.url)}`);
    folder = above;
  }
  return folder;
}
