import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { test as base, describe, expect } from 'vitest';
import { Programs } from './programs.js';

const namespacesWork = spawnSync('unshare', ['-Urm', 'true']).status === 0;

/** Each test has a folder of its own, so that they can run side by side: most of each is the start of processes. */
const it = base.extend<{ programs: Programs }>({
  // biome-ignore lint/correctness/noEmptyPattern: the names that a fixture takes apart are the fixtures it needs.
  programs: async ({}, use) => {
    await using programs = new Programs();
    await use(programs);
  },
});

const isPng = (bytes: Buffer) => bytes.subarray(0, 8).toString('latin1') === '\x89PNG\r\n\x1a\n';

describe.concurrent('simple_service', { timeout: 120_000 }, () => {
  it('keeps what is added, 0 and negative numbers included, oldest first', async ({ programs }) => {
    await programs.service('--init');
    for (const value of ['3.5', '0', '-2', '1e2']) {
      expect(await programs.service('--add', value)).toEqual({ status: 0, stdout: '', stderr: '' });
    }
    const rows = await programs.rows();
    expect(rows.map(({ val }) => val)).toEqual([3.5, 0, -2, 100]);
    for (const { time_added } of rows) expect(time_added).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(JSON.parse((await programs.service('--dump', '--since', '3')).stdout)).toEqual([rows[3]]);
  });

  it('says no to what is not a finite number, and keeps nothing of it', async ({ programs }) => {
    await programs.service('--init');
    for (const value of ['nan', 'inf', '-Infinity', 'text', '', '0x10', '1e999']) {
      const { status, stderr } = await programs.service('--add', value);
      expect(status).toBe(2);
      expect(stderr).toContain('finite number');
    }
    expect(await programs.rows()).toEqual([]);
  });

  it('answers without observations', async ({ programs }) => {
    await programs.service('--init');
    expect(JSON.parse((await programs.service('--stats')).stdout)).toEqual({
      min: null,
      max: null,
      median: null,
      mean: null,
      variance: null,
      'std dev': null,
      size: 0,
    });
    expect((await programs.service('--plot', 'dist')).stdout).toBe('""\n');
    expect((await programs.service('--dump')).stdout).toBe('[]\n');
  });

  it('keeps the data when it is initialised twice', async ({ programs }) => {
    await programs.service('--init');
    await programs.service('--add', '7');
    const second = await programs.service('--init');
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('initialised already');
    expect((await programs.rows()).length).toBe(1);
  });

  it('takes exactly one command', async ({ programs }) => {
    for (const args of [[], ['--stats', '--dump'], ['--plot', 'pie'], ['--stats', '--since', '1'], ['--frobnicate']]) {
      const { status, stdout, stderr } = await programs.service(...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).not.toBe('');
    }
    expect((await programs.service('-h')).status).toBe(0);
  });

  it('draws 640 by 480 pixels and prints the path', async ({ programs }) => {
    await programs.service('--init');
    fill(programs.database, 500);
    for (const kind of ['time', 'dist']) {
      const path = JSON.parse((await programs.service('--plot', kind)).stdout) as string;
      const bytes = readFileSync(path);
      expect(isPng(bytes)).toBe(true);
      expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([640, 480]);
    }
  });

  it('copes with 100,000 observations', async ({ programs }) => {
    await programs.service('--init');
    fill(programs.database, 100_000);
    expect(JSON.parse((await programs.service('--stats')).stdout).size).toBe(100_000);
    for (const kind of ['time', 'dist']) {
      const path = JSON.parse((await programs.service('--plot', kind)).stdout) as string;
      expect(isPng(readFileSync(path))).toBe(true);
    }
    expect(JSON.parse((await programs.service('--dump', '--since', '99998')).stdout).length).toBe(2);
  });

  it('names a missing database and what to do', async ({ programs }) => {
    const { status, stderr } = await programs.service('--stats');
    expect(status).toBe(1);
    expect(stderr).toContain(`${programs.database} does not exist; run simple_service --init`);
  });

  it('names a file that is no database, and leaves it as it is', async ({ programs }) => {
    mkdirSync(dirname(programs.database), { recursive: true });
    const text = 'A shopping list.\n'.repeat(100);
    writeFileSync(programs.database, text);
    for (const args of [['--init'], ['--add', '1'], ['--stats'], ['--dump'], ['--plot', 'time']]) {
      const { status, stderr } = await programs.service(...args);
      expect(status).toBe(1);
      expect(stderr).toContain(`${programs.database} is not a SQLite database`);
    }
    expect(readFileSync(programs.database, 'utf8')).toBe(text);
  });

  it('tells a foreign database from its own', async ({ programs }) => {
    mkdirSync(dirname(programs.database), { recursive: true });
    const other = new Database(programs.database);
    other.exec('CREATE TABLE other (x)');
    other.close();
    expect((await programs.service('--add', '1')).stderr).toContain('no table of observations');
  });

  it('stores all of many additions at once', async ({ programs }) => {
    await programs.service('--init');
    const values = Array.from({ length: 12 }, (_, index) => index);
    const outcomes = await Promise.all(values.map((value) => programs.service('--add', String(value))));
    expect(outcomes.every(({ status }) => status === 0)).toBe(true);
    expect((await programs.rows()).map(({ val }) => val).sort((a, b) => a - b)).toEqual(values);
  });

  it('loses nothing that was accepted when additions are killed', async ({ programs }) => {
    await programs.service('--init');
    const accepted: number[] = [];
    for (let value = 0; value < 6; value += 1) {
      const victim = programs.spawn('simple_service', '--add', String(1000 + value));
      const ended = once(victim, 'exit');
      // Killed as soon as another addition came through, wherever the victim is by then.
      if ((await programs.service('--add', String(value))).status === 0) accepted.push(value);
      try {
        process.kill(-victim.pid!, 'SIGKILL');
      } catch {
        // It was faster.
      }
      await ended;
    }
    const kept = (await programs.rows()).map(({ val }) => val);
    expect(kept.filter((val) => val < 1000)).toEqual(accepted);
    expect(accepted.length).toBe(6);
    expect((await programs.service('--add', '77')).status).toBe(0);
  });

  it('says that the disk is full, and keeps what was there', async ({ programs }) => {
    await programs.service('--init');
    fill(programs.database, 50);
    const before = await programs.rows();
    const { stdout, stderr } = await programs.shell('ulimit -f 1; "$SERVICE" --add 5; echo "status $?"');
    expect(stdout).toBe('status 1\n');
    expect(stderr).toMatch(/disk (is full|refused).*nothing was stored/);
    expect(await programs.rows()).toEqual(before);
    expect((await programs.service('--add', '5')).status).toBe(0);
  });

  it.runIf(namespacesWork)('says so on a file system without room, too', async ({ programs }) => {
    const { stdout, stderr } = await programs.shell(`unshare -Urm sh -c '
      mkdir -p "$GOLEM_ROOT/out" && mount -t tmpfs -o size=64k tmpfs "$GOLEM_ROOT/out" || exit 9
      "$SERVICE" --init || exit 8
      dd if=/dev/zero of="$GOLEM_ROOT/out/ballast" bs=4k 2>/dev/null
      "$SERVICE" --add 5; echo "status $?"
      rm "$GOLEM_ROOT/out/ballast"
      "$SERVICE" --add 6 && "$SERVICE" --stats'`);
    expect(stderr).toContain('the disk is full; nothing was stored');
    expect(stdout).toContain('status 1\n');
    expect(stdout).toContain('"mean":6');
  });
});

