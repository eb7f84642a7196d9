import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { testProgram } from '../process.js';

function run(...args: string[]): { child: ChildProcess; line(): Promise<string> } {
  const child = spawn(process.execPath, ['--expose-gc', testProgram('mesh/stalled-subscriber'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout! });
  return { child, line: async () => (await once(lines, 'line'))[0] };
}

test.each(['drop-oldest', 'drop-newest', 'latest'])(
  'a stalled subscriber with %s costs its service less than 8 MB for 200,000 events of 1 KB',
  async (overflow) => {
    const publisher = run('publish');
    const subscriber = run('subscribe', await publisher.line(), overflow);
    const measured = publisher.line();
    expect(await subscriber.line()).toBe('stalled');
    const { growthBytes, dropped } = JSON.parse(await measured);
    expect(growthBytes).toBeLessThan(8 * 1024 * 1024);
    expect(dropped).toBeGreaterThan(150_000);
  },
  60_000,
);
