import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, it } from 'vitest';
import { PeerProcess } from './peer-process.js';

const folder = fileURLToPath(new URL('./python/', import.meta.url));
const needed = 'needs a Python with grpcio and protobuf (apt-get install python3-grpcio python3-protobuf)';

type Program = 'agent' | 'supervisor' | 'storage';

type Probe =
  | 'subscribe'
  | 'request'
  | 'list-uris'
  | 'publish'
  | 'echo-service'
  | 'check-config'
  | 'encode-vectors'
  | 'decode-vectors'
  | 'compare-protos';

/**
 * Options of a probe by their camel-case names: `everyN: 2` is `--every-n 2`, `latch: true` is `--latch`. `json` and
 * `reply` are values (an array of `json` is several messages), everything else is text or a number; an array is an
 * option given several times.
 */
type ProbeOptions = Readonly<Record<string, unknown>>;

/** Starts Python peers and stops every one of them. */
export interface PythonPeer {
  /** Path of the Python in use. */
  readonly python: string;
  /** Runs `probe.py`; `probe.py --help` lists commands and options. `file` is the positional argument, where one is. */
  probe(command: Probe, options?: ProbeOptions, file?: string): PeerProcess;
  /** Runs a service-propagation program as one entry of a configuration file. */
  program(program: Program, configFile: string, serviceName: string): PeerProcess;
  /** Runs a program of this folder, which `stopAll` leaves alone. */
  start(file: string): PeerProcess;
  /** Stops all that still runs. */
  stopAll(): Promise<void>;
}

// Undefined where no Python has grpcio and protobuf. FURROW_PYTHON names one, and then only that one counts.
const pythonPeer: PythonPeer | undefined = createPythonPeer();

/**
 * A describe block whose tests use Python. Without one its tests are skipped, which each file says aloud once,
 * or fail where CI is set. Peers that a test started are stopped after it.
 */
export function describeWithPython(title: string, tests: (peer: PythonPeer) => void): void {
  if (pythonPeer) {
    const peer = pythonPeer;
    describe(title, () => {
      afterEach(() => peer.stopAll());
      tests(peer);
    });
    return;
  }
  if (process.env.CI) {
    describe(title, () => {
      it(needed, () => {
        throw new Error(`${title}: ${needed}; in CI this is a failure`);
      });
    });
    return;
  }
  describe.skip(title, () => {
    it(needed, () => {});
  });
}

/**
 * Starts a program of `python/` for several tests; the caller stops it. Undefined where no Python can run it; an error
 * there where CI is set.
 */
export function startPython(file: string): PeerProcess | undefined {
  if (pythonPeer !== undefined) return pythonPeer.start(file);
  if (process.env.CI) throw new Error(`${file}: ${needed}; in CI this is a failure`);
  return undefined;
}

function createPythonPeer(): PythonPeer | undefined {
  const python = findPython();
  if (python === undefined) {
    if (!process.env.CI) process.stderr.write(`\nSKIPPED: a file of interoperability tests ${needed}\n\n`);
    return undefined;
  }
  const running = new Set<PeerProcess>();
  const lasting = new Set<PeerProcess>();
  // An aborted run stops nothing by itself.
  process.once('exit', () => {
    for (const child of [...running, ...lasting]) child.kill();
  });
  const start = (file: string, args: readonly string[] = [], set = running) => {
    const child = new PeerProcess(python, [`${folder}${file}`, ...args], pythonEnvironment());
    set.add(child);
    child.exit.catch(() => undefined).finally(() => set.delete(child));
    return child;
  };
  return {
    python,
    probe: (command, options = {}, file) =>
      start('probe.py', [command, ...(file === undefined ? [] : [file]), ...flags(options)]),
    program: (program, configFile, serviceName) =>
      start(`${program}.py`, ['--service-config', configFile, '--service-name', serviceName]),
    start: (file) => start(file, [], lasting),
    stopAll: async () => {
      await Promise.all([...running].map((child) => child.stop()));
    },
  };
}

function findPython(): string | undefined {
  const named = process.env.FURROW_PYTHON;
  const candidates = named ? [named] : ['python3', '/usr/bin/python3'];
  return candidates.find((candidate) => {
    const { status } = spawnSync(candidate, ['-c', 'import grpc.aio, google.protobuf'], { timeout: 20_000 });
    return status === 0;
  });
}

function pythonEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONIOENCODING: 'utf-8',
    // gRPC's Python would send even local calls through a proxy.
    no_grpc_proxy: 'localhost,127.0.0.1',
  };
}

function flags(options: ProbeOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === undefined || value === false) return [];
    if (value === true) return [flag];
    const text = (one: unknown) => (name === 'json' || name === 'reply' ? JSON.stringify(one) : String(one));
    // One word each, so that a value may begin with a dash.
    return (Array.isArray(value) ? value : [value]).map((one) => `${flag}=${text(one)}`);
  });
}
