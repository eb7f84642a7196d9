import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { testProgram } from '../process.js';

/** A running service-process.ts. */
export interface KillableService {
  readonly port: number;
  /** Gives the sequence. */
  publish(path: string, value: number): Promise<number>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Starts one, on a free port by default; it is killed when the test ends, at the latest. */
export async function startProcess(port = 0): Promise<KillableService> {
  const child = spawn(process.execPath, [testProgram('mesh/service-process'), String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<number> => Number((await lines.next()).value);
  return {
    port: await line(),
    publish: (path, value) => {
      child.stdin.write(`${JSON.stringify({ path, value })}\n`);
      return line();
    },
    kill: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
