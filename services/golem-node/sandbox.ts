import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Image } from './images.js';

/** A command as a batch gives it. */
export interface SandboxCommand {
  readonly entryPoint: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What an activity runs in: a folder of its own that is gone, with every process in it, after {@link dispose}. */
export interface Sandbox {
  /** Starts the command as the leader of a process group of its own, with pipes for its input and output. */
  spawn(command: SandboxCommand): ChildProcess;
  /** Writes a file, and the folders above it. `path` is absolute, as a command inside would name it. */
  write(path: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Reads a file. Throws when there is none. */
  read(path: string): Promise<Readable>;
  /** Resolves when the sandbox ended by itself, because something inside killed it. */
  readonly broken: Promise<void>;
  dispose(): Promise<void>;
}

export interface SandboxFactory {
  /** `namespaces` keeps commands inside the folder; `paths` confines transfers and entry points only. */
  readonly kind: 'namespaces' | 'paths';
  /** What the user should know about it. */
  readonly notice: string;
  create(activityId: string, image: Image): Promise<Sandbox>;
}

/** Folders that every activity finds under /golem. */
export const golemFolders = ['in', 'out', 'run', 'work'] as const;

export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A clean environment: nothing of the node's own, which may hold keys. */
export function environment(image: Image, extra: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: systemPath, HOME: '/golem/work', LANG: 'C.UTF-8', ...image.env, ...extra };
}
