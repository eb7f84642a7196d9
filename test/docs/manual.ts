import { readdirSync, readFileSync } from 'node:fs';
import { rootDirectory } from '../process.js';

/** A fenced block of a page. */
export interface Snippet {
  /** `docs/wire.md:12`, for messages. */
  readonly at: string;
  readonly language: string;
  readonly text: string;
  /** Whether `<!-- run -->` stands on the line before it. */
  readonly runs: boolean;
}

/** A page of the manual. */
export interface Page {
  /** From the repository's root. */
  readonly file: string;
  /** Without its snippets, so that what looks like a link in code is none. */
  readonly prose: string;
  readonly snippets: readonly Snippet[];
}

/** README, CONTRIBUTING, CHANGELOG and docs/, all of which are written by hand but for docs/benchmarks.md. */
export function readManual(): readonly Page[] {
  const docs = readdirSync(`${rootDirectory}docs`).filter((name) => name.endsWith('.md'));
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs.map((name) => `docs/${name}`)].map(readPage);
}

/** The names that GitHub gives the headings of a page, for `#links`. */
export function anchorsOf(page: Page): readonly string[] {
  return Array.from(page.prose.matchAll(/^#+ (.*)$/gm), ([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Targets of links and pictures that lead somewhere in the repository. */
export function relativeLinks(page: Page): readonly string[] {
  return Array.from(page.prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target).filter(
    (target) => !/^[a-z]+:/.test(target),
  );
}

function readPage(file: string): Page {
  const lines = readFileSync(rootDirectory + file, 'utf8').split('\n');
  const prose: string[] = [];
  const snippets: Snippet[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const [, language] = /^```(\w*)$/.exec(lines[index] ?? '') ?? [];
    if (language === undefined) {
      prose.push(lines[index] ?? '');
      continue;
    }
    const end = lines.indexOf('```', index + 1);
    if (end < 0) throw new Error(`${file}:${index + 1}: the block has no end`);
    snippets.push({
      at: `${file}:${index + 1}`,
      language,
      text: lines.slice(index + 1, end).join('\n'),
      runs: lines[index - 1] === '<!-- run -->',
    });
    index = end;
  }
  return { file, prose: prose.join('\n'), snippets };
}
