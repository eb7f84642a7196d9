import type { Command } from 'commander';
import { shortType } from '../config/edge-text.js';
import { findService } from '../config/service.js';
import { exitCodes } from '../program/exit-codes.js';
import { colors } from './colors.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import { type SurveyedPath, type SurveyedService, surveyService } from './survey.js';
import { textTable } from './table.js';
import { showRate } from './units.js';

interface LsOptions {
  readonly timeoutMs: number;
}

/** `furrow ls`: the services and how they are. */
export function lsCommand(): Command {
  const command = furrowCommand(
    'ls',
    'List the services: live or away, paths, types, rates, subscribers.\n' +
      'Exits with 3 when one of them is not live.\n' +
      'With --json: one line a service, {name, address, state, reason?, peer?, version?, hosts, paths: [{kind, path, type, reply?, health?: {sendCount, clients, rateHz, dropped}}]}; state is live, away, other (the port answers, but is not that service) or no-server.',
    'furrow ls',
    'furrow ls agent-1 storage --json',
  )
    .argument('[service...]', 'only these (default: all)')
    .option('--timeout-ms <ms>', 'how long a service may take to answer', wholeNumber({ min: 1 }), 2000);
  return act<LsOptions>(command, ls);
}

async function ls(context: CommandContext<LsOptions>, names: readonly string[]): Promise<number> {
  const { config, mesh, out, options, signal } = context;
  const services = names.length === 0 ? config.services : names.map((name) => findService(config, name));
  const surveyed = await Promise.all(
    services.map((service) =>
      surveyService(service, service.port === undefined ? undefined : mesh.client(service.name), {
        timeoutMs: options.timeoutMs,
        signal,
      }),
    ),
  );
  if (out.json) for (const service of surveyed) await out.value(service);
  else await out.line(`${servicesTable(surveyed, out.width)}\n\n${summary(surveyed)}`);
  return surveyed.some(({ state }) => state === 'away' || state === 'other') ? exitCodes.away : exitCodes.ok;
}

/** Two lines a service and a line for each of its paths. `width`: columns there are. */
export function servicesTable(services: readonly SurveyedService[], width: number): string {
  const name = (type: string): string => (width < 110 ? shortType(type) : type);
  const rows = services.flatMap((service) => {
    const left = [
      [service.name, stateText(service)],
      ...(service.address === undefined ? [] : [[service.address, versionText(service)].map(colors.dim)]),
    ];
    const right = [
      // The reason has the line to itself.
      ...(service.reason === undefined ? [] : [[{ content: colors.yellow(service.reason), colSpan: 4 }]]),
      ...service.paths.map((path) => {
        const cells = [path.path, typeText(path, name), rateText(path), clientsText(path)];
        return service.state === 'live' ? cells : cells.map(colors.dim);
      }),
    ];
    return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => [
      ...(left[index] ?? ['', '']),
      ...(right[index] ?? ['', '', '', '']),
    ]);
  });
  return textTable(['service', 'state', 'path', 'type', 'rate', 'subs'], rows, { right: [4, 5] });
}

function stateText({ state }: SurveyedService): string {
  if (state === 'live') return colors.green('live');
  return state === 'no-server' ? colors.dim('–') : colors.red(state);
}

function versionText({ peer, version }: SurveyedService): string {
  return version ?? (peer === 'farm-ng' ? 'farm-ng' : '');
}

function typeText({ type, reply }: SurveyedPath, name: (type: string) => string): string {
  return reply === undefined ? name(type) : `${name(type)} → ${name(reply)}`;
}

function rateText({ kind, health }: SurveyedPath): string {
  if (kind === 'request') return 'request';
  if (health === undefined) return '–';
  if (health.sendCount < 2) return health.sendCount === 0 ? 'never' : 'once';
  return showRate(health.rateHz);
}

function clientsText({ health }: SurveyedPath): string {
  return health === undefined ? '' : String(health.clients);
}

function summary(services: readonly SurveyedService[]): string {
  const counted = (['live', 'away', 'other'] as const).flatMap((state) => {
    const count = services.filter((service) => service.state === state).length;
    return count === 0 ? [] : `${count} ${state}`;
  });
  const dropped = services
    .flatMap(({ paths }) => paths)
    .reduce((total, { health }) => total + (health?.dropped ?? 0), 0);
  return [...counted, ...(dropped > 0 ? [colors.yellow(`${dropped} events dropped`)] : [])].join(', ');
}
