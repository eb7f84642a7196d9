import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { shippedConfig, writeConfig } from '../mesh-config.js';
import { freePorts, isAlive, startFurrow, type TestProcess, until } from '../process.js';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const names = ['agent-1', 'agent-2', 'agent-3', 'supervisor-1', 'supervisor-2', 'storage'];

/** The part of a user's program that listens on its service's port, as `up` waits for. */
const listen = `
const { createServer } = await import('node:net');
const { readFileSync } = await import('node:fs');
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const { configs } = JSON.parse(readFileSync(option('--service-config'), 'utf8'));
createServer().listen(configs.find(({ name }) => name === option('--service-name')).port, 'localhost');`;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'furrow-up-'));
  folders.push(made);
  return made;
}

/** A configuration with a service for each program, which stands beside it. */
async function mesh(programs: Readonly<Record<string, string>>, { extension = '.mjs' } = {}): Promise<string> {
  const home = folder();
  const ports = await freePorts(Object.keys(programs).length);
  mkdirSync(join(home, 'services'));
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(home, 'services', name + extension), text);
  return writeConfig(
    home,
    Object.keys(programs).map((name, index) => ({ name, host: 'localhost', port: ports[index] ?? 0 })),
  );
}

/** Process ids of running services of an `up`, by name. */
function pidsOf(up: TestProcess, services: readonly string[]): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8', maxBuffer: 1e8 }).split('\n');
  const children = rows.filter((row) => Number(row.trim().split(/\s+/)[1]) === up.pid);
  return services.map((service) => {
    const row = children.find((child) => `${child} `.includes(`--service-name ${service} `));
    if (row === undefined) throw new Error(`${service} does not run`);
    return Number.parseInt(row, 10);
  });
}

/** The services that `up` has stopped, in order. */
function stopped(up: TestProcess): string[] {
  return up.lines.flatMap((line) => /^furrow +\| (\S+) stopped \(exit code 0\)$/.exec(line)?.[1] ?? []);
}

describe('furrow up with the shipped mesh', () => {
  it('runs six services, prefixed and aligned, restarts one that is killed, and stops in reverse order', async () => {
    await using up = startFurrow(['up', '-c', await shippedConfig(folder())]);
    await up.line(/^agent-1 {6}\| Published sample 0\.\d+ from task \d$/);
    await up.line(/^agent-2 {6}\| INFO:agent-2:Remainder: \d+$/);
    await up.line(/^agent-3 {6}\| Published sample/);
    await up.line(/^supervisor-1 \| INFO:supervisor-1:Residual: value: \d+$/);
    await up.line(/^supervisor-2 \| INFO:supervisor-2:Residual: value: \d+$/);
    await up.line(/^storage {6}\| INFO:storage:Storage: \d+\/500 \(\d+ remaining\)$/);
    const ready = await up.line(/^furrow {7}\| ready in [\d.]+ s: (.*)$/);
    expect(ready[1]?.split(', ').map((place) => place.split(' ')[0])).toEqual(names);

    const [storage = 0] = pidsOf(up, ['storage']);
    const from = up.lines.length;
    process.kill(storage, 'SIGKILL');
    await up.line(/^furrow +\| storage ended with SIGKILL; it is started again in \d+ ms$/, { from });
    await up.line(/^storage +\| INFO:storage:Storage: 1\/500/, { from });

    up.signal('SIGINT');
    expect(await up.ended()).toEqual({ code: 0, signal: null });
    expect(stopped(up)).toEqual(names.toReversed());
  });

  it('leaves no service behind when it is killed itself', async () => {
    const some = ['agent-1', 'supervisor-1', 'storage'];
    await using up = startFurrow(['up', '-c', await shippedConfig(folder()), ...some]);
    await up.line(/ready in/);
    const pids = pidsOf(up, some);
    expect(pids.filter(isAlive)).toHaveLength(3);
    up.signal('SIGKILL');
    await until('the end of all services', () => !pids.some(isAlive));
  });

  it('starts those that are named, less those that are left out', async () => {
    const file = await shippedConfig(folder());
    await using up = startFurrow(['up', '-c', file, 'storage', 'agent-1', 'agent-3', '--without', 'agent-3']);
    expect((await up.line(/ready in [\d.]+ s: (.*)/))[1]).toMatch(/^agent-1 localhost:\d+, storage localhost:\d+$/);
    up.signal('SIGTERM');
    expect((await up.ended()).code).toBe(0);
    expect(stopped(up)).toEqual(['storage', 'agent-1']);
  });

  it('prints nothing but JSON lines with --json', async () => {
    const some = ['agent-1', 'supervisor-1', 'storage'];
    await using up = startFurrow(['up', '-c', await shippedConfig(folder()), '--json', ...some]);
    await up.line(/"event":"ready"/);
    await up.line(/Residual: value/);
    up.signal('SIGINT');
    expect((await up.ended()).code).toBe(0);
    const lines = up.lines.map((line) => JSON.parse(line) as { name: string; event?: string; services?: object[] });
    expect(new Set(lines.map(({ name }) => name))).toEqual(new Set([...some, 'furrow']));
    expect(lines.find(({ event }) => event === 'ready')?.services).toHaveLength(3);
  });
});

