import { appendFileSync } from 'node:fs';
import { inspect } from 'node:util';
import type { EventConsumer, GolemEvent } from './events.js';

/** One line of a log; without its newline. */
export type LineWriter = (line: string) => void;

const toStderr: LineWriter = (line) => void process.stderr.write(`${line}\n`);

/** An event in words: `Agreement 4f2a… confirmed by provider-2`. */
export function describeEvent(event: GolemEvent): string {
  const words = event.type.replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  const parts: string[] = [words.charAt(0) + words.slice(1).toLowerCase()];
  const fields = event as unknown as Readonly<Record<string, unknown>>;
  const provider = fields.provider as { name: string } | undefined;
  const add = (key: string, label: string) => {
    const value = fields[key];
    if (value !== undefined && value !== '') parts.push(`${label}${short(value)}`);
  };
  if (event.type === 'ServiceStateChanged') parts.push(`${event.instanceName}: ${event.previous} → ${event.state}`);
  else add('instanceName', '');
  if (provider) parts.push(`provider ${provider.name}`);
  add('commandIndex', 'command ');
  add('command', '');
  add('output', '');
  add('path', '');
  add('amount', 'GLM ');
  add('score', 'score ');
  add('offers', 'offers seen: ');
  add('taskId', 'task ');
  add('reason', 'reason: ');
  add('why', 'why: ');
  for (const id of ['demandId', 'proposalId', 'agreementId', 'activityId', 'batchId', 'invoiceId', 'debitNoteId']) {
    const value = fields[id];
    if (typeof value === 'string') parts.push(`${id.replace(/Id$/, '')} ${value.slice(0, 12)}`);
  }
  const error = fields.error as Error | undefined;
  if (error) parts.push(`error: ${short(error.message)}`);
  return parts.join(' · ');
}

/** An event completely, for machines and for searching: its type and every field. */
export function representEvent(event: GolemEvent): string {
  const { type, ...fields } = event;
  return `${type} ${inspect(fields, { depth: 8, breakLength: Number.POSITIVE_INFINITY, compact: true })}`;
}

/** An event consumer that writes what happens in words, by default to stderr. */
export function logEvent(event: GolemEvent, write: LineWriter = toStderr): void {
  write(`[${new Date(event.timeMs).toISOString()}] ${describeEvent(event)}`);
}

/** An event consumer that writes every event completely, by default to stderr. */
export function logEventRepr(event: GolemEvent, write: LineWriter = toStderr): void {
  write(`[${new Date(event.timeMs).toISOString()}] ${representEvent(event)}`);
}

export interface DefaultLoggerOptions {
  /** Every event completely is written there. Default: nowhere. */
  readonly logFile?: string;
  /** Every event of a command's output and progress also in the readable log. Default false. */
  readonly output?: boolean;
  readonly write?: LineWriter;
}

const noisy = ['CommandStdOut', 'CommandStdErr', 'CommandProgress', 'ProposalReceived', 'ProposalResponded'];

/** An event consumer: what matters in words to stderr, and, if asked, everything completely to a file. */
export function enableDefaultLogger(options: DefaultLoggerOptions = {}): EventConsumer {
  const { logFile, output = false, write = toStderr } = options;
  return (event) => {
    if (output || !noisy.includes(event.type)) logEvent(event, write);
    if (logFile !== undefined) logEventRepr(event, (line) => appendFileSync(logFile, `${line}\n`));
  };
}

function short(value: unknown): string {
  const text = String(value).trim().replaceAll('\n', ' ⏎ ');
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}
