import pino from 'pino';

/** Where a service says what it does. `fields` ride along in JSON lines and are left out of readable ones. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export type LoggerLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'silent';

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

/** A logger that keeps quiet: what the library uses when it is handed none. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

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

/**
 * Standard output, written synchronously: a reader that stalls holds the writer up instead of filling its memory, and
 * one that has gone does not crash it.
 */
export function standardOutput(): { write(line: string): unknown } {
  return pino.destination({ dest: 1, sync: true });
}

function jsonLogger({ name, level = 'info' }: LoggerOptions, destination: { write(line: string): unknown }): Logger {
  const log = pino({ level: pinoLevels[level], base: { name } }, destination as pino.DestinationStream);
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