describe('furrow up with programs of a user', () => {
  it('stops with a second Ctrl-C what does not heed the first', async () => {
    const program = `process.on('SIGTERM', () => console.log('no')); ${listen}`;
    await using up = startFurrow(['up', '-c', await mesh({ deaf: program }), '--drain-ms', '60000']);
    await up.line(/ready in/);
    const [pid = 0] = pidsOf(up, ['deaf']);
    up.signal('SIGINT');
    await up.line(/^deaf +\| no$/);
    // The second one counts only some time after the first.
    await until('the end of the program', () => {
      if (!isAlive(pid)) return true;
      up.signal('SIGINT');
      return false;
    });
    expect((await up.ended()).code).toBe(130);
  });

  it('kills what does not stop within the limit, and whatever that has started', async () => {
    const program = `
      import { spawn } from 'node:child_process';
      process.on('SIGTERM', () => {});
      const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)']);
      console.log('grandchild', child.pid);
      ${listen}`;
    await using up = startFurrow(['up', '-c', await mesh({ deaf: program }), '--drain-ms', '1']);
    const grandchild = Number((await up.line(/grandchild (\d+)/))[1]);
    await up.line(/ready in/);
    up.signal('SIGTERM');
    expect((await up.ended()).code).toBe(0);
    await up.line(/deaf did not stop within 1\.001 s and is killed/);
    await until('the end of the grandchild', () => !isAlive(grandchild));
  });

  it('starts a program that crashes again and again, and gives up on one whose options are wrong', async () => {
    const crash = `console.error('Oh'); process.exit(7);`;
    const wrong = `console.error('rate=abc is not a number'); process.exit(2);`;
    await using up = startFurrow(['up', '-c', await mesh({ crash, wrong })]);
    await up.line(/^furrow \| wrong ended with exit code 2; its configuration.* not started again: rate=abc is not a/);
    await until(
      'three crashes',
      () => up.lines.filter((line) => line.includes('crash ended with exit code 7')).length > 2,
    );
    up.signal('SIGINT');
    expect((await up.ended()).code).toBe(2);
    expect(up.lines.filter((line) => line.includes('rate=abc is not a number')).length).toBeLessThanOrEqual(2);
  });

  it('ends when all programs have ended by themselves', async () => {
    await using up = startFurrow(['up', '-c', await mesh({ short: `process.stdout.write('no line end')` })]);
    expect((await up.ended()).code).toBe(0);
    expect(up.lines).toContain('short  | no line end');
    expect(up.lines).toContain('furrow | short has ended by itself');
  });

  it('prints a line of megabytes in pieces, losing nothing', async () => {
    const program = `process.stdout.write('x'.repeat(3_000_000) + 'ü'.repeat(50_000) + '\\nnext\\n')`;
    await using up = startFurrow(['up', '-c', await mesh({ long: program })]);
    expect((await up.ended()).code).toBe(0);
    const pieces = up.lines.filter((line) => /^long +\| [xü]/.test(line)).map((line) => line.replace(/^long +\| /, ''));
    expect(pieces.join('')).toBe('x'.repeat(3_000_000) + 'ü'.repeat(50_000));
    expect(up.lines).toContain('long   | next');
  });

  it('waits for a slow reader instead of gathering what it has not read', async () => {
    const marker = join(folder(), 'stalled');
    const program = `
      import { writeFileSync } from 'node:fs';
      let written = 0;
      const write = () => {
        while (written < 20_000_000) {
          written += 10_000;
          if (process.stdout.write('y'.repeat(9_999) + '\\n')) continue;
          const stalled = setTimeout(() => writeFileSync(${JSON.stringify(marker)}, String(written)), 300);
          process.stdout.once('drain', () => { clearTimeout(stalled); write(); });
          return;
        }
        console.log('all', written);
      };
      write();`;
    await using up = startFurrow(['up', '-c', await mesh({ much: program })]);
    up.readOutput(false);
    await until('a program that waits for its reader', () => existsSync(marker));
    expect(Number(readFileSync(marker, 'utf8'))).toBeLessThan(5_000_000);
    up.readOutput(true);
    await up.line(/all 20000000/);
    expect((await up.ended()).code).toBe(0);
  });

  it('stops cleanly when nobody reads its output any more', async () => {
    const program = `setInterval(() => console.log('tick'), 5); ${listen}`;
    await using up = startFurrow(['up', '-c', await mesh({ tick: program })]);
    await up.line(/ready in/);
    const [pid = 0] = pidsOf(up, ['tick']);
    up.closeOutput();
    expect(await up.ended()).toEqual({ code: 0, signal: null });
    expect(isAlive(pid)).toBe(false);
  });

  it('runs Python programs, which end with it, too', async () => {
    const program = `
import sys, time
print("python", sys.argv[1:], __name__, flush=True)
while True:
    time.sleep(60)
`;
    const file = await mesh({ snake: program }, { extension: '.py' });
    await using up = startFurrow(['up', '-c', file]);
    await up.line(/^snake +\| python \['--service-config', '.*', '--service-name', 'snake'\] __main__$/);
    const [pid = 0] = pidsOf(up, ['snake']);
    up.signal('SIGKILL');
    await until('the end of the Python program', () => !isAlive(pid));
  });
});

