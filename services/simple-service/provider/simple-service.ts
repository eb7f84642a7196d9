import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Failure, messageOf } from './failure.js';
import { ObservationStore } from './observation-store.js';
import { places } from './places.js';
import { type PlotKind, plotKinds } from './plot.js';
import { statistics } from './statistics.js';

interface Options {
  init?: true;
  add?: number;
  plot?: PlotKind;
  dump?: true;
  since?: number;
  stats?: true;
}

const program = new Command('simple_service')
  .description('Keeps observations: numbers with the time they were added.')
  .option('--init', 'create the database')
  .addOption(new Option('--add <ADD>', 'store one finite number').argParser(finiteNumber))
  .addOption(
    new Option('--plot <KIND>', 'draw the values over time or their distribution, print the path').choices(plotKinds),
  )
  .option('--dump', 'print all observations, oldest first')
  .addOption(new Option('--since <N>', 'with --dump: leave out the first N').argParser(rowCount))
  .option('--stats', 'print the figures of all values')
  .allowExcessArguments(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`simple_service: ${text}`) });

async function run(options: Options): Promise<string> {
  const { database, output } = places();
  if (options.init) {
    mkdirSync(dirname(database), { recursive: true });
    ObservationStore.create(database).close();
    return '';
  }
  const store = ObservationStore.open(database);
  try {
    if (options.add !== undefined) {
      store.add(options.add);
      return '';
    }
    if (options.dump) return `${JSON.stringify(store.rows(options.since))}\n`;
    if (options.stats) return `${JSON.stringify(statistics(store.values()))}\n`;
    return `${JSON.stringify(await draw(options.plot!, store, output))}\n`;
  } finally {
    store.close();
  }
}

/** Path of the picture, or an empty string when there is nothing to draw. */
async function draw(kind: PlotKind, store: ObservationStore, output: string): Promise<string> {
  const rows = store.rows();
  if (rows.length === 0) return '';
  // Loaded only now: it takes longer than everything that the other commands do.
  const [{ plot }, { picture }] = await Promise.all([import('./plot.js'), import('./picture.js')]);
  const path = join(output, `${kind}.png`);
  const partial = `${path}.${process.pid}.partial`;
  const bytes = await picture(plot(kind, rows));
  try {
    mkdirSync(output, { recursive: true });
    writeFileSync(partial, bytes);
    // Renamed, so that somebody who fetches the former picture gets the whole of it.
    renameSync(partial, path);
  } catch (error) {
    throw new Failure(`the plot could not be written to ${path}: ${messageOf(error)}`);
  }
  return path;
}

function finiteNumber(text: string): number {
  const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Only a finite number can be stored.');
  return value;
}

function rowCount(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It is a whole number of rows, 0 or more.');
  return value;
}

function checked(options: Options): Options {
  const { since, ...actions } = options;
  const given = Object.keys(actions);
  if (given.length !== 1) {
    program.error('error: give exactly one of --init, --add, --plot, --dump, --stats', { exitCode: 2 });
  }
  if (since !== undefined && !options.dump) {
    program.error('error: --since goes with --dump only', { exitCode: 2 });
  }
  return options;
}

try {
  program.parse();
  process.stdout.write(await run(checked(program.opts<Options>())));
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`simple_service: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
