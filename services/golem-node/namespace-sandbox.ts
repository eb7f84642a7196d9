import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makeActivityFolder } from './activity-folder.js';
import type { Image } from './images.js';
import { namespaceScript } from './namespace-script.js';
import { messageOf } from './problem.js';
import { environment, type Sandbox, type SandboxCommand, type SandboxFactory, systemPath } from './sandbox.js';
import { quote } from './shell.js';

const setupTimeoutMs = 10_000;
const endTimeoutMs = 5000;

const unshare = 'unshare --user --map-root-user --mount --pid --fork --kill-child';

/**
 * Sandboxes made of Linux namespaces (user, mount, process), without root: inside, `/` holds this machine's programs
 * read-only and the activity's own `/golem`, and no path leads anywhere else. Gives back undefined where the kernel
 * or the distribution does not allow it.
 */
export async function namespaceSandboxes(base: string): Promise<SandboxFactory | undefined> {
  if (process.platform !== 'linux') return undefined;
  const [nsenter, setpriv] = ['nsenter', 'setpriv'].map(find);
  // The others are looked for by the script; where they are missing, the try below fails.
  if (nsenter === undefined || setpriv === undefined) return undefined;
  const factory: SandboxFactory = {
    kind: 'namespaces',
    notice:
      'Commands run with the rights of the user who started the node, each activity in Linux namespaces of its own: ' +
      "it sees this machine's programs read-only, its own /golem, and the network. " +
      'That keeps mistakes inside; it is no protection against hostile code.',
    create: (activityId, image) =>
      NamespaceSandbox.create(makeActivityFolder(base), { activityId, image, nsenter, setpriv }),
  };
  try {
    // Tried out once, since every step may be forbidden by something.
    const probe = await factory.create('probe', {
      tag: 'probe',
      hash: '',
      mounts: [],
      env: {},
      workdir: '/golem/work',
    });
    const child = probe.spawn({
      entryPoint: '/bin/sh',
      args: ['-c', 'test ! -e /home && test -d /golem/work'],
      env: {},
    });
    const [status] = await once(child, 'exit');
    await probe.dispose();
    return status === 0 ? factory : undefined;
  } catch {
    return undefined;
  }
}

interface Setup {
  readonly activityId: string;
  readonly image: Image;
  /** Paths of the two programs that every command starts with; its own environment may not find them. */
  readonly nsenter: string;
  readonly setpriv: string;
}

class NamespaceSandbox implements Sandbox {
  readonly broken: Promise<void>;
  readonly #folder: string;
  readonly #setup: Setup;
  readonly #keeper: ChildProcess;
  readonly #ended: Promise<void>;
  #pid = '';
  #over = false;

  static async create(folder: string, setup: Setup): Promise<Sandbox> {
    const sandbox = new NamespaceSandbox(folder, setup);
    try {
      await sandbox.#setUp();
      return sandbox;
    } catch (error) {
      await sandbox.dispose();
      throw error;
    }
  }

  private constructor(folder: string, setup: Setup) {
    this.#folder = folder;
    this.#setup = setup;
    const inner = `${unshare} -- /bin/sh -c ${quote(namespaceScript(folder, setup.image.mounts))}`;
    // This shell outlives the node when that is killed, and removes what is left.
    const script = `${inner}; rm -rf -- ${quote(folder)}; rmdir -- ${quote(dirname(folder))} 2>/dev/null`;
    this.#keeper = spawn('/bin/sh', ['-c', script], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: systemPath },
    });
    this.#keeper.stdin?.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#over = true;
        resolve();
      };
      this.#keeper.once('exit', end);
      this.#keeper.once('error', end);
    });
    this.broken = this.#ended;
  }

  spawn({ entryPoint, args, env }: SandboxCommand): ChildProcess {
    const { activityId, image, nsenter, setpriv } = this.#setup;
    // The number may belong to another process by now.
    if (this.#over) throw new Error('the sandbox has ended');
    const enter = ['--target', this.#pid, '--user', '--preserve-credentials', '--mount', '--pid', '--root', '--'];
    // No capabilities, so that not even the root of the namespace can undo its mounts.
    const drop = `exec ${setpriv} --bounding-set=-all --no-new-privs -- "$@"`;
    const script = `cd ${quote(image.workdir)} 2>/dev/null || cd /; ${drop}`;
    return spawn(nsenter, [...enter, '/bin/sh', '-c', script, 'sh', entryPoint, ...args], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(image, { ...env, GOLEM_ACTIVITY: activityId }),
    });
  }

  // Both are done by a process inside, where links and `..` lead nowhere else.
  async write(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const child = this.#shell('mkdir -p -- "$(dirname -- "$1")" && exec cat > "$1"', path);
    const failed = collect(child.stderr!);
    const ended = once(child, 'exit');
    child.stdout!.resume();
    const sent = await pipeline(content, child.stdin!).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    );
    const [status] = await ended;
    if (status !== 0 || sent !== undefined) throw new Error((await failed) || sent || `${path} was not written`);
  }

  async read(path: string): Promise<Readable> {
    const check = this.#shell('test -f "$1" && test -r "$1"', path);
    check.stdin!.end();
    const [status] = await once(check, 'exit');
    if (status !== 0) throw new Error(`${path} is no file that can be read`);
    const child = this.#shell('exec cat -- "$1"', path);
    child.stdin!.end();
    child.stderr!.resume();
    return child.stdout!;
  }

  async dispose(): Promise<void> {
    this.#keeper.stdin?.end();
    const timer = setTimeout(() => this.#kill(), endTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #setUp(): Promise<void> {
    const timer = setTimeout(() => this.#kill(), setupTimeoutMs);
    const complaint = collect(this.#keeper.stderr!);
    let text = '';
    for await (const chunk of this.#keeper.stdout!.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.includes('\n')) break;
    }
    clearTimeout(timer);
    const ready = /^ready (\d+)\n/.exec(text);
    if (ready === null) throw new Error(`the sandbox could not be built: ${(await complaint).trim()}`);
    this.#pid = ready[1]!;
  }

  #kill(): void {
    try {
      process.kill(-this.#keeper.pid!, 'SIGKILL');
    } catch {
      // Ended meanwhile.
    }
  }

  #shell(script: string, path: string): ChildProcess {
    return this.spawn({ entryPoint: '/bin/sh', args: ['-c', script, 'sh', path], env: {} });
  }
}

async function collect(stream: Readable): Promise<string> {
  let text = '';
  stream.on('error', () => {});
  for await (const chunk of stream) text = (text + String(chunk)).slice(0, 4096);
  return text;
}

function find(program: string): string | undefined {
  return systemPath
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}
