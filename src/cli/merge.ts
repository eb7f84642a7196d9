import type { Command } from 'commander';
import { mergeRecordings } from '../recording/merge-recordings.js';
import { openRecording } from '../recording/open-recording.js';
import type { RecordingReader } from '../recording/recording.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { progressBar } from './progress.js';
import { addOutputOptions, type OutputOptions, writeNamedOutput } from './recording/output-options.js';
import { damageLine, recordingsOf } from './recording/recordings.js';

/** `furrow merge`: several recordings as one. */
export function mergeCommand(): Command {
  const command = furrowCommand(
    'merge',
    'Join recordings by time.\n' +
      'Those of several machines, or one after the other; .bin and .mcap together. Events are copied as they are, but for the stamp of writing of machines other than the first, which is put on the clock of the first.\n' +
      'With --json: one line at the end, {files, events}.',
    'furrow merge tractor trailer.mcap --output both',
    'furrow merge monday tuesday --output week --max-file-mb 1000',
  ).argument('<files...>', 'recordings: files, or what the names of their files begin with');
  return act<OutputOptions>(addOutputOptions(command), merge);
}

async function merge(context: CommandContext<OutputOptions>, names: readonly string[]): Promise<undefined> {
  const { options, out, registry, signal } = context;
  const recordings: RecordingReader[] = [];
  try {
    for (const files of await recordingsOf(names)) recordings.push(await openRecording(files, { registry, signal }));
    const bar = progressBar('merging');
    const parts = recordings.map(() => ({ read: 0, total: 0 }));
    const { files, events } = await writeNamedOutput(options, registry, (output) =>
      mergeRecordings(recordings, output, {
        signal,
        onDamage: (damage) => out.note(damageLine(damage), damage),
        onProgress: (input, read, total) => {
          parts[input] = { read, total };
          bar.update(
            parts.reduce((sum, part) => sum + part.read, 0),
            parts.reduce((sum, part) => sum + part.total, 0),
          );
        },
      }),
    ).finally(bar.done);
    if (out.json) await out.value({ files, events });
    else await out.line(`${files.join(', ')}: ${events.toLocaleString('en')} events`);
    return undefined;
  } finally {
    for (const recording of recordings) await recording.close();
  }
}
