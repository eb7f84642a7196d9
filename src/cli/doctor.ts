import type { Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { findService, splitServicePath } from '../config/service.js';
import type { MeshConfig } from '../config/types.js';
import { matchesPath } from '../messages/uri.js';
import { exitCodes } from '../program/exit-codes.js';
import { colors } from './colors.js';
import { diagnose } from './doctor/diagnose.js';
import { edgesOf, edgeTitle } from './doctor/edges.js';
import type { Check, Diagnosis, Edge } from './doctor/finding.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';

interface DoctorOptions {
  readonly everyN?: number;
  readonly timeoutMs: number;
}

/** `furrow doctor`: says why no data comes. */
export function doctorCommand(): Command {
  const command = furrowCommand(
    'doctor',
    'Say why no data comes.\n' +
      'Looks at name, port, TLS, protocol, path, type, version, and whether events flow, for a path or for every edge of the configuration. Exits with 0 when all is well, 1 when something is wrong, 3 when somebody is away.\n' +
      'With --json: one line an edge, {kind, service, path, subscriber?, everyN, status, checks: [{subject, status, found, advice?}]}.',
    'furrow doctor',
    'furrow doctor agent-1/sample',
  )
    .argument('[service/path]', 'only this path (default: every edge)')
    .option('--every-n <n>', 'as a subscription with this every_n', wholeNumber())
    .option('--timeout-ms <ms>', 'how long to wait for a connection, and for data', wholeNumber({ min: 1 }), 3000);
  return act<DoctorOptions>(command, doctor);
}

async function doctor(context: CommandContext<DoctorOptions>, [text]: readonly string[]): Promise<number> {
  const { config, out } = context;
  const edges = text === undefined ? edgesOf(config) : edgesAbout(config, text, context.options);
  const brief = text === undefined;
  const pending = startAll(context, edges);
  const seen: Diagnosis[] = [];
  for (const diagnosis of pending) {
    const one = await diagnosis;
    if (context.signal.aborted) break;
    seen.push(one);
    if (out.json) await out.value({ ...one.edge, status: one.status, checks: one.checks });
    else await out.line(brief && isClean(one) ? briefLine(one) : fullText(one, out.width));
  }
  const has = (status: Diagnosis['status']): boolean => seen.some((one) => one.status === status);
  if (!out.json) await out.line(`\n${summary(seen)}`);
  return has('wrong') ? exitCodes.failed : has('away') ? exitCodes.away : exitCodes.ok;
}

/** Edges of one service one after another, since `/health` counts our own subscriptions, too; services at once. */
function startAll(context: CommandContext<DoctorOptions>, edges: readonly Edge[]): Promise<Diagnosis>[] {
  const { config, mesh, registry, tls, signal, options } = context;
  const clock = systemClock();
  const tails = new Map<string, Promise<unknown>>();
  return edges.map((edge) => {
    const service = findService(config, edge.service);
    const client = mesh.client(edge.service);
    const before = tails.get(edge.service) ?? Promise.resolve();
    const one = before.then(() =>
      diagnose(edge, { config, service, client, registry, clock, signal, timeoutMs: options.timeoutMs, ...tls }),
    );
    tails.set(edge.service, one);
    return one;
  });
}

/** The edges of the configuration that carry the path; the bare path when there is none. */
function edgesAbout(config: MeshConfig, text: string, { everyN }: DoctorOptions): readonly Edge[] {
  const { service, path } = splitServicePath(config, text);
  const bare: Edge = { kind: 'events', service: service.name, path, everyN: everyN ?? 0 };
  if (everyN !== undefined) return [bare];
  const carrying = edgesOf(config).filter((edge) => edge.service === service.name && matchesPath(edge.path, path));
  return carrying.length > 0 ? carrying : [bare];
}

function isClean({ checks }: Diagnosis): boolean {
  return checks.every(({ status }) => status === 'ok');
}

function briefLine({ edge, checks }: Diagnosis): string {
  const data = checks.find(({ subject }) => subject === 'data' || subject === 'latched');
  return `${marks.ok} ${edgeTitle(edge)}${data === undefined ? '' : colors.dim(`  ${data.found}`)}`;
}

function fullText({ edge, status, checks }: Diagnosis, width: number): string {
  const lines = checks.flatMap(({ subject, status: one, found, advice }) => [
    `  ${marks[one]} ${subject.padEnd(10)} ${hang(found, 15, width)}`,
    ...(advice === undefined || advice === ''
      ? []
      : [`${' '.repeat(15)}${colors.cyan(`→ ${hang(advice, 17, width)}`)}`]),
  ]);
  return [`${marks[status]} ${colors.bold(edgeTitle(edge))}`, ...lines].join('\n');
}

/** Breaks a text into lines of `width` columns, all but the first indented. */
function hang(text: string, indent: number, width: number): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && indent + line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

const marks: Readonly<Record<Check['status'], string>> = {
  ok: colors.green('✓'),
  note: colors.yellow('!'),
  wrong: colors.red('✗'),
  away: colors.red('✗'),
};

function summary(seen: readonly Diagnosis[]): string {
  const count = (status: Diagnosis['status']): number => seen.filter((one) => one.status === status).length;
  const parts = [
    `${count('ok')} of ${seen.length} healthy`,
    ...(count('wrong') > 0 ? [colors.red(`${count('wrong')} wrong`)] : []),
    ...(count('away') > 0 ? [colors.red(`${count('away')} away`)] : []),
  ];
  return parts.join(', ');
}
