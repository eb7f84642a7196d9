import type { ChildProcess } from 'node:child_process';
import type { Sandbox, SandboxCommand } from './sandbox.js';

export interface CommandLimits {
  /** Longest run of a command. */
  readonly runTimeoutMs: number;
  /** Most bytes that a command may print, on both streams together. */
  readonly maxOutputBytes: number;
}

export interface CommandOutcome {
  /** 0 when it went well, as of a process. */
  readonly code: number;
  /** Why it did not. */
  readonly message?: string;
}

/** How long the pipes of a process that ended must be quiet, while others hold them open, to count as read. */
const quietMs = 100;

/**
 * Runs one command. Its process group is killed when it prints too much, runs too long, or `signal` fires. Processes
 * that it leaves behind live on with the activity.
 */
export async function runCommand(
  sandbox: Sandbox,
  command: SandboxCommand,
  options: CommandLimits & {
    readonly signal: AbortSignal;
    readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
  },
): Promise<CommandOutcome> {
  const { signal, maxOutputBytes, runTimeoutMs, onOutput } = options;
  const child = sandbox.spawn(command);
  let killed: string | undefined;
  let printed = 0;
  const kill = (reason: string) => {
    killed ??= reason;
    killGroup(child);
  };
  const abort = () => kill('the activity ended');
  const timer = setTimeout(() => kill(`it ran for longer than ${runTimeoutMs / 1000} s`), runTimeoutMs);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  child.stdin!.on('error', () => {});
  child.stdin!.end();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]!.on('data', (bytes: Buffer) => {
      const room = Math.max(0, maxOutputBytes - printed);
      printed += bytes.length;
      if (room > 0) onOutput(stream, bytes.subarray(0, room));
      if (printed > maxOutputBytes) kill(`it printed more than ${maxOutputBytes} bytes`);
    });
  }
  try {
    return await outcomeOf(
      child,
      () => killed,
      () => printed,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    child.stdout!.destroy();
    child.stderr!.destroy();
  }
}

function outcomeOf(
  child: ChildProcess,
  killed: () => string | undefined,
  printed: () => number,
): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 127, message: error.message }));
    child.once('exit', (code, by) => {
      const reason = killed();
      const finish = () => {
        if (reason !== undefined) resolve({ code: 137, message: `the command was killed: ${reason}` });
        else if (by !== null) resolve({ code: 128, message: `the command was ended by ${by}` });
        else if (code !== 0) resolve({ code: code!, message: `the command exited with status ${code}` });
        else resolve({ code: 0 });
      };
      child.once('close', finish);
      const finishWhenQuiet = (before: number) => {
        // After the timer, input that waits is read before the immediate: a busy node loses nothing.
        setTimeout(() => {
          setImmediate(() => (printed() === before ? finish() : finishWhenQuiet(printed())));
        }, quietMs);
      };
      finishWhenQuiet(printed());
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
