import type { ExeCommand, ExeResult } from './daemon.js';
import type { CommandExecutionError } from './errors.js';
import { type Deferred, deferred } from './signals.js';
import type { StorageProvider } from './storage.js';

/** What a command gave. */
export interface CommandResult {
  /** Position in its batch, from 0. */
  readonly index: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
}

/** One step of a script, from the script builder's call to its result. */
export class Command<T = unknown> {
  /** For people: `run /golem/run/simple_service --stats`. */
  readonly title: string;
  readonly name: string;
  /** A path on the provider that this command downloads. */
  readonly downloads: string | undefined;
  readonly #steps: CommandSteps<T>;
  readonly #outcome: Deferred<T> = deferred();
  #urls: readonly string[] = [];

  constructor(name: string, title: string, steps: CommandSteps<T>, options: { downloads?: string } = {}) {
    this.name = name;
    this.title = title;
    this.#steps = steps;
    this.downloads = options.downloads;
  }

  /** The command's result, once its batch has run. */
  get result(): Promise<T> {
    return this.#outcome.promise;
  }

  /** Opens what the command needs here, and gives it as it goes over the wire. */
  async prepare(storage: StorageProvider, streaming: boolean): Promise<ExeCommand> {
    const { urls = [], body } = await this.#steps.prepare(storage, streaming);
    this.#urls = urls;
    return { [this.name]: body };
  }

  /** What went wrong on this side of a transfer, if anything has. */
  get localFailure(): Error | undefined {
    return this.#steps.localFailure?.();
  }

  async succeed(result: ExeResult): Promise<void> {
    const { index, stdout, stderr, message } = result;
    this.#outcome.resolve(await this.#steps.finish({ index, stdout, stderr, message }));
  }

  /** Of no effect once the command has its result. */
  fail(error: CommandExecutionError | Error): void {
    this.#outcome.reject(error);
  }

  /** Closes what prepare opened. */
  async cleanUp(storage: StorageProvider): Promise<void> {
    const urls = this.#urls;
    this.#urls = [];
    if (urls.length > 0) await storage.close(urls);
  }
}

export interface CommandSteps<T> {
  prepare(
    storage: StorageProvider,
    streaming: boolean,
  ): Promise<{ readonly urls?: readonly string[]; readonly body: unknown }>;
  finish(result: CommandResult): Promise<T> | T;
  localFailure?(): Error | undefined;
}
