import { execFile } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import ts from 'typescript';
import { rootDirectory } from '../process.js';
import type { Snippet } from './manual.js';

/** Type errors of TypeScript snippets, as `docs/wire.md:14: message`. All are checked as one program. */
export function typeErrors(snippets: readonly Snippet[]): readonly string[] {
  const byFile = new Map(snippets.map((snippet, index) => [resolve(rootDirectory, `snippet-${index}.ts`), snippet]));
  const options = { ...compilerOptions(), noEmit: true, noUnusedLocals: false };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile, readFile } = host;
  host.fileExists = (file) => byFile.has(resolve(file)) || fileExists(file);
  host.readFile = (file) => byFile.get(resolve(file))?.text ?? readFile(file);
  host.getSourceFile = (file, language, ...rest) => {
    const text = byFile.get(resolve(file))?.text;
    return text === undefined ? getSourceFile(file, language, ...rest) : ts.createSourceFile(file, text, language);
  };
  const program = ts.createProgram([...byFile.keys()], options, host);
  return Array.from(byFile, ([file, snippet]) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((fault) => {
      const line = source?.getLineAndCharacterOfPosition(fault.start ?? 0).line ?? 0;
      const [page = '', first = '0'] = snippet.at.split(':');
      return `${page}:${Number(first) + line + 1}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`;
    });
  }).flat();
}

/** Runs a TypeScript snippet as a program at the repository's root, with `furrow` as its users get it, from `dist/`. */
export function runSnippet(snippet: Snippet): Promise<{ code: number; stdout: string; stderr: string }> {
  const { outputText } = ts.transpileModule(snippet.text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  return new Promise((settle) => {
    const child = execFile(
      process.execPath,
      ['--input-type=module'],
      { cwd: rootDirectory, timeout: 25_000 },
      (error, stdout, stderr) => settle({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
    child.stdin?.end(outputText);
  });
}

function compilerOptions(): ts.CompilerOptions {
  const file = resolve(rootDirectory, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  return ts.convertCompilerOptionsFromJson(config.compilerOptions, dirname(file)).options;
}
