import { MeshError } from '../base/errors.js';
import { Command, type CommandResult } from './command.js';
import type { Reception } from './storage.js';

export interface ScriptOptions {
  /** How long the whole batch may take. Default: until the service's expiration. */
  readonly timeoutMs?: number | undefined;
  /** Results and output as they come, instead of polled. Default false. */
  readonly streaming?: boolean | undefined;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

export interface DownloadOptions {
  /** More is refused. Default 64 MiB for bytes and JSON, unlimited for files. */
  readonly maxBytes?: number;
}

/** Network configuration of a deploy command. */
export type DeployArgs = Readonly<Record<string, unknown>>;

/**
 * A batch of commands, built one by one and run as a whole when a handler yields it. Each call gives the promise of
 * its command's own result, which settles while the batch runs. Paths on the provider are absolute.
 */
export class Script {
  readonly options: ScriptOptions;
  readonly #commands: Command[] = [];
  readonly #deployArgs: DeployArgs;
  #sent = false;

  constructor(options: ScriptOptions & { readonly deployArgs?: DeployArgs } = {}) {
    const { deployArgs = {}, ...rest } = options;
    this.options = rest;
    this.#deployArgs = deployArgs;
  }

  get commands(): readonly Command[] {
    return this.#commands;
  }

  /** Prepares the image on the provider; joins the instance's network, if it has one. */
  deploy(args: DeployArgs = this.#deployArgs): Promise<CommandResult> {
    return this.#plain('deploy', 'deploy', args);
  }

  start(args: readonly string[] = []): Promise<CommandResult> {
    return this.#plain('start', 'start', { args: texts('start', args) });
  }

  /** Ends the runtime; nothing can run after it. */
  terminate(): Promise<CommandResult> {
    return this.#plain('terminate', 'terminate', {});
  }

  /** Runs a program of the image. The arguments reach it as they are, through no shell. */
  run(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<CommandResult> {
    text('run: program', program);
    texts('run', args);
    const title = ['run', program, ...args].join(' ');
    return this.#add(
      new Command('run', title, {
        prepare: async (_storage, streaming) => {
          const capture = streaming ? { stream: { format: 'string' } } : { atEnd: { format: 'string' } };
          const env = options.env ? { env: options.env } : {};
          return { body: { entry_point: program, args, ...env, capture: { stdout: capture, stderr: capture } } };
        },
        finish: (result) => result,
      }),
    );
  }

  /** Runs a command line by the image's `/bin/sh -c`. */
  runInShell(commandLine: string, options: RunOptions = {}): Promise<CommandResult> {
    return this.run('/bin/sh', ['-c', text('runInShell', commandLine)], options);
  }

  /** Sends a local file. */
  sendFile(sourcePath: string, targetPath: string): Promise<CommandResult> {
    text('sendFile: sourcePath', sourcePath);
    return this.#send(`send file ${sourcePath} to ${targetPath}`, sourcePath, targetPath);
  }

  /** Sends a value as JSON. */
  sendJson(targetPath: string, value: unknown): Promise<CommandResult> {
    const json = JSON.stringify(value);
    if (json === undefined) throw new MeshError('invalid-argument', `sendJson ${targetPath}: the value has no JSON`);
    return this.#send(`send JSON to ${targetPath}`, new TextEncoder().encode(json), targetPath);
  }

  sendBytes(targetPath: string, bytes: Uint8Array): Promise<CommandResult> {
    return this.#send(`send ${bytes.byteLength} bytes to ${targetPath}`, bytes, targetPath);
  }

  /** Downloads to a local file, which appears once it is complete. */
  downloadFile(sourcePath: string, targetPath: string, options: DownloadOptions = {}): Promise<void> {
    text('downloadFile: targetPath', targetPath);
    return this.#download(sourcePath, { file: targetPath, ...options }, () => undefined);
  }

  downloadBytes(sourcePath: string, options: DownloadOptions = {}): Promise<Uint8Array> {
    return this.#download(sourcePath, options, (bytes) => bytes);
  }

  /** Errors: `data-loss` when what is downloaded is no JSON. */
  downloadJson(sourcePath: string, options: DownloadOptions = {}): Promise<unknown> {
    return this.#download(sourcePath, options, (bytes) => {
      try {
        return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
      } catch (cause) {
        throw new MeshError('data-loss', `downloadJson ${sourcePath}: what came is no JSON`, { cause });
      }
    });
  }

  /** Called by whoever runs it: a script runs once. */
  markSent(): void {
    if (this.#sent) {
      throw new MeshError('failed-precondition', 'A script runs once; build a new one for each yield');
    }
    this.#sent = true;
  }

  /** The commands that have no result yet fail with this error. */
  abandon(error: Error): void {
    for (const command of this.#commands) command.fail(error);
  }

  #plain(name: string, title: string, body: unknown): Promise<CommandResult> {
    return this.#add(new Command(name, title, { prepare: async () => ({ body }), finish: (result) => result }));
  }

  #send(title: string, source: string | Uint8Array, targetPath: string): Promise<CommandResult> {
    text('send: targetPath', targetPath);
    return this.#add(
      new Command('transfer', title, {
        prepare: async (storage) => {
          const from = await storage.publish(source);
          return { urls: [from], body: { from, to: `container:${targetPath}` } };
        },
        finish: (result) => result,
      }),
    );
  }

  #download<T>(
    sourcePath: string,
    target: { file?: string; maxBytes?: number },
    convert: (bytes: Uint8Array) => T,
  ): Promise<T> {
    text('download: sourcePath', sourcePath);
    let reception: Reception | undefined;
    let failure: Error | undefined;
    return this.#add(
      new Command(
        'transfer',
        `download ${sourcePath}`,
        {
          prepare: async (storage) => {
            reception = await storage.receive(target);
            reception.done.catch((error: Error) => {
              failure = error;
            });
            return { urls: [reception.url], body: { from: `container:${sourcePath}`, to: reception.url } };
          },
          finish: async () => convert(await (reception as Reception).done),
          localFailure: () => failure,
        },
        { downloads: sourcePath },
      ),
    );
  }

  #add<T>(command: Command<T>): Promise<T> {
    if (this.#sent)
      throw new MeshError('failed-precondition', `The script has already run; "${command.title}" comes too late`);
    this.#commands.push(command as Command);
    return command.result;
  }
}

function text(what: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw new MeshError('invalid-argument', `${what} is ${JSON.stringify(value)}; expected a non-empty text without NUL`);
}

function texts(what: string, values: readonly unknown[]): readonly unknown[] {
  const wrong = values.findIndex((value) => typeof value !== 'string' || value.includes('\0'));
  if (wrong >= 0) {
    throw new MeshError(
      'invalid-argument',
      `${what}: argument ${wrong} is ${JSON.stringify(values[wrong])}; expected a text without NUL`,
    );
  }
  return values;
}
