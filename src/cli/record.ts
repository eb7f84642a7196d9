import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import logUpdate from 'log-update';
import { systemClock } from '../base/clock.js';
import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { loadConfig } from '../config/load.js';
import { exitCodes } from '../program/exit-codes.js';
import { freeBytes } from '../recording/disk-space.js';
import type { SyncMode } from '../recording/event-file-writer.js';
import { everyPath, namedPaths } from '../recording/recorded-paths.js';
import { Recorder } from '../recording/recorder.js';
import { recordingName } from '../recording/recording-name.js';
import { openOutput, type RecordingFormat } from '../recording/recording-output.js';
import { findProfile, type RecordingProfile } from '../recording/recording-profile.js';
import { isComplete, type RecordingReport } from '../recording/recording-report.js';
import { colors } from './colors.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { positiveNumber } from './option-values.js';
import type { Output } from './output.js';
import { textTable } from './table.js';
import { showBytes, showRate, showSeconds } from './units.js';
import { watchState } from './watch-state.js';

interface RecordOptions {
  readonly output?: string;
  readonly profile?: string;
  readonly profiles?: string;
  readonly format: RecordingFormat;
  readonly sync: SyncMode;
  readonly maxFileMb?: number;
  readonly minFreeMb: number;
  readonly durationS?: number;
}

const reportMs = 1000;
// A report is read, not searched: where more is gone, the file tells of it.
const shownGaps = 20;

/** `furrow record`: writes what is published to files. */
export function recordCommand(): Command {
  const command = furrowCommand(
    'record',
    'Record the running mesh.\n' +
      'Every path of every service with a port, or those named, with what their publishers still hold, until Ctrl-C. ' +
      'Services that are away are waited for. Exit code 1 when something was lost while it ran.\n' +
      'With --json: one line a second, {base, files, startS, durationS, events, bytes, lost, paths, subscriptions}, with final: true at the end.',
    'furrow record --output field-7',
    "furrow record 'agent-1/*' storage/residual --output agent --format mcap --duration-s 60",
    'furrow record --profile record_default --profiles recorder_config.json --output field-8',
  )
    .argument('[service/path...]', 'paths, SERVICE/* for all of a service, SERVICE/prefix/* for those below')
    .option('-o, --output <base>', 'what the names of the files begin with (default: UTC and the name of the host)')
    .option('--profile <name>', 'record the subscriptions of this entry')
    .option('--profiles <file>', 'the configuration that has the entry, and its services (default: the mesh)')
    .addOption(
      new Option('--format <format>', 'event files, BASE.0000.bin …, or BASE.mcap')
        .choices(['bin', 'mcap'])
        .default('bin'),
    )
    .addOption(
      new Option('--sync <when>', 'when events are on disk: as the system sees fit, within a second, or each at once')
        .choices(['none', 'interval', 'each'])
        .default('interval'),
    )
    .option('--max-file-mb <mb>', 'begin a new file when one is longer (default: never)', positiveNumber)
    .option('--min-free-mb <mb>', 'stop when the disk has less left', positiveNumber, 100)
    .option('--duration-s <s>', 'end after this time', positiveNumber);
  return act<RecordOptions>(command, record);
}

async function record(context: CommandContext<RecordOptions>, paths: readonly string[]): Promise<number> {
  const { out, options, registry, logger } = context;
  const profile = chosenProfile(context, paths);
  const clock = systemClock();
  const base = options.output ?? recordingName(clock);
  const maxFileMb = options.maxFileMb ?? profile.maxFileMb;
  const mesh = context.mesh.sibling(profile.config);
  const { format, sync } = options;
  const recorder = await Recorder.start(mesh, profile.subscriptions, {
    open: () => openOutput(base, { registry, format, sync, ...(maxFileMb === undefined ? {} : { maxFileMb }) }),
    clock,
    logger,
    freeBytes: () => freeBytes(dirname(resolve(base))),
    minFreeBytes: options.minFreeMb * 1e6,
  });
  using end = new Deadline((options.durationS ?? Number.POSITIVE_INFINITY) * 1000, context.signal);
  const stop = (): void => void recorder.stop();
  if (end.signal.aborted) stop();
  end.signal.addEventListener('abort', stop, { once: true });
  const publishers = [...new Set(profile.subscriptions.map(({ publisher }) => publisher))];
  const endWatches = publishers.map((name) => watchState(mesh.client(name), out));
  const timer = setInterval(() => show(out, base, recorder.report), reportMs);
  if (out.live) show(out, base, recorder.report);
  try {
    const report = await recorder.ended;
    if (out.live) logUpdate.clear();
    await tell(out, base, report);
    return isComplete(report) ? exitCodes.ok : exitCodes.failed;
  } finally {
    clearInterval(timer);
    for (const endWatch of endWatches) endWatch();
    mesh.close();
  }
}

