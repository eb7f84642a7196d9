import type { Command } from 'commander';
import { exitCodes } from '../program/exit-codes.js';
import { openRecording } from '../recording/open-recording.js';
import { gapText, type Verification, verifyRecording, type WrongEvent } from '../recording/verify-recording.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import type { Output } from './output.js';
import { progressBar } from './progress.js';
import { damageLine, recordingsOf, titleOf } from './recording/recordings.js';

interface VerifyOptions {
  readonly gaps: boolean;
}

const mostWrong = 10;

/** `furrow verify`: whether recordings are whole. */
export function verifyCommand(): Command {
  const command = furrowCommand(
    'verify',
    'Say whether recordings are whole.\n' +
      'Every record, every payload length, every payload of a known type. Events that are missing between sequences are told and are no fault of the file, unless --no-gaps is given. Exits with 1 when something is wrong.\n' +
      'With --json: one line a recording, {files, events, ok, damage: [{file, offset, bytes, kind, reason}], wrong: [{service, path, sequence, timeS, reason}], wrongCount, gaps, unknownTypes}.',
    'furrow verify field.0000.bin',
    'furrow verify field --no-gaps --json',
  )
    .argument('<files...>', 'recordings: files, or what the names of their files begin with')
    .option('--no-gaps', 'missing events are wrong, too');
  return act<VerifyOptions>(command, verify);
}

async function verify(context: CommandContext<VerifyOptions>, names: readonly string[]): Promise<number> {
  const { options, out, registry, signal } = context;
  let allWell = true;
  for (const files of await recordingsOf(names)) {
    await using recording = await openRecording(files, { registry, signal });
    const bar = progressBar('verifying');
    const found = await verifyRecording(recording, { signal, onProgress: bar.update }).finally(bar.done);
    const ok = found.ok && (options.gaps || found.gaps.length === 0);
    allWell &&= ok;
    if (out.json) await out.value({ ...found, ok });
    else await say(out, found, ok);
  }
  return allWell ? exitCodes.ok : exitCodes.failed;
}

async function say(out: Output, found: Verification, ok: boolean): Promise<void> {
  const { files, events, damage, wrong, wrongCount, gaps, unknownTypes } = found;
  await out.line(`${titleOf(files)}: ${ok ? 'well' : 'damaged'}, ${events.toLocaleString('en')} whole events`);
  for (const one of damage) await out.line(`  ${damageLine(one)}`);
  for (const one of wrong.slice(0, mostWrong)) await out.line(`  ${wrongText(one)}`);
  if (wrongCount > mostWrong)
    await out.line(`  and ${(wrongCount - mostWrong).toLocaleString('en')} more wrong events`);
  for (const path of gaps) await out.line(`  ${gapText(path)}`);
  if (unknownTypes.length > 0) {
    await out.line(`  not decoded, as their types are not known (--protos): ${unknownTypes.join(', ')}`);
  }
}

function wrongText({ service, path, sequence, timeS, reason }: WrongEvent): string {
  return `event ${sequence} of ${service}${path} at ${timeS.toFixed(3)}: ${reason}`;
}
