import { aborted } from '../base/aborted.js';
import { type ArgSchema, type ParsedArgs, parseArgs } from '../base/args.js';
import { createLogger } from '../base/create-logger.js';
import { MeshError } from '../base/errors.js';
import type { Logger, LoggerLevel } from '../base/logger.js';
import { pause } from '../base/pause.js';
import { standardOutput } from '../base/standard-output.js';
import { findService } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import { EventService } from '../mesh/event-service.js';
import { Mesh } from '../mesh/mesh.js';
import { quietGrpc } from '../wire/quiet.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { loadCommon } from './load-common.js';
import type { ServiceOptions } from './service-options.js';
import { stopSignal } from './signals.js';

/** What a service's program is given. */
export interface ServiceContext<Schema extends ArgSchema> {
  /** The service that `--service-name` names; the program adds its handlers and calls `start()`. */
  readonly service: EventService;
  /** All services of the configuration. */
  readonly mesh: Mesh;
  /** This service's entry. */
  readonly config: ServiceConfig;
  readonly meshConfig: MeshConfig;
  /** The entry's `args`, typed. */
  readonly args: ParsedArgs<Schema>;
  readonly logger: Logger;
  /** Prints a bare line, or a JSON line with `--json`. */
  print(line: string): void;
  /** Aborts at SIGINT or SIGTERM: finish and return. */
  readonly signal: AbortSignal;
}

export interface ServiceProgram<Schema extends ArgSchema> {
  /** What the entry's `args` must hold. */
  readonly args: Schema;
  /** Runs the service. When it returns, the service goes on answering until it is told to stop. */
  run(context: ServiceContext<Schema>): Promise<void>;
}

/**
 * The `main` of a service: reads `--service-config` and `--service-name`, loads and checks, runs the program, drains on
 * SIGINT and SIGTERM (a second one ends at once), and exits with a code of `exitCodes`.
 */
export async function serviceMain<Schema extends ArgSchema>(program: ServiceProgram<Schema>): Promise<void> {
  // Who only has clients needs neither this nor what it parses with, but loads this file, too.
  const { parseServiceOptions } = await import('./service-options.js');
  const options = parseServiceOptions();
  await quietGrpc();
  const { signal, release } = stopSignal();
  try {
    await runService(program, options, signal);
    process.exitCode = exitCodes.ok;
  } catch (error) {
    const failure = MeshError.from(error);
    // Not through the logger: the configuration that sets it up may be what is wrong.
    process.stderr.write(`${options.serviceName}: ${failure.message}\n`);
    if (!(error instanceof MeshError)) process.stderr.write(`${(error as Error).stack}\n`);
    process.exitCode = exitCodeOf(failure);
  } finally {
    release();
    // Whatever a program left open must not keep a stopped process alive.
    setTimeout(() => process.exit(), 1000).unref();
  }
}

async function runService<Schema extends ArgSchema>(
  program: ServiceProgram<Schema>,
  options: ServiceOptions,
  signal: AbortSignal,
): Promise<void> {
  const { config: meshConfig, registry, tls } = loadCommon(options);
  const config = findService(meshConfig, options.serviceName);
  const args = parseArgs(config.args, program.args, { at: `${meshConfig.file}: ${config.name}` });
  const level: LoggerLevel = config.logLevel === 'notset' ? 'info' : config.logLevel;
  const output = standardOutput();
  const logger = createLogger({ name: config.name, level, json: options.json, destination: output });
  const service = new EventService(config, { registry, logger, allowInsecure: options.insecure, ...tls });
  const mesh = Mesh.from(meshConfig, { registry, logger, ...tls });
  const print = (line: string): void => {
    if (options.json) logger.info(line);
    else output.write(`${line}\n`);
  };
  try {
    const running = program.run({ service, mesh, config, meshConfig, args, logger, print, signal });
    // A program that does not heed the signal in time is left behind.
    const deadline = aborted(signal).then(() => performance.now() + options.drainMs);
    const heeded = new AbortController();
    const tooLate = deadline.then((at) => pause(at - performance.now(), heeded.signal));
    await Promise.race([running, tooLate]).finally(() => heeded.abort());
    const drainUntil = await deadline;
    logger.info(`draining (${signal.reason})`);
    await service.drain({ limitMs: Math.max(0, drainUntil - performance.now()) });
  } finally {
    service.close();
    mesh.close();
  }
}
