import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../src/config/check.js';
import { parseConfig } from '../src/config/load.js';
import { furrowCommands, helpExamples, usageFault } from './docs/cli.js';
import { anchorsOf, readManual, relativeLinks, type Snippet } from './docs/manual.js';
import { shellCommands } from './docs/shell.js';
import { runSnippet, typeErrors } from './docs/snippets.js';
import { rootDirectory } from './process.js';

const manual = readManual();
const commands = await furrowCommands();

function snippetsOf(language: string): readonly Snippet[] {
  return manual.flatMap(({ snippets }) => snippets.filter((snippet) => snippet.language === language));
}

describe('TypeScript of the manual', () => {
  const snippets = snippetsOf('ts');

  it('type-checks', { timeout: 120_000 }, () => {
    expect(snippets.length).toBeGreaterThan(0);
    // One that is wrong, since a check that sees nothing would pass for ever.
    const wrong = { at: 'here:1', language: 'ts', text: "import { Mesh } from 'furrow';\nMesh.form();", runs: false };
    expect(typeErrors([...snippets, wrong])).toEqual(["here:3: Property 'form' does not exist on type 'typeof Mesh'."]);
  });

  const running = snippets.filter(({ runs }) => runs);

  it.concurrent.each(running)('runs: $at', async (snippet) => {
    const { code, stdout, stderr } = await runSnippet(snippet);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // What the comment of its last line promises.
    if (snippet.at.startsWith('README.md')) expect(stdout).toBe('calibrated by 0.25\n0 21.5\n');
  });

  it('of the README runs', () => {
    expect(running.some(({ at }) => at.startsWith('README.md'))).toBe(true);
  });
});

describe('command lines of the manual', () => {
  const scripts = Object.keys(
    (JSON.parse(readFileSync(`${rootDirectory}package.json`, 'utf8')) as { scripts: object }).scripts,
  );

  function fault(words: readonly string[]): string | undefined {
    const [program, ...rest] = words[0] === 'npx' ? words.slice(1) : words;
    if (program === 'npm') {
      const script = rest[0] === 'run' ? rest[1] : ['start', 'test'].includes(rest[0] ?? '') ? rest[0] : undefined;
      return script === undefined || scripts.includes(script) ? undefined : `npm has no script ${script}`;
    }
    if (program === 'node') {
      const source = rest[0]?.replace(/^dist\//, '').replace(/\.js$/, '.ts') ?? '';
      return existsSync(rootDirectory + source) ? undefined : `${rest[0]} is not built from a source of ours`;
    }
    if (program !== 'furrow') return undefined;
    const make = commands.get(rest[0] ?? '');
    return make === undefined ? `furrow has no command ${rest[0]}` : usageFault(make, rest.slice(1));
  }

  function faults(at: string, text: string): readonly string[] {
    return shellCommands(text).flatMap((words) => {
      const found = fault(words);
      return found === undefined ? [] : [`${at}: ${words.join(' ')}: ${found}`];
    });
  }

  it('name commands, scripts and options that exist', () => {
    expect(snippetsOf('sh').flatMap(({ at, text }) => faults(at, text))).toEqual([]);
  });

  it('in running text name commands and scripts that exist', () => {
    const spoken = manual.flatMap(({ file, prose }) =>
      Array.from(prose.matchAll(/`((?:npx )?(?:furrow|npm) [^`]*)`/g), ([, text = '']) => ({ file, text })),
    );
    const unknown = spoken.flatMap(({ file, text }) =>
      shellCommands(text).flatMap((words) => {
        const [program, ...rest] = words[0] === 'npx' ? words.slice(1) : words;
        const isPlaceholder = /^(?:…|COMMAND)$/.test(rest[0] ?? '');
        const known =
          program === 'npm'
            ? fault(words) === undefined
            : program !== 'furrow' || isPlaceholder || commands.has(rest[0] ?? '');
        return known ? [] : [`${file}: ${text}`];
      }),
    );
    expect(spoken.length).toBeGreaterThan(0);
    expect(unknown).toEqual([]);
  });

  it('of --help parse', () => {
    expect([...commands].flatMap(([name, make]) => helpExamples(make).flatMap((text) => faults(name, text)))).toEqual(
      [],
    );
    expect([...commands].filter(([, make]) => helpExamples(make).length === 0).map(([name]) => name)).toEqual([]);
  });

  it('are told from wrong ones', () => {
    expect(
      faults('here', "furrow ecko agent-1/sample; furrow hz 'agent-1/*' --duration 5 | jq .\nnpm run biuld # no"),
    ).toEqual([
      'here: furrow ecko agent-1/sample: furrow has no command ecko',
      "here: furrow hz agent-1/* --duration 5: error: unknown option '--duration'\n(Did you mean --duration-ms?)",
      'here: npm run biuld: npm has no script biuld',
    ]);
  });

  it('are all in the table of the README and have a place in docs/commands.md', () => {
    const page = (file: string) => manual.find((one) => one.file === file)!;
    const rows = Array.from(page('README.md').prose.matchAll(/^\| `furrow (\w+)/gm), ([, name = '']) => name);
    expect([...rows].sort()).toEqual([...commands.keys()].sort());
    const titles = Array.from(page('docs/commands.md').prose.matchAll(/^## (.*)$/gm), ([, title = '']) => title);
    expect(titles.flatMap((title) => title.split(', ')).filter((name) => commands.has(name))).toEqual(rows);
  });
});

describe('configurations of the manual', () => {
  const configurations = snippetsOf('json').filter(({ text }) => /^\s*"(?:configs|name)":/m.test(text));

  it.each(configurations)('loads without faults: $at', ({ at, text }) => {
    expect(checkConfig(parseConfig(text, at))).toEqual([]);
  });

  it('are JSON where they are parts', () => {
    for (const { text } of snippetsOf('json')) expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe('links of the manual', () => {
  it('lead to files and headings that exist', () => {
    const broken = manual.flatMap((page) =>
      relativeLinks(page).filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page.file : normalize(join(dirname(page.file), path));
        if (!existsSync(rootDirectory + target)) return true;
        if (anchor === undefined || statSync(rootDirectory + target).isDirectory()) return false;
        const linked = manual.find(({ file }) => file === target);
        return linked === undefined || !anchorsOf(linked).includes(anchor);
      }),
    );
    expect(broken).toEqual([]);
  });
});
