import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { rootDirectory } from '../process.js';

const folder = `${rootDirectory}src/cli`;

/** Makes a new command of `furrow`, since one can be parsed only once. */
export type CommandMaker = () => Command;

/** The commands that `furrow` has, by name. Those whose file main.ts does not name are not among them. */
export async function furrowCommands(): Promise<ReadonlyMap<string, CommandMaker>> {
  const main = readFileSync(`${folder}/main.ts`, 'utf8');
  const made = readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && main.includes(`'./${file.replace(/\.ts$/, '.js')}'`))
    .map(async (file) => {
      const exports = (await import(`../../src/cli/${file.replace(/\.ts$/, '')}.ts`)) as Record<string, unknown>;
      const makers = Object.entries(exports).filter(([name]) => name.endsWith('Command') && main.includes(`${name}()`));
      return makers.map(([, maker]) => [(maker as CommandMaker)().name(), maker as CommandMaker] as const);
    });
  return new Map((await Promise.all(made)).flat());
}

/** What is wrong with a command line; undefined when the command takes it. */
export function usageFault(make: CommandMaker, words: readonly string[]): string | undefined {
  const command = make()
    .action(() => undefined)
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
    .exitOverride((error) => {
      throw error;
    });
  try {
    command.parse(words, { from: 'user' });
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'commander.helpDisplayed' ? undefined : message;
  }
}

/** The examples that a command shows with `--help`. */
export function helpExamples(make: CommandMaker): readonly string[] {
  let text = '';
  make()
    .configureOutput({
      writeOut: (part) => {
        text += part;
      },
    })
    .outputHelp();
  return Array.from(text.matchAll(/^ {2}\$ (.*)$/gm), ([, example = '']) => example);
}
