import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Workload } from './workload.js';

/** What `nats-server --version` says; undefined where it is not installed. */
export function brokerVersion(): string | undefined {
  try {
    return execFileSync('nats-server', ['--version'], { encoding: 'utf8' }).replace('nats-server:', '').trim();
  } catch {
    return undefined;
  }
}

/** A nats-server of its own for one run. */
export class Broker {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly kill = (): void => {
    this.child.kill('SIGKILL');
  };

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.child = child;
    // Unlike the ends, it would outlive a bench that fails.
    process.once('exit', this.kill);
  }

  static async start(tls: Workload['tls']): Promise<Broker> {
    const port = await freePort();
    const secure = tls === undefined ? [] : ['--tls', '--tlscert', tls.cert, '--tlskey', tls.key];
    const child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), ...secure], { stdio: 'ignore' });
    const failed = once(child, 'exit').then(() => {
      throw new Error('nats-server ended at once');
    });
    failed.catch(() => undefined);
    const listening = async (): Promise<void> => {
      while (!(await accepts(port))) await delay(10);
    };
    await Promise.race([listening(), failed]);
    return new Broker(port, child);
  }

  /** CPU seconds it has used. */
  get cpuSeconds(): number {
    // Behind the name in parentheses, which may hold spaces; Linux counts in hundredths of a second.
    const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  get rssBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  }

  async close(): Promise<void> {
    process.off('exit', this.kill);
    if (this.child.exitCode !== null) return;
    const exit = once(this.child, 'exit');
    this.kill();
    await exit;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
