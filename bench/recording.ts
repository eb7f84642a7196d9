import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { formatNumber, formatRatio } from './format.js';
import { machine, versions } from './machine.js';
import { type FileCaseName, type FileRate, fileCaseNames } from './recording/file-cases.js';
import { type EventRate, recordRate, subscribeRate } from './recording/record-cases.js';

/*
 * How fast recordings are written, indexed and converted, beside what the disk takes and what @mcap/core writes; and
 * whether a recorder keeps up with a publisher as a plain subscriber does. Events are 320 bytes as a record of an event
 * file, and rates those of its bytes: `copy` reads what bin-to-mcap reads and writes as much as that writes, without a
 * look at it. Rates are medians of the rounds; nothing is asserted: other load on the machine shows. A publisher is
 * subscribed to and recorded in turn, several times a round, and the ratio is the median of those of neighbours: one
 * publisher's rate drifts by a fifth from one second to the next.
 */

interface Options {
  readonly megabytes: string;
  readonly seconds: string;
  readonly rounds: string;
  readonly folder: string;
  readonly json?: string;
}

const options = new Command('npm run bench:recording --')
  .option('--megabytes <n>', 'size of the recording', '600')
  .option('--seconds <n>', 'how long a publisher is recorded each time', '2')
  .option('--rounds <n>', 'times that each is measured', '3')
  .option('--folder <path>', 'where files are made; its disk is measured', tmpdir())
  .option('--json <file>', 'write the results there, too')
  .parse()
  .opts<Options>();

const pairsOfRound = 3;

interface Row {
  readonly name: string;
  /** Unit of `value`, per second. */
  readonly unit: 'MB' | 'events';
  /** Median of the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
  /** Milliseconds of all processors for a megabyte, median. */
  readonly cpuMsPerMb?: number;
  /** Share of one processor that the end which took the events needed, median. */
  readonly load?: number;
}

const rows: Row[] = [];
const subscribing: EventRate[] = [];
const recording: EventRate[] = [];
const folder = mkdtempSync(join(options.folder, 'furrow-bench-recording-'));
try {
  // First: for a while after gigabytes were written a virtual machine's host is busy with them.
  const publisher = fork(fileURLToPath(new URL('recording/publisher.js', import.meta.url)));
  try {
    const [port] = (await once(publisher, 'message')) as [number];
    for (let pair = 0; pair < pairsOfRound * Number(options.rounds); pair++) {
      subscribing.push(await subscribeRate(port, Number(options.seconds)));
      recording.push(await recordRate(port, Number(options.seconds), join(folder, 'record')));
    }
    addEvents('subscribe', subscribing);
    addEvents('record', recording);
  } finally {
    publisher.kill();
  }
  const rates = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const name of fileCaseNames) {
      const { megabytesPerS, cpuMsPerMb } = await fileRate(name);
      rates.set(name, [...(rates.get(name) ?? []), megabytesPerS]);
      cpu.set(name, [...(cpu.get(name) ?? []), cpuMsPerMb]);
    }
  }
  for (const [name, rounds] of rates) {
    add({ name, unit: 'MB', rounds, cpuMsPerMb: median(cpu.get(name) ?? []) });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const ratios = {
  'bin-to-mcap to mcap-core': ratio('bin-to-mcap', 'mcap-core'),
  'write-mcap to mcap-core': ratio('write-mcap', 'mcap-core'),
  'bin-to-mcap to copy': ratio('bin-to-mcap', 'copy'),
  'mcap-to-bin to copy-back': ratio('mcap-to-bin', 'copy-back'),
  'index-bin to disk': ratio('index-bin', 'disk'),
  'record to subscribe': median(recording.map(({ eventsPerS }, pair) => eventsPerS / subscribing[pair]!.eventsPerS)),
};
for (const { name, unit, value, rounds, cpuMsPerMb, load } of rows) {
  const spread = `${formatNumber(Math.min(...rounds))} … ${formatNumber(Math.max(...rounds))}`;
  const cpu =
    cpuMsPerMb === undefined ? `${formatNumber(100 * load!)} % of a CPU` : `${formatNumber(cpuMsPerMb)} ms of CPU a MB`;
  process.stdout.write(
    `${name.padEnd(24)} ${formatNumber(value).padStart(9)} ${`${unit}/s`.padEnd(9)} ${spread.padEnd(20)}${cpu}\n`,
  );
}
for (const [name, value] of Object.entries(ratios)) process.stdout.write(`${name.padEnd(34)} ${formatRatio(value)}\n`);
if (options.json !== undefined) {
  const result = { machine: machine(), versions: versions(undefined), options, rows, ratios };
  writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
}

async function fileRate(name: FileCaseName): Promise<FileRate> {
  const program = fileURLToPath(new URL('recording/file-case-process.js', import.meta.url));
  const child = fork(program, [name, folder, options.megabytes]);
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with exit code ${code}`);
  });
  const [rate] = await Promise.race([once(child, 'message'), failed]);
  await failed.catch(() => undefined);
  return rate as FileRate;
}

function addEvents(name: string, rates: readonly EventRate[]): void {
  const rounds = rates.map(({ eventsPerS }) => eventsPerS);
  add({ name, unit: 'events', rounds, load: median(rates.map(({ load }) => load)) });
}

function add(row: Omit<Row, 'value'>): void {
  rows.push({ ...row, value: median(row.rounds) });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function ratio(name: string, to: string): number | undefined {
  const [one, other] = [name, to].map((wanted) => rows.find((row) => row.name === wanted)?.value);
  return one === undefined || other === undefined || other === 0 ? undefined : one / other;
}
