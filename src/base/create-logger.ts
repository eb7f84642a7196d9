import { createRequire } from 'node:module';
import type { Logger, LoggerLevel } from './logger.js';
import { standardOutput } from './standard-output.js';

export interface LoggerOptions {
  /** The service's name. */
  readonly name: string;
  /** Default `info`. */
  readonly level?: LoggerLevel;
  /** JSON lines instead of `INFO:supervisor-1:Residual: value: 455`. Default false. */
  readonly json?: boolean;
  /** Default: standard output. */
  readonly destination?: { write(line: string): unknown };
}

// Python's names and numbers, which farm-ng's log lines and configurations carry.
const levels = { debug: 10, info: 20, warning: 30, error: 40, critical: 50, silent: 60 } as const;
const pinoLevels = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
  silent: 'silent',
};

/** Readable lines, or pino's JSON lines. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? standardOutput();
  return options.json === true ? jsonLogger(options, destination) : readableLogger(options, destination);
}

function jsonLogger({ name, level = 'info' }: LoggerOptions, destination: { write(line: string): unknown }): Logger {
  // Loaded here: most programs write readable lines, and it takes long to load.
  const { pino } = createRequire(import.meta.url)('pino') as typeof import('pino');
  const log = pino({ level: pinoLevels[level], base: { name } }, destination);
  return {
    debug: (message, fields = {}) => log.debug(fields, message),
    info: (message, fields = {}) => log.info(fields, message),
    warn: (message, fields = {}) => log.warn(fields, message),
    error: (message, fields = {}) => log.error(fields, message),
  };
}

function readableLogger(
  { name, level = 'info' }: LoggerOptions,
  destination: { write(line: string): unknown },
): Logger {
  const line = (of: keyof typeof levels) => {
    if (levels[of] < levels[level]) return () => undefined;
    const start = `${of.toUpperCase()}:${name}:`;
    return (message: string) => void destination.write(`${start}${message}\n`);
  };
  return { debug: line('debug'), info: line('info'), warn: line('warning'), error: line('error') };
}
