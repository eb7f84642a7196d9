import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import { FaultList } from '../base/faults.js';
import { checkConfig } from '../config/check.js';
import { loadConfig } from '../config/load.js';
import { findService } from '../config/service.js';
import type { MeshConfig } from '../config/types.js';
import { exitCodeOf } from '../program/exit-codes.js';
import { childCommand, type ServiceFlags } from '../supervise/child-command.js';
import { Console } from '../supervise/console.js';
import { type FleetMember, runFleet } from '../supervise/fleet.js';
import { ensurePortsFree, type ServerConfig } from '../supervise/ports.js';
import { findProgram } from '../supervise/program-file.js';
import { type StopRequest, stopRequest } from '../supervise/stop-request.js';
import { furrowCommand } from './command.js';
import { wholeNumber } from './option-values.js';
import { Output } from './output.js';

interface UpOptions extends ServiceFlags {
  readonly without: readonly string[];
}

/** `furrow up`: starts the services of a configuration and keeps them running. */
export function upCommand(): Command {
  const command = furrowCommand(
    'up',
    'Start the services of the mesh, and keep them running.',
    'furrow up',
    'furrow up -c service_config.json --without agent-3',
  )
    .argument('[names...]', 'only these services')
    .option('--without <name>', 'not this service; can be given several times', collect, [])
    .option('--insecure', 'let services serve plain text to other machines, too', false)
    .option('--drain-ms <ms>', 'how long each service may take to stop', wholeNumber(), 5000);
  return command.action(async () => {
    const options = command.opts<UpOptions>();
    const stop = stopRequest();
    const out = new Output('up', options);
    try {
      process.exitCode = await up(command.args, { options, stop, out });
    } catch (error) {
      const failure = MeshError.from(error);
      out.note(failure.message, { error: failure.code, ...(failure.faults.length > 0 && { faults: failure.faults }) });
      if (failure !== error) process.stderr.write(`${(error as Error).stack}\n`);
      process.exitCode = exitCodeOf(failure);
    }
  });
}

async function up(
  names: readonly string[],
  { options, stop, out }: { options: UpOptions; stop: StopRequest; out: Output },
): Promise<number> {
  const config = loadConfig(options.serviceConfig);
  const services = selected(config, names, options.without);
  const members = withCommands(services, options);
  await ensurePortsFree(services, config.file);
  const console = new Console(
    process.stdout,
    services.map(({ name }) => name),
    { json: options.json, colour: wantsColour() },
  );
  for (const { severity, at, message } of checkConfig(config)) {
    // Ports were looked at above, where --without counts.
    if (severity !== 'error' || at.endsWith('port')) continue;
    console.say({ event: 'fault', message: `${at}: ${message}`, at });
  }
  return runFleet(members, { console, stop, unread: out.closed, drainMs: options.drainMs });
}

function selected(config: MeshConfig, names: readonly string[], without: readonly string[]): readonly ServerConfig[] {
  const left = new Set(without.map((name) => findService(config, name).name));
  const wanted = names.length === 0 ? config.services.filter(isServer) : named(config, names);
  const services = wanted.filter(({ name }) => !left.has(name));
  if (services.length > 0) return services;
  throw new MeshError('invalid-argument', `${config.file}: no service with a port is left to start`);
}

function named(config: MeshConfig, names: readonly string[]): readonly ServerConfig[] {
  const wanted = new Set(names.map((name) => findService(config, name)));
  // In the order of the file, so that one order of stopping holds.
  return config.services
    .filter((service) => wanted.has(service))
    .map((service) => {
      if (isServer(service)) return service;
      const message = `"${service.name}" of ${config.file} has no port: it is a set of subscriptions, not a program`;
      throw new MeshError('invalid-argument', message);
    });
}

function isServer(service: MeshConfig['services'][number]): service is ServerConfig {
  return service.port !== undefined;
}

function withCommands(services: readonly ServerConfig[], options: UpOptions): readonly FleetMember[] {
  const faults = new FaultList();
  const members = services.flatMap((service) => {
    try {
      return { service, command: childCommand(findProgram(service, options.serviceConfig), service.name, options) };
    } catch (error) {
      faults.add('', MeshError.from(error).message);
      return [];
    }
  });
  faults.throwIfAny(options.serviceConfig);
  return members;
}

function wantsColour(): boolean {
  const { NO_COLOR, TERM } = process.env;
  return process.stdout.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
