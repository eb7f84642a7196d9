import { type ChildProcess, spawn } from 'node:child_process';
import { constants, existsSync, lstatSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { makeActivityFolder } from './activity-folder.js';
import type { Image } from './images.js';
import { environment, type Sandbox, type SandboxCommand, type SandboxFactory } from './sandbox.js';
import { quote } from './shell.js';

const programFolders = ['/bin', '/usr/bin', '/usr/local/bin', '/sbin', '/usr/sbin'];
const endTimeoutMs = 5000;

/** Sandboxes for where there are no namespaces: only what the node itself does is confined to the folder. */
export function pathsSandboxes(base: string): SandboxFactory {
  return {
    kind: 'paths',
    notice:
      'Commands run with the rights of the user who started the node and are NOT confined: they can read and write ' +
      'whatever that user can. Only file transfers and entry points are kept inside the folder of the activity, and ' +
      'absolute paths such as /golem/work inside a command do not lead there. Linux user namespaces would do better.',
    create: async (activityId, image) => new PathsSandbox(makeActivityFolder(base), activityId, image),
  };
}

class PathsSandbox implements Sandbox {
  readonly broken = new Promise<void>(() => {});
  readonly #folder: string;
  readonly #activityId: string;
  readonly #image: Image;
  readonly #keeper: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(folder: string, activityId: string, image: Image) {
    this.#folder = folder;
    this.#activityId = activityId;
    this.#image = image;
    for (const { from, to } of image.mounts) {
      const target = join(folder, to);
      rmSync(target, { recursive: true, force: true });
      mkdirSync(dirname(target), { recursive: true });
      symlinkSync(from, target);
    }
    // This shell outlives the node when that is killed, ends what runs, and removes what is left.
    this.#keeper = spawn('/bin/sh', ['-c', keeperScript(folder, activityId)], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#keeper.stdin!.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      this.#keeper.once('exit', () => resolve());
      this.#keeper.once('error', () => resolve());
    });
  }

  spawn({ entryPoint, args, env }: SandboxCommand): ChildProcess {
    const workdir = join(this.#folder, normalize(this.#image.workdir));
    const child = spawn(this.#program(entryPoint), [...args], {
      detached: true,
      cwd: existsSync(workdir) ? workdir : this.#folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(this.#image, {
        HOME: join(this.#folder, 'golem', 'work'),
        TMPDIR: join(this.#folder, 'tmp'),
        ...env,
        GOLEM_ACTIVITY: this.#activityId,
      }),
    });
    this.#keeper.stdin!.write(`+ ${child.pid}\n`);
    child.once('exit', () => this.#keeper.stdin!.write(`- ${child.pid}\n`));
    return child;
  }

  async write(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const target = this.#inside(path);
    mkdirSync(dirname(target), { recursive: true });
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await open(target, flags, 0o644);
    try {
      for await (const chunk of content) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
  }

  async read(path: string): Promise<Readable> {
    const file = await open(this.#inside(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) {
      await file.close();
      throw new Error(`${path} is no file that can be read`);
    }
    return file.createReadStream();
  }

  async dispose(): Promise<void> {
    this.#keeper.stdin!.end();
    const timer = setTimeout(() => this.#keeper.kill('SIGKILL'), endTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A program of the activity's own folder or of the image, else one of this machine's usual program folders. */
  #program(entryPoint: string): string {
    const own = this.#inside(entryPoint, 'programs');
    if (existsSync(own)) return own;
    const system = normalize(entryPoint);
    if (!system.includes(sep) || programFolders.includes(dirname(system))) return system;
    throw new Error(`${entryPoint} is neither in the folder of the activity nor among the system's programs`);
  }

  /** The path on this machine. Throws when it leads out of the folder, by `..` or by a link. */
  #inside(path: string, images: 'files' | 'programs' = 'files'): string {
    // What a command printed may hold the folder's own path, since nothing hides it.
    const relative =
      path === this.#folder || path.startsWith(this.#folder + sep) ? path.slice(this.#folder.length) : path;
    const target = join(this.#folder, normalize(join('/', relative)));
    let existing = target;
    while (!present(existing)) existing = dirname(existing);
    const real = realpathSync(existing);
    const allowed = [this.#folder, ...(images === 'programs' ? this.#image.mounts.map(({ from }) => from) : [])];
    if (allowed.some((folder) => real === folder || real.startsWith(folder + sep))) return target;
    throw new Error(`${path} leads out of the folder of the activity`);
  }
}

/** True for a link that points nowhere, too. */
function present(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Reads which process groups run. At the end of its input it kills those, and what carries the activity's mark. */
function keeperScript(folder: string, activityId: string): string {
  return `
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -9 -- "-$group" 2>/dev/null; done
# Again until nobody is left: a process may have started another one in between, and dying takes a moment.
for try in 1 2 3 4 5 6 7 8 9; do
  found=$(grep -lsz ${quote(`^GOLEM_ACTIVITY=${activityId}$`)} /proc/[0-9]*/environ)
  [ -n "$found" ] || break
  for entry in $found; do
    entry=\${entry#/proc/}
    kill -9 "\${entry%/environ}" 2>/dev/null
  done
done
rm -rf -- ${quote(folder)}
rmdir -- ${quote(dirname(folder))} 2>/dev/null`;
}
