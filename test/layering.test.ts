import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * The plan of the house: a file imports from its own folder and from folders before it in this list. What stands on
 * top may import anything.
 */
const layers = [
  'base',
  'messages',
  'config',
  'http2',
  'wire',
  'mesh',
  'operators',
  'recording',
  'golem',
  'bridges',
  'observe',
];
const tops = ['program', 'cli', 'supervise', 'testing', 'index.ts'];
const publicEntries = ['furrow', 'furrow/foxglove', 'furrow/golem', 'furrow/recording', 'furrow/testing'];
const mostLines = 300;
/** Files that are longer, and why. */
const longer: readonly string[] = [];

const root = fileURLToPath(new URL('..', import.meta.url));

interface Source {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** As written. */
  readonly imports: readonly string[];
}

function sources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const text = readFileSync(join(root, folder, file), 'utf8');
      const specifiers = text.matchAll(
        /^(?:import|export)\b[^'"`;(=]*?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
      );
      const imports = Array.from(specifiers, ([, one, other]) => (one ?? other)!);
      return { path: join(folder, file).split(sep).join('/'), text, imports };
    });
}

/** The file that a relative import means. */
function target(source: Source, specifier: string): string {
  const path = join(root, dirname(source.path), specifier).replace(/\.js$/, '.ts');
  return relative(root, path).split(sep).join('/');
}

function relatives(source: Source): string[] {
  return source.imports.filter((specifier) => specifier.startsWith('.')).map((specifier) => target(source, specifier));
}

/** The part of a path that names its layer: `src/mesh/topic.ts` is of `mesh`. */
const layerOf = (path: string) => path.split('/')[1]!;

const library = sources('src');
const programs = sources('services');

test('the sources were found, with their imports', () => {
  expect(library.length).toBeGreaterThan(50);
  expect(library.flatMap(relatives).length).toBeGreaterThan(100);
  const known = new Set(library.map(({ path }) => path));
  expect(library.flatMap(relatives).filter((path) => path.startsWith('src/') && !known.has(path))).toEqual([]);
});

test('every folder of src is in the plan', () => {
  const folders = new Set(library.map(({ path }) => layerOf(path)));
  expect([...folders].filter((folder) => !layers.includes(folder) && !tops.includes(folder))).toEqual([]);
});

test('no file imports from a folder below its own', () => {
  const wrong = library.flatMap((source) => {
    const own = layers.indexOf(layerOf(source.path));
    if (own < 0) return [];
    const allowed = layers.slice(0, own + 1);
    return relatives(source)
      .filter((path) => !allowed.includes(layerOf(path)))
      .map((path) => `${source.path} imports ${path}`);
  });
  expect(wrong).toEqual([]);
});

test('no imports go in a circle', () => {
  const importsOf = new Map(library.map((source) => [source.path, relatives(source)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of importsOf.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of importsOf.keys()) walk(path, []);
  expect(circles).toEqual([]);
});

test('the programs in services/ import of ours only public entries and each other', () => {
  const wrong = programs.flatMap((source) => [
    ...relatives(source).filter((path) => !path.startsWith('services/')),
    ...source.imports.filter((name) => name.startsWith('furrow/') && !publicEntries.includes(name)),
  ]);
  expect(programs.flatMap(({ imports }) => imports)).toContain('furrow');
  expect(wrong).toEqual([]);
});

test('nothing exports everything', () => {
  const wrong = [...library, ...programs].filter(({ text }) => /^export \*/m.test(text));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test(`no file is longer than ${mostLines} lines`, () => {
  const long = [...library, ...programs]
    .filter(({ text }) => text.trimEnd().split('\n').length > mostLines)
    .map(({ path }) => path);
  expect(long).toEqual(longer);
});
