import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import { loadConfig } from '../config/load.js';
import { findService } from '../config/service.js';
import { exitCodeOf, exitCodes } from '../program/exit-codes.js';
import { type ChildCommand, childCommand, type ServiceFlags, serviceArgs } from '../supervise/child-command.js';
import { findProgram } from '../supervise/program-file.js';
import { spawnGuarded } from '../supervise/spawn-guarded.js';
import { furrowCommand } from './command.js';
import { wholeNumber } from './option-values.js';
import { Output } from './output.js';

/** `furrow run NAME`: runs one service of a configuration, in this process when its program is JavaScript. */
export function runCommand(): Command {
  const command = furrowCommand('run', 'Run one service of the mesh, as `up` would start it.', 'furrow run agent-1')
    .argument('<name>', 'the service')
    .option('--insecure', 'serve plain text to other machines, too', false)
    .option('--drain-ms <ms>', 'how long stopping may take', wholeNumber(), 5000);
  return command.action(async (name: string) => {
    const flags = command.opts<ServiceFlags>();
    try {
      const service = findService(loadConfig(flags.serviceConfig), name);
      const program = findProgram(service, flags.serviceConfig);
      if (program.language === 'javascript') {
        // What the program reads is its command line, as if it had been started by it.
        process.argv = [process.execPath, program.file, ...serviceArgs(name, flags)];
        await import(pathToFileURL(program.file).href);
      } else {
        process.exitCode = await runChild(childCommand(program, name, flags), flags.drainMs);
      }
    } catch (error) {
      const failure = MeshError.from(error);
      new Output('run', flags).note(failure.message, { error: failure.code });
      if (failure !== error) process.stderr.write(`${(error as Error).stack}\n`);
      process.exitCode = exitCodeOf(failure);
    }
  });
}

/** Runs it with our output, passes signals on to it, and resolves with its exit code. */
function runChild(command: ChildCommand, drainMs: number): Promise<number> {
  const child = spawnGuarded(command, 'inherit', drainMs + 1000);
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, pass);
  return new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(new MeshError('failed-precondition', error.message, { cause: error })));
    child.once('exit', (code, signal) => {
      resolve(signal === null ? (code ?? exitCodes.failed) : 128 + constants.signals[signal]);
    });
  }).finally(() => {
    for (const signal of signals) process.off(signal, pass);
    // A process that it left behind may hold the link open, and must not keep us from ending.
    (child.stdio[3] as Socket | null)?.unref();
  });
}
