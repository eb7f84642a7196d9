/** Where a service says what it does. `fields` ride along in JSON lines and are left out of readable ones. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export type LoggerLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'silent';

/** A logger that keeps quiet: what the library uses when it is handed none. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
