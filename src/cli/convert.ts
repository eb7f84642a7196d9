import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type ConvertFormat, convertFormats, convertRecording } from '../recording/export/convert-recording.js';
import type { McapCompression } from '../recording/mcap/chunk-compression.js';
import { openRecording } from '../recording/open-recording.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { type ProgressBar, progressBar } from './progress.js';
import { seconds } from './recording/output-options.js';
import { damageLine } from './recording/recordings.js';
import { showBytes, showSeconds } from './units.js';

interface ConvertCommandOptions {
  readonly format?: ConvertFormat;
  readonly compression?: McapCompression;
  readonly paths?: readonly string[];
  readonly start?: number;
  readonly end?: number;
  readonly force: boolean;
}

/** `furrow convert`: a recording in another format. */
export function convertCommand(): Command {
  const command = furrowCommand(
    'convert',
    'Write a recording, or a part of it, in another format.\n' +
      'OUTPUT ends in .bin or .mcap (both keep every event to the byte), .jsonl, .csv or .parquet. A table holds one path: several become OUTPUT-<service>-<path>.csv.\n' +
      'With --json: one line, {format, files, events, undecoded, readBytes, writtenBytes, seconds, damage}.',
    'furrow convert field.0000.bin field.mcap',
    'furrow convert field.mcap sample.parquet --paths agent-1/sample --start 60 --end 120',
  )
    .argument('<input>', 'a recording: a file, or what the names of its files begin with')
    .argument('<output>', 'the file to make')
    .addOption(new Option('--format <format>', 'whatever OUTPUT ends in').choices([...convertFormats]))
    .addOption(
      new Option('--compression <kind>', 'of .mcap; zstd needs Node 22.15, and is then the default').choices([
        'none',
        'zstd',
      ]),
    )
    .option('--paths <patterns...>', 'only these paths, such as agent-1/sample or agent-1/*')
    .option('--start <s>', 'begin so many seconds after the first event', seconds)
    .option('--end <s>', 'end so many seconds after the first event', seconds)
    .option('-f, --force', 'replace files that are there', false);
  return act<ConvertCommandOptions>(command, convert);
}

async function convert(
  context: CommandContext<ConvertCommandOptions>,
  [input = '', output = '']: readonly string[],
): Promise<undefined> {
  const { options, out, registry, signal } = context;
  const unknown = new Set<string>();
  const unknownType = (type: string): void => {
    if (unknown.has(type)) return;
    unknown.add(type);
    out.note(`type "${type}" is not known, its payloads stay bytes; add the directory of its .proto file by --protos`);
  };
  const bars = new Map<string, ProgressBar>();
  const startMs = performance.now();
  const reader = await openRecording(input, { registry, unknownType, signal });
  try {
    let readBytes = 0;
    const { damage, ...result } = await convertRecording(reader, output, {
      registry,
      signal,
      overwrite: options.force,
      ...(options.format === undefined ? {} : { format: options.format }),
      ...(options.compression === undefined ? {} : { compression: options.compression }),
      ...(options.paths === undefined ? {} : { paths: options.paths }),
      ...(options.start === undefined ? {} : { startS: options.start }),
      ...(options.end === undefined ? {} : { endS: options.end }),
      onProgress: (doing, done, total) => {
        if (!bars.has(doing)) endAll(bars);
        const bar = bars.get(doing) ?? progressBar(doing);
        bars.set(doing, bar);
        bar.update(done, total);
        readBytes = done;
      },
    }).finally(() => endAll(bars));
    const took = (performance.now() - startMs) / 1000;
    for (const one of damage) out.note(damageLine(one), one);
    const undecodedText = `${result.undecoded} events have a payload that is not of their type`;
    if (result.undecoded > 0) out.note(undecodedText, { undecoded: result.undecoded });
    const writtenBytes = await sizeOf(result.files);
    if (out.json) await out.value({ ...result, readBytes, writtenBytes, seconds: took, damage });
    else {
      for (const file of result.files) await out.line(file);
      const speed = `${showBytes(readBytes / took)} a second`;
      out.note(`${result.events} events, ${showBytes(writtenBytes)} in ${showSeconds(took)}, ${speed}`);
    }
    return undefined;
  } finally {
    await reader.close();
  }
}

function endAll(bars: ReadonlyMap<string, ProgressBar>): void {
  for (const bar of bars.values()) bar.done();
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((total, size) => total + size, 0);
}
