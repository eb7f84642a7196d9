import { type Command, InvalidArgumentError } from 'commander';
import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { MeshConfig } from '../config/types.js';
import { openRecording } from '../recording/open-recording.js';
import { Player } from '../recording/player/player.js';
import type { PlayerOptions } from '../recording/player/player-options.js';
import type { PlayerSummary } from '../recording/player/player-status.js';
import { quietGrpc } from '../wire/quiet.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { positiveNumber, wholeNumber } from './option-values.js';
import type { Output } from './output.js';
import { controlByKeys } from './play/keys.js';
import { playbackLine } from './play/playback-line.js';
import { progressBar } from './progress.js';
import { seconds } from './recording/output-options.js';
import { damageLine } from './recording/recordings.js';
import { textTable } from './table.js';
import { showSeconds } from './units.js';

interface PlayOptions {
  readonly rate: number;
  readonly start?: number;
  readonly end?: number;
  readonly loop: boolean;
  readonly paths?: readonly string[];
  readonly latch?: readonly string[];
  readonly step: boolean;
  readonly wait: boolean;
  readonly waitFor?: number;
  readonly port?: number;
  readonly freePorts: boolean;
  readonly insecure: boolean;
}

/** `furrow play`: plays a recording as if the machines were there. */
export function playCommand(): Command {
  const command = furrowCommand(
    'play',
    'Play a recording as if the machines were there.\n' +
      'Brings up every recorded service, on the port that the configuration gives it or on a free one, and publishes its events as they were, at their times. On a terminal: space pauses, the arrows go 5 s back and forth, a full stop steps, q ends.\n' +
      'With --json: a line at the start, {event: "started", files, durationS, player, services: [{service, host, port, paths, events}]}, and one at the end, {event: "ended", events, skipped, loops, lateS, lateP50Ms, lateP99Ms}.',
    'furrow play field.0000.bin',
    "furrow play field.mcap --rate 4 --start 60 --end 120 --paths 'agent-1/*' 'storage/residual'",
  )
    .argument('<files...>', 'a recording: files, or what the names of its files begin with')
    .option('--rate <factor>', '2 is twice as fast, max as fast as possible', rateFactor, 1)
    .option('--start <s>', 'begin so many seconds after the first event', seconds)
    .option('--end <s>', 'end so many seconds after the first event', seconds)
    .option('--loop', 'begin again at the end, each time as a new epoch', false)
    .option('--paths <patterns...>', 'only these paths, such as agent-1/sample or agent-1/*')
    .option('--latch <patterns...>', 'keep the last event of these paths, beside those that the configuration latches')
    .option('--step', 'stand still at the beginning, for the full stop or /step', false)
    .option('--wait', 'begin when there is a subscriber', false)
    .option('--wait-for <n>', 'begin when there are n subscriptions', wholeNumber())
    .option('--port <port>', "port of the player's own service (default: a free one)", wholeNumber({ min: 1 }))
    .option('--free-ports', 'take free ports, whatever the configuration says', false)
    .option('--insecure', 'serve plain text to other machines, too', false);
  return act<PlayOptions>(command, play);
}

async function play(context: CommandContext<PlayOptions>, files: readonly string[]): Promise<undefined> {
  const { options, out, registry, signal } = context;
  await quietGrpc();
  const indexing = progressBar('indexing');
  await using reader = await openRecording(files, { registry, signal });
  const line = playbackLine();
  const logger = aroundLine(context.logger, line);
  const playing = { ...playerOptions(context), logger, onProgress: indexing.update };
  const player = await Player.open(reader, playing).finally(indexing.done);
  for (const damage of player.recording.damage) out.note(damageLine(damage), damage);
  await player.start();
  const release = controlByKeys(player, { enabled: !options.json, note: logger.warn });
  line.follow(player);
  try {
    await sayStart(out, player);
    const summary = await player.run();
    line.stop();
    await player.drain();
    await sayEnd(out, summary);
  } finally {
    release();
    line.stop();
    player.close();
  }
  return undefined;
}

function playerOptions(context: CommandContext<PlayOptions>): PlayerOptions {
  const { options, registry, signal, tls } = context;
  const config = options.freePorts ? undefined : configOrNone(context);
  const waitFor = options.waitFor ?? (options.wait ? 1 : 0);
  return {
    registry,
    signal,
    ...tls,
    rate: options.rate,
    loop: options.loop,
    paused: options.step,
    waitFor,
    allowInsecure: options.insecure,
    ...(config && { config }),
    ...(options.start !== undefined && { startS: options.start }),
    ...(options.end !== undefined && { endS: options.end }),
    ...(options.paths && { paths: options.paths }),
    ...(options.latch && { latch: options.latch }),
    ...(options.port !== undefined && { port: options.port }),
  };
}

/** A recording can be played without the mesh that it is of. */
function configOrNone(context: CommandContext<PlayOptions>): MeshConfig | undefined {
  try {
    return context.config;
  } catch (error) {
    if (MeshError.from(error).code !== 'not-found' || context.options.serviceConfig !== 'service_config.json')
      throw error;
    return undefined;
  }
}

/** Says what it is told above the line that shows the position. */
function aroundLine(logger: Logger, line: { clear(): void }): Logger {
  const above =
    (log: (message: string) => void) =>
    (message: string): void => {
      line.clear();
      log(message);
    };
  return { ...logger, warn: above(logger.warn), error: above(logger.error) };
}

async function sayStart(out: Output, { recording, stage, control }: Player): Promise<void> {
  const services = stage.services.map(({ name, host, port, paths }) => ({
    service: name,
    host,
    port,
    paths: paths.length,
    events: paths.reduce((sum, { count }) => sum + count, 0),
  }));
  const durationS = recording.lastS - recording.firstS;
  const player = { service: control.name, host: control.config.host, port: control.port };
  if (out.json) return out.value({ event: 'started', files: recording.files, durationS, player, services });
  const rows = services.map(({ service, host, port, paths, events }) => [service, `${host}:${port}`, paths, events]);
  rows.push([control.name, `${player.host}:${player.port}`, '–', '–']);
  await out.line(textTable(['service', 'address', 'paths', 'events'], rows, { right: [2, 3] }));
  await out.line(`${recording.files.join(', ')}: ${showSeconds(durationS)}`);
}

async function sayEnd(out: Output, summary: PlayerSummary): Promise<void> {
  if (out.json) return out.value({ event: 'ended', ...summary });
  const { events, skipped, loops, lateS, lateP50Ms, lateP99Ms } = summary;
  const parts = [`${events} events played`];
  if (loops > 0) parts.push(`begun again ${loops} times`);
  if (skipped > 0) parts.push(`${skipped} left out`);
  if (lateP50Ms !== undefined && lateP99Ms !== undefined) {
    parts.push(`late by ${lateP50Ms.toFixed(1)} ms (p50) and ${lateP99Ms.toFixed(1)} ms (p99)`);
  }
  if (lateS > 0) parts.push(`slowed down by ${showSeconds(lateS)} in all`);
  await out.line(parts.join(', '));
}

function rateFactor(text: string): number {
  if (text === 'max' || text === '0') return 0;
  try {
    return positiveNumber(text);
  } catch {
    throw new InvalidArgumentError('Write a number above 0, or max.');
  }
}
