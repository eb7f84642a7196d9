import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What tests start as processes of their own, with what that imports of test/. */
const programs = [
  'golem/requestor-to-kill',
  'mesh/service-process',
  'mesh/stalled-subscriber',
  'recording/samples',
  'recording/writer-to-kill',
];

const root = fileURLToPath(new URL('..', import.meta.url));
/** Written by each build. */
const buildInfo = join(root, 'dist/.tsbuildinfo');

/**
 * Process tests run the compiled programs, so they must match the sources under test. Their own programs go to
 * dist/test: a process that compiles TypeScript as it loads it takes four times as long to start.
 */
export default function build(): void {
  if (newest('src', 'services', 'tsconfig.json', 'tsconfig.build.json') > changed(buildInfo)) compile();
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  for (const program of programs) {
    const source = readFileSync(join(root, 'test', `${program}.ts`), 'utf8');
    const target = join(root, 'dist/test', `${program}.js`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, ts.transpileModule(source, { compilerOptions }).outputText);
  }
}

function compile(): void {
  try {
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
      cwd: root,
      stdio: 'inherit',
    });
  } catch (error) {
    // What does not compile is told of again the next time.
    rmSync(buildInfo, { force: true });
    throw error;
  }
}

/** When the last of these changed; of folders with all that is in them, so that what was removed counts, too. */
function newest(...paths: readonly string[]): number {
  const all = paths.flatMap((path) => {
    const isFolder = statSync(join(root, path)).isDirectory();
    const inside = isFolder ? readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }) : [];
    return [path, ...inside.map((file) => join(path, file))];
  });
  return Math.max(...all.map((path) => changed(join(root, path))));
}

/** Never, for what is not there. */
function changed(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
