import { badRequest } from './problem.js';
import type { SandboxCommand } from './sandbox.js';

/** A command of a batch, checked. */
export type ExeCommand =
  | { readonly kind: 'deploy' }
  | { readonly kind: 'start' }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'transfer'; readonly from: string; readonly to: string }
  | ({ readonly kind: 'run'; readonly capture: Captures } & SandboxCommand);

interface Captures {
  readonly stdout: Capture | undefined;
  readonly stderr: Capture | undefined;
}

/** How results show what a command printed: as text, or as numbers from 0 to 255. */
export type Capture = 'string' | 'binary';

export interface ScriptStep {
  readonly command: ExeCommand;
  /** The command as it came, which `started` events show. */
  readonly source: object;
  /** In words, for events and for the faults that match it. */
  readonly line: string;
}

const mostCommands = 1000;

/** Reads the `text` of an exec request: a JSON array of commands. Throws a 400 that names the command at fault. */
export function parseScript(text: unknown): ScriptStep[] {
  if (typeof text !== 'string') throw badRequest('exec needs {"text": "<JSON array of commands>"}');
  let commands: unknown;
  try {
    commands = JSON.parse(text);
  } catch (error) {
    throw badRequest(`exec text is not JSON: ${String(error)}`);
  }
  if (!Array.isArray(commands) || commands.length === 0) throw badRequest('exec text must hold at least one command');
  if (commands.length > mostCommands) throw badRequest(`exec text holds more than ${mostCommands} commands`);
  return commands.map((source, index) => {
    const command = parseCommand(source, index);
    return { command, source: source as object, line: describe(command) };
  });
}

function parseCommand(source: unknown, index: number): ExeCommand {
  const entries = isRecord(source) ? Object.entries(source) : [];
  const [name, given] = entries[0] ?? [];
  if (entries.length !== 1 || name === undefined) throw badRequest(`command ${index} must be an object with one key`);
  const body = isRecord(given) ? given : {};
  switch (name) {
    case 'deploy':
    case 'start':
    case 'terminate':
      return { kind: name };
    case 'transfer':
      return { kind: name, from: text(body, 'from', index), to: text(body, 'to', index) };
    case 'run':
      return {
        kind: name,
        entryPoint: text(body, 'entry_point', index),
        args: strings(body.args, index),
        env: isRecord(body.env) ? Object.fromEntries(Object.entries(body.env).map(([k, v]) => [k, String(v)])) : {},
        capture: { stdout: captureOf(body.capture, 'stdout'), stderr: captureOf(body.capture, 'stderr') },
      };
    default:
      throw badRequest(`command ${index}: ${JSON.stringify(name)} is none of deploy, start, run, transfer, terminate`);
  }
}

function describe(command: ExeCommand): string {
  if (command.kind === 'run') return ['run', command.entryPoint, ...command.args].join(' ');
  if (command.kind === 'transfer') return `transfer ${command.from} ${command.to}`;
  return command.kind;
}

function text(body: Record<string, unknown>, key: string, index: number): string {
  const value = body[key];
  if (typeof value !== 'string' || value === '') throw badRequest(`command ${index} needs a text ${key}`);
  if (value.includes('\0')) throw badRequest(`command ${index}: ${key} holds a NUL character`);
  return value;
}

function strings(value: unknown, index: number): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string' || item.includes('\0'))) {
    throw badRequest(`command ${index}: args must be texts`);
  }
  return value as string[];
}

function captureOf(capture: unknown, stream: 'stdout' | 'stderr'): Capture | undefined {
  const mode = isRecord(capture) ? capture[stream] : undefined;
  if (!isRecord(mode)) return undefined;
  const settings = [mode.atEnd, mode.stream].find(isRecord);
  if (settings === undefined) return undefined;
  return settings.format === 'binary' ? 'binary' : 'string';
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
