import { closeSync, writeSync } from 'node:fs';
import { Command } from 'commander';
import { Failure, messageOf } from './failure.js';
import { ObservationStore } from './observation-store.js';
import { claim, release, self } from './pid-file.js';
import { places } from './places.js';
import { type SimulationOptions, withSimulationOptions } from './simulation-options.js';

interface DaemonOptions extends SimulationOptions {
  readonly reportFd?: string;
}

const { rateHz, mean, deviation, reportFd } = withSimulationOptions(
  new Command('simulate_observations').description('Adds normally distributed observations until it is stopped.'),
)
  .option('--report-fd <FD>', 'tell on this file descriptor whether the start succeeded')
  .allowExcessArguments(false)
  .parse()
  .opts<DaemonOptions>();

const { database, pidFile } = places();
const owner = self();

try {
  // Opened before the claim: a daemon that cannot work must not look as if it ran.
  const store = ObservationStore.open(database);
  const runner = claim(pidFile, owner);
  if (runner.pid !== owner.pid) {
    store.close();
    throw new Failure(`simulate_observations runs already, as process ${runner.pid}`);
  }
  report('ready');
  simulate(store);
} catch (error) {
  report(messageOf(error));
  process.stderr.write(`simulate_observations: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

function simulate(store: ObservationStore): void {
  const intervalMs = 1000 / rateHz;
  let due = performance.now() + intervalMs;
  let complaint = '';

  const tick = () => {
    try {
      store.add(mean + deviation * standardNormal());
      if (complaint !== '') log('stores observations again');
      complaint = '';
    } catch (error) {
      // Each complaint once: the log must not fill the disk that is full already.
      if (messageOf(error) !== complaint) log(messageOf(error));
      complaint = messageOf(error);
    }
    due += intervalMs;
    // After a pause of the machine the missed observations are not made up in a burst.
    if (due < performance.now() - 1000) due = performance.now();
    timer = setTimeout(tick, Math.max(0, due - performance.now()));
  };

  const stop = () => {
    clearTimeout(timer);
    store.close();
    release(pidFile, owner);
    process.exit(0);
  };

  let timer = setTimeout(tick, intervalMs);
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

/** Box and Muller's transform; 1 - random() is never 0, whose logarithm is infinite. */
function standardNormal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

function log(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

function report(text: string): void {
  if (reportFd === undefined) return;
  try {
    writeSync(Number(reportFd), `${text}\n`);
    closeSync(Number(reportFd));
  } catch {
    // The control script went away; the daemon works without it.
  }
}
