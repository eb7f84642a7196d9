import { setMaxListeners } from 'node:events';
import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { loadConfig } from '../config/load.js';
import type { MeshConfig } from '../config/types.js';
import { Mesh } from '../mesh/mesh.js';
import { TypeRegistry } from '../messages/registry.js';
import { exitCodeOf, exitCodes } from '../program/exit-codes.js';
import { type CommonOptions, tlsOf } from '../program/options.js';
import { stopSignal } from '../program/signals.js';
import type { TlsFiles } from '../wire/credentials.js';
import { Output } from './output.js';

export { furrowCommand } from './command.js';

/** What the action of a command is given. What it does not look at is not loaded. */
export interface CommandContext<Options> {
  readonly options: Options & CommonOptions;
  /** Errors: those of `loadConfig`. */
  readonly config: MeshConfig;
  readonly registry: TypeRegistry;
  readonly tls: { readonly tls?: TlsFiles };
  /** Clients of all services; closed when the action ends. */
  readonly mesh: Mesh;
  /** Says on standard error what the mesh warns of. */
  readonly logger: Logger;
  readonly out: Output;
  /** Aborts at Ctrl-C and SIGTERM, and when nobody reads the output any more: end cleanly. */
  readonly signal: AbortSignal;
}

/**
 * Runs `action`, and turns what it throws into a message on standard error and an exit code. A number that it returns
 * is the exit code.
 */
export function act<Options>(
  command: Command,
  action: (context: CommandContext<Options>, args: readonly string[]) => Promise<number | undefined>,
): Command {
  return command.action(async () => {
    const options = command.opts<Options & CommonOptions>();
    const stop = stopSignal();
    const out = new Output(command.name(), { json: options.json });
    const signal = AbortSignal.any([stop.signal, out.closed]);
    // One for each service that a command asks.
    setMaxListeners(0, signal);
    const context = new LazyContext(options, out, signal);
    try {
      process.exitCode = (await action(context, command.args)) ?? exitCodes.ok;
    } catch (error) {
      process.exitCode = fail(error, out, stop.signal);
    } finally {
      context.close();
      stop.release();
    }
  });
}

function fail(error: unknown, out: Output, stopped: AbortSignal): number {
  // Whoever closed the pipe has what they wanted.
  if (out.closed.aborted) return exitCodes.ok;
  const failure = MeshError.from(error);
  const interrupted = stopped.aborted && failure.code === 'cancelled';
  out.note(interrupted ? 'interrupted' : failure.message, {
    error: failure.code,
    ...(failure.faults.length > 0 ? { faults: failure.faults } : {}),
  });
  // A fault of furrow itself: whoever reports it needs the place.
  if (!(error instanceof MeshError) && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return interrupted ? exitCodes.failed : exitCodeOf(failure);
}

class LazyContext<Options> implements CommandContext<Options> {
  readonly logger: Logger;
  private loadedConfig: MeshConfig | undefined;
  private loadedRegistry: TypeRegistry | undefined;
  private madeMesh: Mesh | undefined;

  constructor(
    readonly options: Options & CommonOptions,
    readonly out: Output,
    readonly signal: AbortSignal,
  ) {
    const quiet = (): void => undefined;
    const say = (message: string): void => out.note(message);
    this.logger = { debug: quiet, info: quiet, warn: say, error: say };
  }

  get config(): MeshConfig {
    this.loadedConfig ??= loadConfig(this.options.serviceConfig);
    return this.loadedConfig;
  }

  get registry(): TypeRegistry {
    this.loadedRegistry ??= new TypeRegistry(this.options.protos);
    return this.loadedRegistry;
  }

  get tls(): { readonly tls?: TlsFiles } {
    return tlsOf(this.options);
  }

  get mesh(): Mesh {
    this.madeMesh ??= Mesh.from(this.config, { registry: this.registry, logger: this.logger, ...this.tls });
    return this.madeMesh;
  }

  close(): void {
    this.madeMesh?.close();
  }
}
