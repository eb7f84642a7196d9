import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { loadConfig } from '../../src/config/load.js';
import { Mesh } from '../../src/mesh/mesh.js';
import { EventStamper } from '../../src/messages/event-stamps.js';
import type { MeshEvent } from '../../src/messages/mesh-event.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { semantics } from '../../src/messages/timestamp.js';
import { EventFileWriter } from '../../src/recording/event-file-writer.js';
import { openRecording } from '../../src/recording/open-recording.js';
import { startFurrow, type TestProcess, until } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

const agents = ['agent-1', 'agent-2', 'agent-3'];
const proxies = ['simple-service-1', 'simple-service-2'];
const publishers = [...agents, ...proxies];
const supervisors = ['supervisor-1', 'supervisor-2', 'supervisor-3'];
const accepted = /^INFO:storage:Storage: \d+\/500/;
const residual = /Residual: value: \d+$/;

/** How the live half of the mesh behaved. */
interface Behaviour {
  /** Units that the storage took. */
  readonly stored: number;
  /** How often each supervisor heard what remains. */
  readonly heard: Readonly<Record<string, number>>;
}

describe('the whole shipped mesh, recorded and played', () => {
  const folder = mkdtempSync(join(tmpdir(), 'furrow-replay-'));
  const file = join(folder, 'mesh.0000.bin');
  const samples = new Map<string, number[]>(publishers.map((name) => [name, []]));
  let system: ProcessMesh;
  let original: Behaviour;

  beforeAll(async () => {
    vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'));
    vi.stubEnv('YAGNA_APPKEY', '');
    system = await ProcessMesh.make({
      services: [...publishers, ...supervisors, 'storage', 'golem-node'],
      args: {
        'golem-node': [`folder=${join(folder, 'activities')}`],
        ...Object.fromEntries(proxies.map((name) => [name, ['rate=20', 'plot_s=0']])),
      },
    });
    // Whatever else this machine does: no sample is to be dropped on the way.
    const text = readFileSync(system.configFile, 'utf8');
    writeFileSync(
      system.configFile,
      text.replaceAll('"query": "service_name=', '"query": "depth=100000&service_name='),
    );
    original = await record();
  });

  afterAll(async () => {
    await system[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the shipped mesh and records it, from a moment at which everything pauses. */
  async function record(): Promise<Behaviour> {
    const mesh = Mesh.from(loadConfig(system.configFile));
    const sources = new Map(['golem-node', ...publishers].map((name) => [name, system.start(name)]));
    try {
      await Promise.all(publishers.map((name) => pauses(mesh, name)));
      await using writer = await EventFileWriter.open(file);
      const recorded = recordAll(mesh, writer);
      await until('all to be recorded', () => recorded.areListening(publishers), patient);

      const live = startLive();
      await until(
        'samples of all to be stored',
        () => publishers.every((name) => samples.get(name)!.length > 5),
        patient,
      );
      await Promise.all(publishers.map((name) => sources.get(name)!.stop(20_000)));
      const isAway = (name: string) => mesh.client(name).state.status === 'away';
      await until('the last sample to be recorded', () => publishers.every(isAway), patient);
      const behaviour = await stopLive(live);
      recorded.stop();
      await recorded.ended;
      await writer.close();
      return behaviour;
    } finally {
      mesh.close();
      await Promise.all([...sources.values()].map((process) => process.stop(20_000)));
    }
  }

  /** Tells a publisher that nothing remains; a proxy, which deploys meanwhile, then never begins to observe. */
  async function pauses(mesh: Mesh, name: string): Promise<void> {
    const client = mesh.client(name);
    const states: string[] = [];
    const following = client.subscribe('/lifecycle').subscribe(({ message }) => {
      states.push((message as { state: string }).state);
    });
    await client.request('/update_residual', 0, { timeoutMs: 40_000, waitForReady: true });
    if (proxies.includes(name)) await until(`${name} to run`, () => states.includes('running'), patient);
    following.unsubscribe();
  }

  function recordAll(mesh: Mesh, writer: EventFileWriter) {
    const clock = systemClock();
    const end = new AbortController();
    const stamper = new EventStamper(
      [semantics.clientReceive, semantics.fileWrite].map((what) => ({
        clockName: clock.monotonicName,
        semantics: what,
      })),
    );
    const write = async (name: string, batch: readonly MeshEvent[]): Promise<void> => {
      for (const { path, message } of batch) {
        if (path === '/sample') samples.get(name)?.push((message as { sample: number }).sample);
      }
      const stamps = [clock.monotonic(), clock.monotonic()];
      const recorded = batch.map((event) => event.restamped(stamper.append(event.eventBytes, stamps)));
      await writer.write(recorded.map((event) => ({ event, timeS: clock.system() })));
    };
    const streams = new Map(
      [...publishers, 'storage'].map((name) => {
        const request = { path: '*', overflow: 'block', depth: 100_000 } as const;
        return [name, mesh.client(name).events(request, { signal: end.signal })] as const;
      }),
    );
    return {
      areListening: (names: readonly string[]) => names.every((name) => streams.get(name)!.begins.size > 0),
      stop: () => end.abort(),
      ended: Promise.all(Array.from(streams, ([name, stream]) => stream.forEachBatch((batch) => write(name, batch)))),
    };
  }

  function startLive(): Map<string, TestProcess> {
    return new Map(['storage', ...supervisors].map((name) => [name, system.start(name)]));
  }

  /** Stops them when they have done all there was to do. */
  async function stopLive(live: ReadonlyMap<string, TestProcess>): Promise<Behaviour> {
    const storage = live.get('storage')!;
    const { stored } = expected();
    const count = () => linesOf(storage, accepted);
    await until(`${stored} units to be stored`, () => count() >= stored, patient).catch(() => undefined);
    for (const name of supervisors) await live.get(name)!.stop();
    await storage.stop();
    const heard = supervisors.map((name) => [name, linesOf(live.get(name)!, residual)] as const);
    return { stored: count(), heard: Object.fromEntries(heard) };
  }

  /** What the configuration makes of the samples that were recorded. */
  function expected(): Behaviour {
    const heard = loadConfig(system.configFile)
      .services.filter(({ name }) => supervisors.includes(name))
      .map(({ name, args, subscriptions }) => {
        const confidence = Number(args.find((arg) => arg.startsWith('confidence='))!.split('=')[1]);
        const heardSamples = subscriptions.flatMap(({ publisher }) => samples.get(publisher)!);
        return [name, heardSamples.filter((sample) => sample > confidence).length] as const;
      });
    return { stored: heard.reduce((sum, [, count]) => sum + count, 0), heard: Object.fromEntries(heard) };
  }

  it('was recorded whole: every sample that the supervisors followed is in it, and all that the proxies said', async () => {
    expect(original).toEqual(expected());
    await using recording = await openRecording(file, { registry: new TypeRegistry() });
    const { paths } = await recording.summary();
    const counts = new Map(paths.map(({ service, path, count }) => [`${service}${path}`, count]));
    for (const name of publishers) expect(counts.get(`${name}/sample`), name).toBe(samples.get(name)!.length);
    expect([...counts.keys()]).toEqual(
      expect.arrayContaining([
        'storage/residual',
        ...proxies.flatMap((name) => [`${name}/lifecycle`, `${name}/health`]),
      ]),
    );
    expect(paths.filter(({ missing }) => missing > 0)).toEqual([]);
  });

  it('leads supervisors and storage through the same again, on the ports of the configuration', async () => {
    const paths = publishers.map((name) => `${name}/*`);
    const args = ['--rate', '10', '--wait-for', String(publishers.length), '--paths', ...paths];
    await using player = startFurrow(['play', file, '-c', system.configFile, '--json', ...args]);
    await player.line(/"started"/, patient);
    const { services } = JSON.parse(player.lines[0]!) as { services: { service: string; port: number }[] };
    expect(services.map(({ service, port }) => [service, port])).toEqual(
      publishers.map((name) => [name, system.port(name)]),
    );
    const live = startLive();
    const { code } = await player.ended(patient);
    const ended = JSON.parse(player.lines.at(-1)!) as object;
    expect({ code, ended }).toMatchObject({ code: 0, ended: { event: 'ended', skipped: 0, loops: 0 } });
    expect(await stopLive(live)).toEqual(original);
    for (const name of supervisors) {
      const lines = live.get(name)!.lines.filter((line) => /missed|answers no requests|ERROR/.test(line));
      expect(lines, name).toEqual([]);
    }
  });
});

function linesOf({ lines }: TestProcess, pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}
