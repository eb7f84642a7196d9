import type { Command } from 'commander';
import { checkRange, cutRecording } from '../recording/cut-recording.js';
import { openRecording } from '../recording/open-recording.js';
import { checkPatterns } from '../recording/path-patterns.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { progressBar } from './progress.js';
import { addOutputOptions, type OutputOptions, seconds, writeNamedOutput } from './recording/output-options.js';
import { damageLine } from './recording/recordings.js';

interface CutOptions extends OutputOptions {
  readonly start?: number;
  readonly end?: number;
  readonly paths?: readonly string[];
  readonly headers: boolean;
}

/** `furrow cut`: a part of a recording as a recording. */
export function cutCommand(): Command {
  const command = furrowCommand(
    'cut',
    'Copy a part of a recording.\n' +
      'Events are copied as they are. The last header event of each path before the start comes first, so that the part can be understood by itself.\n' +
      'With --json: one line at the end, {files, events}.',
    'furrow cut field --output turn --start 60 --end 90',
    "furrow cut field.0000.bin --output gps.mcap --paths 'gps/*'",
  ).argument('<files...>', 'a recording: files, or what the names of its files begin with');
  addOutputOptions(command)
    .option('--start <s>', 'begin so many seconds after the first event', seconds)
    .option('--end <s>', 'end so many seconds after the first event', seconds)
    .option('--paths <patterns...>', 'only these paths, such as agent-1/sample or agent-1/*')
    .option('--no-headers', 'leave out header events of before the start');
  return act<CutOptions>(command, cut);
}

async function cut(context: CommandContext<CutOptions>, names: readonly string[]): Promise<undefined> {
  const { options, out, registry, signal } = context;
  const { start, end, paths, headers } = options;
  await using recording = await openRecording(names, { registry, signal });
  const indexing = progressBar('indexing');
  const summary = await recording.summary({ signal, onProgress: indexing.update }).finally(indexing.done);
  // What is wrong with the options is said before a file is made.
  checkPatterns(paths, summary.paths);
  checkRange(start, end);
  const bar = progressBar('cutting');
  const { files, events } = await writeNamedOutput(options, registry, (output) =>
    cutRecording(recording, output, {
      registry,
      headers,
      signal,
      onProgress: bar.update,
      onDamage: (damage) => out.note(damageLine(damage), damage),
      ...(start !== undefined && { startS: start }),
      ...(end !== undefined && { endS: end }),
      ...(paths && { paths }),
    }),
  ).finally(bar.done);
  if (out.json) await out.value({ files, events });
  else await out.line(`${files.join(', ')}: ${events.toLocaleString('en')} events`);
  return undefined;
}