describe('furrow up before it starts anything', () => {
  it('names the process that holds a port', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    try {
      const file = writeConfig(folder(), [{ name: 'agent-1', host: '127.0.0.1', port }]);
      await using up = startFurrow(['up', '-c', file]);
      expect((await up.ended()).code).toBe(4);
      const holding = process.platform === 'linux' ? ` by process ${process.pid} \\(.*\\)` : '';
      expect(up.lines.join('\n')).toMatch(
        new RegExp(`^furrow up: port ${port} of "agent-1" \\(127\\.0\\.0\\.1\\) is in use${holding}$`),
      );
    } finally {
      holder.close();
    }
  });

  it('refuses two services on one port, unless one of them is left out', async () => {
    const [port = 0] = await freePorts(1);
    const home = folder();
    const file = writeConfig(home, [
      { name: 'one', host: 'localhost', port },
      { name: 'two', host: '127.0.0.1', port },
    ]);
    mkdirSync(join(home, 'services'));
    for (const name of ['one', 'two']) writeFileSync(join(home, 'services', `${name}.mjs`), '');
    const args = ['up', '-c', file];
    await using up = startFurrow(args);
    expect((await up.ended()).code).toBe(2);
    expect(up.lines.join('\n')).toContain(`"one", "two" share 127.0.0.1:${port}`);
    expect(up.lines.join('\n')).toContain('--without two');
    await using one = startFurrow([...args, '--without', 'two']);
    expect((await one.ended()).code).toBe(0);
  });

  it.each([
    [
      'a program that does not exist',
      [{ name: 'nobody-1', port: 1 }],
      /looked for .*services\/nobody\.js, .*nobody\.py/,
    ],
    ['a wrong path', [{ name: 'x', port: 1, args: ['program=there/x.js'] }], /"x" has no program: .*there\/x\.js/],
    ['faults of the file', [{ name: 'x', port: 99_999 }], /configs\[0\]\.port/],
    ['a mesh without servers', [{ name: 'x' }], /no service with a port/],
  ])('exits with 2 for %s', async (_, entries, message) => {
    const file = writeConfig(folder(), entries);
    await using up = startFurrow(['up', '-c', file]);
    expect((await up.ended()).code).toBe(2);
    expect(up.lines.join(' ')).toMatch(message);
  });

  it('suggests a name for one that is not there', async () => {
    await using up = startFurrow(['up', '--without', 'agnet-1']);
    expect((await up.ended()).code).toBe(2);
    expect(up.lines.join('\n')).toContain('did you mean "agent-1"?');
  });
});

describe('furrow run', () => {
  it('runs a service in the process itself', async () => {
    const file = await shippedConfig(folder());
    await using run = startFurrow(['run', 'agent-1', '-c', file]);
    await run.line(/^Published sample/);
    run.signal('SIGINT');
    expect((await run.ended()).code).toBe(0);
  });

  it('passes signals on to a Python program, and exits as it does', async () => {
    const program = `
import signal, sys, time
def stop(number, frame):
    print("signal", number, flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
print("started", flush=True)
while True:
    time.sleep(60)
`;
    await using run = startFurrow(['run', 'snake', '-c', await mesh({ snake: program }, { extension: '.py' })]);
    await run.line(/started/);
    run.signal('SIGTERM');
    await run.line(/signal 15/);
    expect((await run.ended()).code).toBe(5);
  });

  it('exits with 2 for an unknown service', async () => {
    await using run = startFurrow(['run', 'agnet-1']);
    expect((await run.ended()).code).toBe(2);
    expect(run.lines.join('\n')).toContain('did you mean "agent-1"?');
  });
});
