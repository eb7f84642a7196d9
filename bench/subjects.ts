import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { brokerVersion } from './broker.js';
import { type Launch, nodeEnd, type Role } from './end-process.js';

/** What is measured, in the order of the interleaved runs. */
export const subjects = ['furrow', 'furrow-public-way', 'grpc-js', 'nats', 'node-net', 'farm-ng'] as const;
export type Subject = (typeof subjects)[number];

export interface SubjectOptions {
  /** A Python that has farm-ng-core installed. */
  readonly farmNgPython?: string | undefined;
}

/** Why a subject cannot run here; undefined when it can. */
export function unavailable(subject: Subject, options: SubjectOptions): string | undefined {
  switch (subject) {
    case 'nats':
      return brokerVersion() === undefined
        ? 'nats-server is not installed (Debian: apt install nats-server)'
        : undefined;
    case 'farm-ng':
      if (options.farmNgPython === undefined) return 'give --farm-ng PYTHON, a Python with farm-ng-core installed';
      return farmNgVersion(options.farmNgPython) === undefined
        ? `${options.farmNgPython} cannot import farm_ng.core`
        : undefined;
    default:
      return undefined;
  }
}

/** Version of the installed farm-ng-core; undefined where there is none. */
export function farmNgVersion(python: string): string | undefined {
  const program = 'import importlib.metadata as m, farm_ng.core; print(m.version("farm-ng-core"))';
  try {
    return execFileSync(python, ['-c', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

export function launchOf(subject: Subject, role: Role, { farmNgPython }: SubjectOptions): Launch {
  if (subject !== 'farm-ng') return nodeEnd(subject, role);
  // Compiled code stands beside bench/, and Python is not compiled.
  const script = fileURLToPath(new URL('../bench/ends/farm-ng.py', import.meta.url));
  return { file: farmNgPython ?? 'python3', args: [script, role] };
}
