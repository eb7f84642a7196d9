import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Process tests run the compiled programs, so they must match the sources under test. */
export default function build(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}
