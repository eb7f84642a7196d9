import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { loadConfig, Mesh } from 'furrow';

/*
 * Many instances of the simple service on the local node, each a proxy of its own: is an observation lost or doubled on
 * the way from the providers' databases to a subscriber, and does memory stay flat? Prints one line of JSON; exits with
 * 1 when something was lost, doubled or left behind.
 */

interface Options {
  readonly instances: string;
  readonly rate: string;
  readonly seconds: string;
  readonly sampleSeconds: string;
  readonly port: string;
}

const options = new Command('golem-20')
  .option('--instances <n>', 'instances at once', '20')
  .option('--rate <n>', 'observations a second of each', '10')
  .option('--seconds <n>', 'how long, once all run', '120')
  .option('--sample-seconds <n>', 'between two questions for observations', '4')
  .option('--port <n>', 'first of the ports that are used', '24500')
  .parse()
  .opts<Options>();

const patienceMs = 120_000;
const seconds = Number(options.seconds);
const names = Array.from({ length: Number(options.instances) }, (_, index) => `simple-service-${index + 1}`);
const folder = mkdtempSync(join(tmpdir(), 'furrow-golem-20-'));
const activities = join(folder, 'activities');
const file = join(folder, 'service_config.json');
writeFileSync(file, JSON.stringify({ configs: configuration() }));

const env = { ...process.env, XDG_STATE_HOME: join(folder, 'state'), YAGNA_APPKEY: '' };
const up = spawn(process.execPath, [resolve('dist/src/cli/main.js'), 'up', '-c', file], {
  env,
  stdio: ['ignore', 'ignore', 'inherit'],
});
const exited = once(up, 'exit');
const mesh = Mesh.from(loadConfig(file));
const published = new Map(names.map((name) => [name, [] as number[]] as const));
const states = new Map<string, string>();
/** From an agreement to the results of the first batch, which deploys and starts. */
const firstBatchMs: number[] = [];
for (const [name, values] of published) {
  mesh.subscribe<{ sample: number }>(`${name}/sample`, { depth: 100_000 }).subscribe(({ message }) => {
    values.push(message.sample);
  });
  let agreedMs = Number.NaN;
  mesh.subscribe<{ type: string; time: Date }>(`${name}/golem`).subscribe(({ message: { type, time } }) => {
    if (type === 'AgreementConfirmed') agreedMs = time.getTime();
  });
  mesh.subscribe<{ state: string; time: Date }>(`${name}/lifecycle`).subscribe(({ message: { state, time } }) => {
    states.set(name, state);
    // A link that is not up yet misses the agreement.
    if (state === 'running' && agreedMs > 0) firstBatchMs.push(time.getTime() - agreedMs);
  });
}

try {
  const startedAt = performance.now();
  await until('all to run', () => names.every((name) => states.get(name) === 'running'));
  const startSeconds = (performance.now() - startedAt) / 1000;
  const memory: number[] = [];
  for (let quarter = 0; quarter < 4; quarter += 1) {
    await sleep((seconds * 1000) / 4);
    memory.push(residentMib());
  }
  await Promise.all(names.map((name) => mesh.request(`${name}/update_residual`, 0)));
  const compared = await Promise.all(names.map(compare));
  const sum = (key: 'stored' | 'lost' | 'doubled'): number => compared.reduce((total, one) => total + one[key], 0);
  up.kill('SIGINT');
  await exited;
  const left = existsSync(activities) ? readdirSync(activities).length : 0;
  const result = {
    instances: names.length,
    startSeconds: Number(startSeconds.toFixed(1)),
    firstBatchMs: { least: Math.min(...firstBatchMs), most: Math.max(...firstBatchMs) },
    seconds,
    observations: sum('stored'),
    lost: sum('lost'),
    doubled: sum('doubled'),
    residentMib: memory,
    foldersLeft: left,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (result.lost + result.doubled + left > 0) process.exitCode = 1;
} finally {
  mesh.close();
  up.kill('SIGKILL');
  await exited;
  rmSync(folder, { recursive: true, force: true });
}

/** Waits until what is published is as long as the database, which grows no more. */
async function compare(name: string): Promise<{ stored: number; lost: number; doubled: number }> {
  const values = published.get(name) ?? [];
  let stored: number[] = [];
  await until(`${name} to come to rest`, async () => {
    const before = stored.length;
    stored = await dump(name);
    return stored.length === before && values.length >= stored.length;
  }).catch(() => undefined);
  const seen = new Set(values);
  return {
    stored: stored.length,
    lost: stored.filter((value) => !seen.has(value)).length,
    doubled: values.length - seen.size,
  };
}

async function dump(name: string): Promise<number[]> {
  const rows: number[] = [];
  for (;;) {
    const { message } = await mesh.request<{ observations: { val: number }[] }>(
      `${name}/dump`,
      { since: rows.length },
      { timeoutMs: patienceMs },
    );
    if (message.observations.length === 0) return rows;
    rows.push(...message.observations.map(({ val }) => val));
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain for ${what}`);
    await sleep(500);
  }
}

/** Of the proxies and the node together. */
function residentMib(): number {
  const rows = execFileSync('ps', ['-A', '-o', 'ppid=,rss='], { encoding: 'utf8' }).split('\n');
  const sizes = rows.map((row) => row.trim().split(/\s+/).map(Number)).filter(([parent]) => parent === up.pid);
  return Math.round(sizes.reduce((total, [, kib = 0]) => total + kib, 0) / 1024);
}

function configuration(): object[] {
  const first = Number(options.port);
  const event = (path: string, type: string, pb: string, name: string, more = '') => ({
    scheme: 'protobuf',
    path,
    query: `type=${type}&pb=${pb}${more}&service_name=${name}`,
  });
  const request = (path: string, types: string) => ({ scheme: 'request', path, query: types });
  const golem = ['furrow.GolemEvent', 'furrow/golem_event.proto'] as const;
  const struct = ['google.protobuf.Struct', 'google/protobuf/struct.proto'] as const;
  const topics = ['/market', '/agreements', '/activities', '/payments'];
  return [
    {
      name: 'golem-node',
      host: 'localhost',
      port: first,
      args: [`folder=${activities}`],
      uris: topics.map((path) => event(path, ...golem, 'golem-node')),
    },
    ...names.map((name, index) => ({
      name,
      host: 'localhost',
      port: first + 1 + index,
      args: [`rate=${options.rate}`, `sample_s=${options.sampleSeconds}`, 'stats_s=60', 'plot_s=0'],
      uris: [
        event('/sample', ...struct, name, '&history=1000'),
        event('/stats', ...struct, name),
        event('/lifecycle', 'furrow.LifeCycleEvent', 'furrow/life_cycle_event.proto', name, '&latch=true'),
        event('/golem', ...golem, name),
        event('/plot', 'furrow.Plot', 'furrow/plot.proto', name),
        request('/dump', 'request=furrow.DumpRequest&reply=furrow.Dump'),
        request('/update_residual', 'request=google.protobuf.Int32Value&reply=google.protobuf.Empty'),
      ],
    })),
  ];
}
