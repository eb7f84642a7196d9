import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { Failure, messageOf } from './failure.js';
import { alive, type Owner, ownerOf, release } from './pid-file.js';
import { places } from './places.js';
import { type SimulationOptions, simulationArguments, withSimulationOptions } from './simulation-options.js';

interface Options extends SimulationOptions {
  readonly start?: true;
  readonly stop?: true;
}

const startTimeoutMs = 10_000;
const stopTimeoutMs = 5000;

const program = withSimulationOptions(
  new Command('simulate_observations_ctl').description('Starts and stops the daemon that makes up observations.'),
)
  .option('--start', 'start the daemon')
  .option('--stop', 'stop the daemon')
  .allowExcessArguments(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`simulate_observations_ctl: ${text}`) });

async function start(options: SimulationOptions): Promise<void> {
  const { pidFile, daemonLog } = places();
  const running = ownerOf(pidFile);
  if (running !== undefined) throw new Failure(`simulate_observations runs already, as process ${running.pid}`);
  mkdirSync(dirname(daemonLog), { recursive: true });
  const log = openSync(daemonLog, 'a');
  const daemon = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('./simulate-observations.js', import.meta.url)),
      ...simulationArguments(options),
      '--report-fd',
      '3',
    ],
    { detached: true, stdio: ['ignore', 'ignore', log, 'pipe'] },
  );
  closeSync(log);
  const answer = await Promise.race([
    firstLine(daemon.stdio[3] as Readable),
    once(daemon, 'error').then(([error]) => messageOf(error)),
    pause(startTimeoutMs, `no answer within ${startTimeoutMs / 1000} s; see ${daemonLog}`, { ref: false }),
  ]);
  daemon.unref();
  (daemon.stdio[3] as Readable).destroy();
  if (answer === 'ready') return;
  daemon.kill('SIGKILL');
  throw new Failure(answer || `simulate_observations ended at once; see ${daemonLog}`);
}

async function stop(): Promise<void> {
  const { pidFile } = places();
  const running = ownerOf(pidFile);
  if (running === undefined) {
    rmSync(pidFile, { force: true });
    throw new Failure('simulate_observations does not run');
  }
  send(running, 'SIGTERM');
  const patienceEnds = performance.now() + stopTimeoutMs;
  while (alive(running)) {
    if (performance.now() > patienceEnds) send(running, 'SIGKILL');
    await pause(10);
  }
  release(pidFile, running);
}

function send({ pid }: Owner, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function firstLine(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.split('\n', 1)[0]!;
}

try {
  const options = program.parse().opts<Options>();
  if ((options.start ?? false) === (options.stop ?? false)) {
    program.error('error: give exactly one of --start, --stop', { exitCode: 2 });
  }
  await (options.start ? start(options) : stop());
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`simulate_observations_ctl: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
