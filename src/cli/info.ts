import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import { semantics } from '../messages/timestamp.js';
import { type AnalyzedPath, analyzeRecording, type RecordingAnalysis } from '../recording/analyze-recording.js';
import { openRecording } from '../recording/open-recording.js';
import { pathKey } from '../recording/path-patterns.js';
import type { RecordingReader } from '../recording/recording.js';
import { diskError } from '../recording/recording-disk.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { progressBar } from './progress.js';
import { eventChart } from './recording/event-chart.js';
import { damageLine, recordingsOf, titleOf } from './recording/recordings.js';
import { textTable } from './table.js';
import { showBytes, showRate, showSeconds } from './units.js';

interface InfoOptions {
  readonly plot?: string;
}

const mostDamage = 20;

/** `furrow info`: what is in a recording. */
export function infoCommand(): Command {
  const command = furrowCommand(
    'info',
    'Say what is in recordings.\n' +
      'Duration, size, paths, types, counts, rates, what is missing, the longest silence, latencies between stamps of one clock, and when the events came.\n' +
      'With --json: one line a recording, {files, format, bytes, count, firstS, lastS, durationS, columnS, paths: [{service, path, type, pb, count, payloadBytes, firstS, lastS, missing, rateHz, silentS, latencies: [{from, to, count, minS, p50S, p99S, maxS}], columns}], damage}; columns are counts of events, each over columnS seconds.',
    'furrow info field.0000.bin',
    'furrow info field --plot field.png',
  )
    .argument('<files...>', 'recordings: files, or what the names of their files begin with')
    .option('--plot <file>', 'draw it as a PNG, too');
  return act<InfoOptions>(command, info);
}

async function info(context: CommandContext<InfoOptions>, names: readonly string[]): Promise<undefined> {
  const { options, out, registry, signal } = context;
  const recordings = await recordingsOf(names);
  if (options.plot !== undefined && recordings.length > 1) {
    throw new MeshError('invalid-argument', `--plot draws one recording; ${recordings.length} are named`);
  }
  for (const [number, files] of recordings.entries()) {
    await using recording = await openRecording(files, { registry, signal });
    const analysis = await analyze(recording, context);
    if (out.json) await out.value(analysis);
    else {
      if (number > 0) await out.line('');
      for (const line of infoLines(analysis, out.width)) await out.line(line);
    }
    if (options.plot !== undefined) await draw(analysis, options.plot, context);
  }
  return undefined;
}

async function analyze(recording: RecordingReader, { signal }: CommandContext<InfoOptions>) {
  const indexing = progressBar('indexing');
  await recording.summary({ signal, onProgress: indexing.update }).finally(indexing.done);
  const reading = progressBar('reading');
  return analyzeRecording(recording, { signal, onProgress: reading.update }).finally(reading.done);
}

async function draw(analysis: RecordingAnalysis, file: string, { out }: CommandContext<InfoOptions>): Promise<void> {
  // Only who draws pays for loading what draws.
  const [{ picture }, { recordingPlot }] = await Promise.all([
    import('../recording/picture.js'),
    import('../recording/plot.js'),
  ]);
  const png = await picture(recordingPlot(analysis));
  await writeFile(file, png).catch((error: unknown) => {
    throw diskError(error, `write ${file}`);
  });
  out.note(`wrote ${file}`, { file });
}

function* infoLines(analysis: RecordingAnalysis, width: number): Generator<string> {
  const { files, format, bytes, count, firstS, lastS, durationS, paths, damage } = analysis;
  const parts = files.length > 1 ? `${files.length} files, ` : '';
  yield `${titleOf(files)}  (${format}, ${parts}${showBytes(bytes)})`;
  if (count > 0) yield `${showTime(firstS)} to ${showTime(lastS)}, ${showSeconds(durationS)}`;
  const services = new Set(paths.map(({ service }) => service)).size;
  const missing = paths.reduce((sum, path) => sum + path.missing, 0);
  yield `${number(count)} events of ${number(paths.length)} paths of ${number(services)} services${
    missing > 0 ? `, ${number(missing)} missing` : ''
  }`;
  if (count > 0) {
    yield '';
    yield pathTable(paths);
    yield '';
    yield* eventChart(analysis, width);
    const latencies = latencyRows(paths);
    if (latencies.length > 0) {
      yield '';
      yield textTable(['path', 'from', 'to', 'p50', 'p99', 'max'], latencies, { right: [3, 4, 5] });
    }
  }
  if (damage.length > 0) yield '';
  for (const one of damage.slice(0, mostDamage)) yield damageLine(one);
  if (damage.length > mostDamage) yield `and ${damage.length - mostDamage} more; furrow verify lists them`;
}

function pathTable(paths: readonly AnalyzedPath[]): string {
  const rows = paths.map((path) => [
    pathKey(path),
    path.type,
    number(path.count),
    showBytes(path.payloadBytes),
    path.rateHz > 0 ? showRate(path.rateHz) : '–',
    number(path.missing),
    path.count > 1 ? showSeconds(path.silentS) : '–',
  ]);
  return textTable(['path', 'type', 'count', 'payload', 'rate', 'missing', 'silent'], rows, { right: [2, 3, 4, 5, 6] });
}

function latencyRows(paths: readonly AnalyzedPath[]): string[][] {
  // How long the recorder took to write says little of the mesh; --json has that, too.
  return paths.flatMap((path) =>
    path.latencies
      .filter(({ to }) => to !== semantics.fileWrite)
      .map(({ from, to, p50S, p99S, maxS }) => [
        pathKey(path),
        from,
        to,
        showSeconds(p50S),
        showSeconds(p99S),
        showSeconds(maxS),
      ]),
  );
}

function showTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace('T', ' ').replace('Z', ' UTC');
}

function number(value: number): string {
  return value.toLocaleString('en');
}