describe.concurrent('the daemon', { timeout: 120_000 }, () => {
  it('adds observations of its own until it is stopped', async ({ programs }) => {
    await programs.service('--init');
    expect(await programs.ctl('--start', '--rate-hz', '200', '--mean', '1000', '--deviation', '1')).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    let rows = await programs.rows();
    while (rows.length < 20) rows = await programs.rows();
    for (const { val } of rows) expect(Math.abs(val - 1000)).toBeLessThan(10);
    expect((await programs.ctl('--stop')).status).toBe(0);
    const after = (await programs.rows()).length;
    expect((await programs.rows()).length).toBe(after);
  });

  it('says so when it is started twice or stopped without running', async ({ programs }) => {
    await programs.service('--init');
    expect((await programs.ctl('--stop')).stderr).toContain('does not run');
    await programs.ctl('--start');
    const again = await programs.ctl('--start');
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/runs already, as process \d+/);
    expect((await programs.ctl('--stop')).status).toBe(0);
    expect((await programs.ctl('--stop')).status).toBe(1);
  });

  it('runs once when it is started twice at the same time', async ({ programs }) => {
    await programs.service('--init');
    const statuses = (
      await Promise.all([programs.ctl('--start'), programs.ctl('--start'), programs.ctl('--start')])
    ).map(({ status }) => status);
    expect(statuses.sort()).toEqual([0, 1, 1]);
  });

  it('is not held up by the pid file of a process that is gone', async ({ programs }) => {
    await programs.service('--init');
    await programs.ctl('--start');
    const [pid] = readFileSync(programs.pidFile, 'utf8').split(' ');
    process.kill(Number(pid), 'SIGKILL');
    expect((await programs.ctl('--start')).status).toBe(0);
    // A process with the same number that started at another time is another process.
    await programs.ctl('--stop');
    writeFileSync(programs.pidFile, `${process.pid} 1\n`);
    expect((await programs.ctl('--start')).status).toBe(0);
  });

  it('reports at the start why it cannot work', async ({ programs }) => {
    const { status, stderr } = await programs.ctl('--start');
    expect(status).toBe(1);
    expect(stderr).toContain('run simple_service --init');
    expect((await programs.ctl('--start', '--stop')).status).toBe(2);
    expect((await programs.ctl()).status).toBe(2);
    expect((await programs.ctl('--start', '--rate-hz', '0')).status).toBe(2);
  });
});

function fill(path: string, count: number): void {
  const database = new Database(path);
  database.exec('BEGIN');
  const add = database.prepare('INSERT INTO observations (val, time_added) VALUES (?, ?)');
  const start = Date.UTC(2026, 0, 1);
  for (let index = 0; index < count; index += 1) {
    const time = new Date(start + index * 1000).toISOString().slice(0, 19).replace('T', ' ');
    add.run(14 + Math.sin(index) * 3, time);
  }
  database.exec('COMMIT');
  database.close();
}