function chosenProfile({ config, options }: CommandContext<RecordOptions>, paths: readonly string[]): RecordingProfile {
  const { profile, profiles } = options;
  if (profile !== undefined) {
    if (paths.length > 0) throw new MeshError('invalid-argument', 'name paths or a --profile, not both');
    return findProfile(profiles === undefined ? config : loadConfig(profiles), profile);
  }
  if (profiles !== undefined)
    throw new MeshError('invalid-argument', '--profiles needs --profile, the entry to record');
  return { name: '', config, subscriptions: paths.length === 0 ? everyPath(config) : namedPaths(config, paths) };
}

function show(out: Output, base: string, report: RecordingReport): void {
  if (out.json) void out.value(jsonOf(base, report));
  else if (out.live) logUpdate(statusLine(base, report));
}

function jsonOf(base: string, { error, subscriptions, ...report }: RecordingReport): object {
  return {
    base,
    ...report,
    subscriptions: subscriptions.map(({ error: ended, ...subscription }) => ({
      ...subscription,
      ...(ended === undefined ? {} : { error: ended.message }),
    })),
    ...(error === undefined ? {} : { error: error.message }),
  };
}

function statusLine(base: string, { durationS, events, bytes, lost }: RecordingReport): string {
  const rate = durationS > 0 ? showRate(events / durationS) : '…';
  const losses = lost > 0 ? colors.red(`${lost} lost`) : 'nothing lost';
  return `recording ${base}  ${showSeconds(durationS)}  ${events} events  ${showBytes(bytes)}  ${rate}  ${losses}  (Ctrl-C ends it)`;
}

async function tell(out: Output, base: string, report: RecordingReport): Promise<void> {
  if (out.json) {
    await out.value({ ...jsonOf(base, report), final: true });
    return;
  }
  const { paths, subscriptions, durationS, events, bytes, lost, files, error } = report;
  const rows = paths.map(({ service, path, written, bytes: size, lost: missing, before }) => [
    `${service}${path}`,
    String(written),
    showBytes(size),
    missing > 0 ? colors.red(String(missing)) : '0',
    String(before),
  ]);
  if (rows.length > 0) {
    await out.line(textTable(['path', 'events', 'payload', 'lost', 'gone before'], rows, { right: [1, 2, 3, 4] }));
  }
  for (const text of gapTexts(report)) await out.line(colors.yellow(text));
  for (const { service, path, error: ended, unreadable } of subscriptions) {
    if (ended !== undefined) await out.line(colors.red(`${service}${path} was given up: ${ended.message}`));
    if (unreadable > 0) await out.line(colors.yellow(`${service}${path}: ${unreadable} events could not be read`));
  }
  const where = files.length > 3 ? `${files[0]} … ${files.at(-1)}` : files.join(', ');
  const what = `${events} events, ${showBytes(bytes)}, ${lost} lost`;
  await out.line(`${what}, in ${showSeconds(durationS)}: ${where}`);
  if (error !== undefined) out.note(`the recording ended early: ${error.message}`, { error: error.code });
}

function gapTexts({ paths }: RecordingReport): readonly string[] {
  const gaps = paths.flatMap((path) => path.gaps);
  const shown = gaps.slice(0, shownGaps).map(({ service, path, from, to, count, reason }) => {
    const which = from === to ? `event ${from}` : `events ${from} to ${to}`;
    return `${service}${path}: ${which} lost (${count}, ${reason})`;
  });
  const rest = gaps.length - shown.length;
  return rest > 0 ? [...shown, `and ${rest} more gaps`] : shown;
}
