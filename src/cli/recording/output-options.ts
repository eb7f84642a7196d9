import { rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TypeRegistry } from '../../messages/registry.js';
import { openOutput, type RecordingFormat, type RecordingOutput } from '../../recording/recording-output.js';
import { positiveNumber } from '../option-values.js';

/** Where a command writes a recording to. */
export interface OutputOptions {
  readonly output: string;
  readonly format?: RecordingFormat;
  readonly maxFileMb?: number;
}

/** Adds `--output`, `--format` and `--max-file-mb`. */
export function addOutputOptions(command: Command): Command {
  return command
    .requiredOption('-o, --output <base>', 'what the names of the files written begin with')
    .addOption(
      new Option('--format <format>', 'bin or mcap (default: mcap when the output ends so, else bin)').choices([
        'bin',
        'mcap',
      ]),
    )
    .option('--max-file-mb <n>', 'begin a new .bin file after so many million bytes', positiveNumber);
}

function openNamedOutput(options: OutputOptions, registry: TypeRegistry): Promise<RecordingOutput> {
  const { output, maxFileMb } = options;
  const format = options.format ?? (extname(output) === '.mcap' ? 'mcap' : 'bin');
  return openOutput(output, { registry, format, ...(maxFileMb === undefined ? {} : { maxFileMb }) });
}

/**
 * Makes the output, and gives what `fill` gives when it is complete. What was interrupted is removed. Errors: those of
 * `openOutput` and `fill`.
 */
export async function writeNamedOutput(
  options: OutputOptions,
  registry: TypeRegistry,
  fill: (output: RecordingOutput) => Promise<number>,
): Promise<{ readonly files: readonly string[]; readonly events: number }> {
  const output = await openNamedOutput(options, registry);
  try {
    const events = await fill(output);
    await output.close();
    return { files: output.files, events };
  } catch (error) {
    await output.close().catch(() => undefined);
    for (const file of output.files) await rm(file, { force: true });
    throw error;
  }
}

/** Reads seconds of at least 0. */
export function seconds(text: string): number {
  if (/^(\d+\.?\d*|\.\d+)$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write seconds, such as 12.5.');
}
