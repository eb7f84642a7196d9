import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { type Clock, EventClient, EventService, type MeshEvent } from 'furrow';
import { EventFileWriter } from 'furrow/recording';

/*
 * How exactly `furrow play` keeps the times of a recording: a recording of so many events a second is made and played to
 * subscribers in another process. Prints how late events went out, as the player measured it, and how far the times
 * between arrivals are from those between the recorded events. Nothing is asserted: other load on the machine shows.
 */

interface Options {
  readonly hz: string;
  readonly seconds: string;
  readonly services: string;
}

const options = new Command('npm run bench:player --')
  .option('--hz <n>', 'events a second, of all services together', '1000')
  .option('--seconds <n>', 'length of the recording', '10')
  .option('--services <n>', 'services that publish in turn', '4')
  .parse()
  .opts<Options>();

const hz = Number(options.hz);
const names = Array.from({ length: Number(options.services) }, (_, index) => `agent-${index + 1}`);
const count = hz * Number(options.seconds);
const folder = mkdtempSync(join(tmpdir(), 'furrow-bench-player-'));
try {
  const files = await makeRecording(join(folder, 'bench'));
  const cpuBefore = process.cpuUsage();
  const { played, errorsMs } = await play(files);
  const cpu = process.cpuUsage(cpuBefore);
  process.stdout.write(`${count} events of ${names.length} services at ${hz} Hz; ${errorsMs.length + 1} arrived\n`);
  row('late by the player’s schedule', played.lateP50Ms, played.lateP99Ms);
  row('distance between arrivals off by', quantile(errorsMs, 0.5), quantile(errorsMs, 0.99));
  if (played.lateS > 0) process.stdout.write(`slowed by ${played.lateS.toFixed(1)} s: the machine was busy\n`);
  process.stdout.write(`processor time of the subscriber: ${((cpu.user + cpu.system) / 1e6).toFixed(1)} s\n`);
} finally {
  rmSync(folder, { recursive: true });
}

interface Played {
  readonly lateS: number;
  readonly lateP50Ms: number;
  readonly lateP99Ms: number;
}

/** Records services that publish in turn, on a clock that says whatever it is to say. */
async function makeRecording(base: string): Promise<readonly string[]> {
  let nowS = 1_700_000_000;
  const clock: Clock = {
    host: 'bench',
    monotonicName: 'bench/monotonic',
    systemName: 'bench/system_clock/UTC',
    monotonic: () => nowS - 1_600_000_000,
    system: () => nowS,
  };
  const writer = await EventFileWriter.open(base);
  let batch: { event: MeshEvent; timeS: number }[] = [];
  const services = names.map((name) => {
    const service = new EventService(
      { name, host: 'localhost', port: 0, subscriptions: [], published: [], requests: [], args: [], logLevel: 'info' },
      { clock },
    );
    service.published$.subscribe((event) => batch.push({ event, timeS: nowS }));
    return service;
  });
  for (let index = 0; index < count; index += 1) {
    nowS = 1_700_000_000 + index / hz;
    const service = services[index % services.length]!;
    await service.publish('/sample', { sample: Math.random(), index }, { type: 'google.protobuf.Struct' });
    if (batch.length < 1000) continue;
    await writer.write(batch);
    batch = [];
  }
  await writer.write(batch);
  await writer.close();
  for (const service of services) service.close();
  return writer.files;
}

async function play(files: readonly string[]): Promise<{ played: Played; errorsMs: readonly number[] }> {
  const args = ['play', ...files, '--free-ports', '--json', '--wait-for', String(names.length)];
  const player = spawn(process.execPath, [resolve('dist/src/cli/main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const arrivals: { readonly dueMs: number; readonly atMs: number }[] = [];
  const clients: EventClient[] = [];
  try {
    for await (const line of createInterface({ input: player.stdout })) {
      const said = JSON.parse(line) as {
        event: string;
        services: { service: string; host: string; port: number }[];
      } & Played;
      if (said.event === 'ended') return { played: said, errorsMs: errorsOf(arrivals) };
      for (const { service, host, port } of said.services) {
        const client = new EventClient({ name: service, host, port });
        clients.push(client);
        void client.events({ path: '/sample', depth: 10_000 }).forEachBatch((batch) => {
          const atMs = performance.now();
          for (const event of batch)
            arrivals.push({ dueMs: event.stamp('service/send', '/monotonic')!.stamp * 1000, atMs });
        });
      }
    }
    throw new Error('furrow play ended without a word');
  } finally {
    for (const client of clients) client.close();
    player.kill();
  }
}

/** How far the time from one arrival to the next is from the time between the two in the recording. */
function errorsOf(arrivals: readonly { readonly dueMs: number; readonly atMs: number }[]): readonly number[] {
  const sorted = [...arrivals].sort((one, other) => one.dueMs - other.dueMs);
  return sorted
    .slice(1)
    .map(({ dueMs, atMs }, index) => Math.abs(atMs - sorted[index]!.atMs - (dueMs - sorted[index]!.dueMs)))
    .sort((one, other) => one - other);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function row(what: string, p50: number, p99: number): void {
  process.stdout.write(`${what}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms\n`);
}
