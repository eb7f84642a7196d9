import { availableParallelism } from 'node:os';
import { aborted } from '../base/aborted.js';
import { listNames } from '../base/suggest.js';
import { exitCodes } from '../program/exit-codes.js';
import type { ChildCommand } from './child-command.js';
import type { Console } from './console.js';
import { type ServerConfig, untilListening } from './ports.js';
import { ServiceProcess } from './service-process.js';
import { StartTurns } from './start-turns.js';
import type { StopRequest } from './stop-request.js';

/** A service and how its program is started. */
export interface FleetMember {
  readonly service: ServerConfig;
  readonly command: ChildCommand;
}

export interface FleetOptions {
  readonly console: Console;
  readonly stop: StopRequest;
  /** Aborts when nobody reads the output any more: stop, too. */
  readonly unread: AbortSignal;
  /** How long each service may take to stop. */
  readonly drainMs: number;
}

/** Services that do not listen after this long are named. */
const lateMs = 10_000;

/** More than this many starting processes a core only make each other late, and with them the whole mesh. */
const startsPerCore = 2;

/** Who has not had a turn after this long has waited for something that will not come. */
const longestTurnMs = 3_000;

/**
 * Starts the members, in their order, as many at once as the machine can; says when all of them listen, keeps them
 * running until `stop` asks or none is left, and stops them one after the other in reverse order. Resolves with the
 * exit code.
 */
export async function runFleet(members: readonly FleetMember[], options: FleetOptions): Promise<number> {
  const { console, stop, unread, drainMs } = options;
  const startedMs = performance.now();
  const turns = new StartTurns(startsPerCore * availableParallelism(), longestTurnMs);
  const started = members.map(({ service, command }) => {
    // Its own limit comes first, so that it can say what it had to drop.
    const limitMs = drainMs + 1000;
    return { service, process: new ServiceProcess(service.name, command, { console, limitMs, turn: turns.take() }) };
  });
  const processes = started.map(({ process }) => process);
  const ended = Promise.all(processes.map((process) => process.ended));
  const over = new AbortController();
  void ended.then(() => over.abort());
  const stopping = AbortSignal.any([stop.first, unread, over.signal]);
  stop.second.addEventListener('abort', () => {
    for (const process of processes) process.kill();
  });
  void sayWhenReady(started, { console, startedMs, stopping, turns });
  await aborted(stopping);
  if (!over.signal.aborted) await stopInReverse(processes, options);
  const codes = await ended;
  // The shell's code for Ctrl-C: not everything had the time to finish.
  if (stop.second.aborted) return 130;
  return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok;
}

interface Started {
  readonly service: ServerConfig;
  readonly process: ServiceProcess;
}

async function stopInReverse(processes: readonly ServiceProcess[], { console, stop }: FleetOptions): Promise<void> {
  const reason = stop.first.aborted ? String(stop.first.reason) : 'nobody reads the output';
  console.say({ event: 'stopping', message: `stopping all services (${reason}); once more kills them`, reason });
  for (const process of processes.toReversed()) {
    await process.stop();
  }
}

interface ReadyOptions {
  readonly console: Console;
  readonly startedMs: number;
  readonly stopping: AbortSignal;
  readonly turns: StartTurns;
}

async function sayWhenReady(
  started: readonly Started[],
  { console, startedMs, stopping, turns }: ReadyOptions,
): Promise<void> {
  const services = started.map(({ service }) => service);
  const waiting = new Set(services);
  const over = (service: ServerConfig): void => {
    if (waiting.delete(service)) turns.give();
  };
  for (const { service, process } of started) void process.ended.then(() => over(service));
  const late = setTimeout(() => {
    const names = listNames([...waiting].map(({ name }) => name));
    console.say({ event: 'late', message: `not listening after ${lateMs / 1000} s: ${names}` });
  }, lateMs);
  const ready = await untilListening(services, {
    signal: stopping,
    isOver: (service) => !waiting.has(service),
    onListening: over,
  });
  clearTimeout(late);
  turns.close();
  if (stopping.aborted) return;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const places = ready.map(({ name, host, port }) => `${name} ${host}:${port}`).join(', ');
  const lost = started.length - ready.length;
  const message = `${lost > 0 ? `${lost} of ${started.length} services ended; ` : ''}ready in ${seconds} s: ${places}`;
  console.say({
    event: 'ready',
    message,
    services: ready.map(({ name, host, port }) => ({ name, host, port })),
  });
}
