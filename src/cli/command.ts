import { Command, Help, type Option } from 'commander';
import { exitCodes } from '../program/exit-codes.js';
import { addCommonOptions } from '../program/options.js';

/**
 * One command of `furrow`: what it does (the first line stands in the list of commands), examples for `--help`, the
 * common options. Add arguments and options to it, and give its action to `act`.
 */
export function furrowCommand(name: string, description: string, ...examples: readonly string[]): Command {
  const lines = examples.map((example) => `\n  $ ${example}`).join('');
  const [summary = ''] = description.split('\n');
  return addCommonOptions(new Command(name).summary(summary.replace(/\.$/, '')).description(description))
    .addHelpText('after', `\nExample${examples.length > 1 ? 's' : ''}:${lines}`)
    .configureHelp({ optionDescription })
    .showSuggestionAfterError()
    .exitOverride(exitForUsage);
}

/** Defaults that say nothing (no, none, 0) are left out. */
function optionDescription(option: Option): string {
  const { defaultValue, description, argChoices } = option;
  const isEmpty = !defaultValue || (Array.isArray(defaultValue) && defaultValue.length === 0);
  return isEmpty && argChoices === undefined ? description : new Help().optionDescription(option);
}

/** Ends the process after commander has said what is wrong with a command line, or has printed help. */
export function exitForUsage(error: { readonly exitCode: number }): never {
  process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage);
}
