import { mkdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { makeCertificates } from './certificates.js';
import { compare } from './compare.js';
import { machine, versions } from './machine.js';
import { writeReport } from './report.js';
import { type Results, readResults, writeResults } from './results.js';
import { columns, rowsOf } from './rows.js';
import { casesNamed, runAll } from './runner.js';
import { type Subject, subjects, unavailable } from './subjects.js';

interface Options {
  readonly case: string[];
  readonly subject: string[];
  readonly quick?: true;
  readonly repeats?: string;
  readonly json?: string;
  readonly from?: string;
  readonly report?: true;
  readonly compare?: string;
  readonly tolerance: string;
  readonly farmNg?: string;
  readonly cpuProf?: string;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

const command = new Command('npm run bench --')
  .description('Measures furrow beside plain grpc-js, NATS and others, in interleaved runs on this machine.')
  .option('--case <name>', 'only this case; may be given again', collect, [])
  .option('--subject <name>', `only this subject (${subjects.join(', ')}); may be given again`, collect, [])
  .option('--quick', 'short runs, one of each: to see that it works, not to quote')
  .option('--repeats <n>', 'runs of each case and subject (default 3, with --quick 1)')
  .option('--json <file>', 'write the results there')
  .option('--from <file>', 'measure nothing; take the results of an earlier --json')
  .option('--report', 'write docs/benchmarks.md, the plots and results.json in docs/bench/')
  .option('--compare <file>', "hold furrow's ratios against those of an earlier --json; exit code 1 if worse")
  .option('--tolerance <share>', 'how much lower a ratio may be before it is worse', '0.25')
  .option('--farm-ng <python>', 'a Python with farm-ng-core installed, to measure it too')
  .option('--cpu-prof <folder>', 'write CPU profiles of both ends there')
  .addHelpText('after', '\nExample:\n  npm run bench -- --case fanout-64 --quick --json results.json');

async function measure(options: Options): Promise<Results> {
  const cases = casesNamed(options.case);
  const wanted = subjectsNamed(options.subject);
  const subjectOptions = { farmNgPython: options.farmNg };
  if (options.cpuProf !== undefined) mkdirSync(options.cpuProf, { recursive: true });
  const able = wanted.filter((subject) => {
    const reason = unavailable(subject, subjectOptions);
    if (reason !== undefined) note(`${subject} is skipped: ${reason}`);
    return reason === undefined;
  });
  const certificates = makeCertificates();
  process.once('exit', () => certificates?.remove());
  if (certificates === undefined) note('tls is skipped: openssl is not installed');
  const quick = options.quick === true;
  const load = loadavg()[0]!;
  if (load > cpus().length / 2)
    note(`load average ${load.toFixed(1)}: others use this machine, and figures will say little`);
  const results: Results = { machine: machine(), versions: versions(options.farmNg), cases: {}, details: {} };
  try {
    await runAll(
      {
        ...subjectOptions,
        profileDir: options.cpuProf,
        cases: cases.filter(({ workload }) => workload.tls === undefined || certificates !== undefined),
        subjects: able,
        repeats: Number(options.repeats ?? (quick ? 1 : 3)),
        // Long enough for both ends to be compiled: what runs for hours is not judged by its first second.
        times: quick ? { warmMs: 750, measureMs: 500 } : { warmMs: 1_500, measureMs: 1_500 },
        quick,
        certificates,
        progress: (done, of, what) => showProgress(`${done + 1}/${of} ${what}`),
        failed: (what, error) => {
          note(`${what} failed: ${error.message}`);
          process.exitCode = 1;
        },
      },
      results,
    );
  } finally {
    showProgress('');
  }
  return results;
}

function subjectsNamed(names: readonly string[]): readonly Subject[] {
  const unknown = names.filter((name) => !(subjects as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new Error(`there is no subject ${unknown.join(', ')}; there are ${subjects.join(', ')}`);
  return names.length === 0 ? subjects : subjects.filter((subject) => names.includes(subject));
}

function showTable(results: Results): void {
  const table = new Table({ head: [...columns], style: { head: [], border: [], compact: true } });
  let before = '';
  for (const [name = '', ...cells] of rowsOf(results)) {
    table.push([name === before ? '' : name, ...cells]);
    before = name;
  }
  process.stdout.write(`${table.toString()}\n`);
  process.stdout.write('÷ says how many times as good a subject is as the other: above 1× is better.\n');
}

/** One line that is written over on a terminal; a line for each run elsewhere. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

function note(text: string): void {
  showProgress('');
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<void> {
  const options = command.parse().opts<Options>();
  if (options.report && options.from === undefined && options.case.length + options.subject.length > 0) {
    throw new Error('--report needs all cases and subjects; leave --case and --subject away');
  }
  const results = options.from === undefined ? await measure(options) : readResults(options.from);
  showTable(results);
  if (options.json !== undefined) writeResults(resolve(options.json), results);
  if (options.compare !== undefined) {
    const { lines, worse } = compare(results, readResults(options.compare), Number(options.tolerance));
    process.stdout.write(`\n${lines.join('\n')}\n${worse === 0 ? 'no ratio is worse' : `${worse} ratios are worse`}\n`);
    if (worse > 0) process.exitCode = 1;
  }
  if (options.report) process.stdout.write(`\nwritten: ${writeReport(results).join(', ')}\n`);
}

// So that the exit's clean-up runs.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
