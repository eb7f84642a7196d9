import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadConfig, Mesh, type MeshEvent, TypeRegistry } from 'furrow';
import { openRecording, type RecordingReport } from 'furrow/recording';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { describeWithPython } from '../interop/python-peer.js';
import { freePorts, rootDirectory, startFurrow, startService, type TestProcess, until } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 120_000 });

const registry = new TypeRegistry();
const rounds = 3;
const fast = { 'agent-1': ['rate=200', 'num_tasks=5'], 'agent-2': ['rate=100', 'num_tasks=2'] };

async function runAgents(...services: readonly string[]): Promise<ProcessMesh> {
  const mesh = await ProcessMesh.make({ services, args: fast });
  onTestFinished(() => mesh[Symbol.asyncDispose]());
  return mesh;
}

function inFolder(mesh: ProcessMesh, name: string): string {
  return join(dirname(mesh.configFile), name);
}

function track(process: TestProcess): TestProcess {
  onTestFinished(async () => {
    process.signal('SIGKILL');
    await process.exit;
  });
  return process;
}

function record(mesh: ProcessMesh, base: string, ...more: readonly string[]): TestProcess {
  return track(startFurrow(['record', '-c', mesh.configFile, '--output', base, ...more]));
}

async function read(file: string) {
  const reader = await openRecording(file, { registry });
  const events: MeshEvent[] = [];
  for await (const batch of reader.batches()) for (const { event } of batch) events.push(event);
  const { damage } = await reader.summary();
  await reader.close();
  return { events, damage };
}

function sequencesOf(events: readonly MeshEvent[], name: string): number[] {
  return events.filter(({ service, path }) => service + path === name).map(({ sequence }) => sequence);
}

/** The sequences of an agent's samples, a list for each of its processes, told apart by what those printed. */
function runsOf(events: readonly MeshEvent[], name: string, processes: readonly TestProcess[]): number[][] {
  const runOf = new Map<string, number>();
  for (const [run, { lines }] of processes.entries()) for (const line of lines) runOf.set(line, run);
  const runs: number[][] = processes.map(() => []);
  let run = 0;
  for (const { service, path, sequence, message } of events) {
    if (service + path !== name) continue;
    const { sample, task_id } = message as { sample: number; task_id: number };
    // The last samples of a process were published, but no longer printed.
    run = runOf.get(`Published sample ${sample} from task ${task_id}`) ?? run;
    runs[run]!.push(sequence);
  }
  return runs;
}

function holesIn(run: readonly number[]): number {
  return run.at(-1)! - run[0]! + 1 - run.length;
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function jsonLines(process: TestProcess): (RecordingReport & { final?: boolean })[] {
  return process.lines.filter((line) => line.startsWith('{"base"')).map((line) => JSON.parse(line));
}

describe('kill -9', () => {
  it('of the recorder costs only what was not yet on its way to the disk; the file is read to there', async () => {
    const mesh = await runAgents('agent-1', 'agent-2');
    mesh.startAll();
    for (let round = 0; round < rounds; round++) {
      const base = inFolder(mesh, `killed-${round}`);
      const recorder = record(mesh, base);
      await until('something is recorded', () => sizeOf(`${base}.0000.bin`) > 50_000 * (round + 1), patient);
      recorder.signal('SIGKILL');
      await recorder.exit;
      const size = sizeOf(`${base}.0000.bin`);
      const { events, damage } = await read(base);
      expect(damage.filter(({ kind }) => kind !== 'tail')).toEqual([]);
      expect(damage.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(size / 10);
      for (const name of ['agent-1/sample', 'agent-2/sample']) {
        const sequences = sequencesOf(events, name);
        expect(sequences.length).toBeGreaterThan(0);
        expect(holesIn(sequences)).toBe(0);
      }
    }
  });

  it('of a publisher, again and again, costs what the file lacks, and the report says exactly that', async () => {
    const mesh = await runAgents('agent-1', 'agent-2');
    const agents = [mesh.start('agent-1')];
    const other = mesh.start('agent-2');
    const base = inFolder(mesh, 'restarts');
    const recorder = record(mesh, base, '--json', '--sync', 'none');
    /** Resolves when samples of the agent's process of now are recorded. */
    const samplesCome = async (reconnects: number) => {
      const counts = () => {
        const report = jsonLines(recorder).at(-1);
        const ours = report?.subscriptions.find(({ service }) => service === 'agent-1');
        const written = report?.paths.find(({ service, path }) => service + path === 'agent-1/sample')?.written;
        return ours?.reconnects === reconnects ? (written ?? 0) : 0;
      };
      await until('it is connected', () => counts() > 0, patient);
      const before = counts();
      await until('more is recorded', () => counts() > before, patient);
    };
    for (let round = 0; round < rounds; round++) {
      await samplesCome(round);
      agents.at(-1)!.signal('SIGKILL');
      await agents.at(-1)!.exit;
      agents.push(mesh.start('agent-1'));
    }
    await samplesCome(rounds);
    recorder.signal('SIGINT');
    const { code } = await recorder.ended(patient);
    const report = jsonLines(recorder).at(-1)!;
    expect(report.final).toBe(true);
    expect(code).toBe(report.lost > 0 ? 1 : 0);

    const { events, damage } = await read(base);
    expect(damage).toEqual([]);
    for (const [name, processes] of Object.entries({ 'agent-1/sample': agents, 'agent-2/sample': [other] })) {
      const counts = report.paths.find(({ service, path }) => service + path === name)!;
      const runs = runsOf(events, name, processes);
      const [first, ...later] = runs;
      // Of a process that began while the recorder ran, it wants all; the first began before.
      const missing = holesIn(first!) + later.reduce((sum, run) => sum + run[0]! + holesIn(run), 0);
      const written = runs.flat().length;
      expect(counts, name).toMatchObject({ written, lost: missing, expected: written + missing, before: first![0] });
    }
    expect(report.subscriptions.find(({ service }) => service === 'agent-1')!.reconnects).toBe(rounds);
  });
});

describe('furrow record', () => {
  it('waits for services that are away, tells what it has at the end, and exits well when nothing was lost', async () => {
    const mesh = await runAgents('agent-1', 'agent-2');
    const base = inFolder(mesh, 'late');
    const recorder = record(mesh, base, 'agent-1/sample', '--format', 'mcap');
    await recorder.line(/waiting for agent-1/, patient);
    mesh.start('agent-1');
    await recorder.line(/agent-1 is there/, patient);
    await until('something is recorded', () => sizeOf(`${base}.mcap`) > 20_000, patient);
    recorder.signal('SIGINT');
    expect(await recorder.ended(patient)).toEqual({ code: 0, signal: null });
    const [, events] = await recorder.line(/^(\d+) events, .* 0 lost, in .*: .*late\.mcap$/);
    const file = await read(`${base}.mcap`);
    expect(file.damage).toEqual([]);
    expect(file.events).toHaveLength(Number(events));
    const first = file.events[0]!.sequence;
    await recorder.line(new RegExp(`^agent-1/sample +${events} .* 0 +${first}$`));
  });

  it('records a profile of another file, in files of its size, and stops by itself', async () => {
    const mesh = await runAgents('agent-1', 'agent-2');
    mesh.startAll();
    const profiles = writeProfiles(mesh, { args: ['--max-file-mb=0.05'] });
    const base = inFolder(mesh, 'profile');
    const recorder = record(
      mesh,
      base,
      '--profile',
      'record_default',
      '--profiles',
      profiles,
      '--duration-s',
      '3',
      '--json',
    );
    expect(await recorder.ended(patient)).toEqual({ code: 0, signal: null });
    const report = jsonLines(recorder).at(-1)!;
    expect(report.files.length).toBeGreaterThan(1);
    expect(report.paths.map(({ service, path }) => service + path)).toEqual(['agent-1/sample', 'agent-2/sample']);
    const { events } = await read(base);
    expect(events).toHaveLength(report.events);
  });

  it('refuses what cannot be recorded, and says what to do', async () => {
    const mesh = await runAgents('agent-1');
    const used = inFolder(mesh, 'used');
    writeFileSync(`${used}.0000.bin`, '');
    const refusals = [
      [used, [], /there is a recording at .*used already/],
      [inFolder(mesh, 'a'), ['agent-2/sample'], /"agent-2\/sample" starts with no service/],
      [inFolder(mesh, 'b'), ['--profile', 'agent-1'], /agent-1 has no subscriptions/],
      [inFolder(mesh, 'c'), ['--format', 'mcap', '--max-file-mb', '1'], /an MCAP recording is one file/],
      [inFolder(mesh, 'd'), ['agent-1/sample', '--profile', 'x'], /paths or a --profile, not both/],
    ] as const;
    const ended = refusals.map(async ([base, args, message]) => {
      const recorder = record(mesh, base, ...args);
      await recorder.line(message, patient);
      expect(await recorder.ended(patient)).toEqual({ code: 2, signal: null });
    });
    await Promise.all(ended);
  });
});

interface ProfileOptions {
  readonly args?: readonly string[];
  readonly recorderPort?: number;
}

/** A file as recorder_config.json: the services of a mesh, a recorder, and a profile of the samples. */
function writeProfiles(mesh: ProcessMesh, { args = [], recorderPort = 7030 }: ProfileOptions = {}): string {
  const shipped = JSON.parse(readFileSync(join(rootDirectory, 'recorder_config.json'), 'utf8')) as {
    configs: { name: string; port?: number }[];
  };
  const recorder = shipped.configs.find(({ name }) => name === 'recorder');
  const data = inFolder(mesh, 'recordings');
  const configs = [
    ...mesh.config.services.map(({ name, host, port }) => ({ name, host, port })),
    { ...recorder, port: recorderPort, args: [`--data-dir=${data}`] },
    {
      name: 'record_default',
      args,
      subscriptions: mesh.config.services.map(({ name }) => ({
        uri: { path: '/sample', query: `service_name=${name}` },
      })),
    },
  ];
  const file = inFolder(mesh, 'recorder_config.json');
  writeFileSync(file, JSON.stringify({ configs }));
  return file;
}

/** A recorder service beside running agents. */
async function runRecorder() {
  const mesh = await runAgents('agent-1', 'agent-2');
  mesh.startAll();
  const [port] = await freePorts(1);
  const configFile = writeProfiles(mesh, { recorderPort: port! });
  const process = track(startService('recorder', ['-c', configFile, '-n', 'recorder']));
  const client = Mesh.from(loadConfig(configFile), { registry });
  onTestFinished(() => client.close());
  const ask = (path: string, message: unknown = {}, type?: string) =>
    client.request<never>(`recorder${path}`, message, {
      waitForReady: true,
      timeoutMs: patient.timeoutMs,
      ...(type === undefined ? {} : { type }),
    });
  const status = async () => (await ask('/status')).message as unknown as Status;
  const recorded = (...names: readonly string[]) =>
    until(
      `events of ${names.join()} are recorded`,
      async () => {
        const { state, paths } = await status();
        const written = paths.filter((path) => path.written > 0n).map(({ service, path }) => service + path);
        return state === 'recording' && names.every((name) => written.includes(name));
      },
      patient,
    );
  return { mesh, process, port: port!, configFile, client, ask, status, recorded };
}

interface Status {
  readonly state: string;
  readonly base: string;
  readonly files: readonly string[];
  readonly events: bigint;
  readonly lost: bigint;
  readonly freeBytes: bigint;
  readonly error: string;
  readonly paths: readonly { service: string; path: string; written: bigint }[];
}

describe('the recorder service', () => {
  it('sleeps until it is asked, records a profile, says how it goes, and is done when it says so', async () => {
    const { ask, status, recorded, client } = await runRecorder();
    expect(await status()).toMatchObject({ state: 'idle' });
    await expect(ask('/annotate', { message: 'too soon' })).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(ask('/start/record_defualt')).rejects.toMatchObject({
      message: expect.stringContaining('record_default'),
    });
    await ask('/header/calibration', 'one', 'google.protobuf.StringValue');
    const { message: base } = await ask('/start/record_default');
    expect(base).toMatch(/recordings\/\d{4}(_\d\d){5}_\d{6}_/);
    await recorded('agent-1/sample', 'agent-2/sample');
    await ask('/header/site', 5, 'google.protobuf.Int32Value');
    await ask('/annotate', { kind: 'ANNOTATION_NOTE', message: 'a stone' });
    for await (const { message } of client.events<Status>('recorder/progress')) {
      if (message.state !== 'recording') continue;
      expect(message).toMatchObject({ base, lost: 0n, profile: 'record_default', files: [`${base}.0000.bin`] });
      expect(message.freeBytes).toBeGreaterThan(0n);
      break;
    }
    await ask('/stop');
    const { events, damage } = await read(base);
    const done = await status();
    expect(done).toMatchObject({ state: 'complete', base, lost: 0n, error: '' });
    expect(damage).toEqual([]);
    const names = events.map(({ service, path }) => `${service}${path}`);
    expect(names[0]).toBe('recorder/header/calibration');
    expect(new Set(names)).toEqual(
      new Set([
        'recorder/header/calibration',
        'agent-1/sample',
        'agent-2/sample',
        'recorder/header/site',
        'recorder/annotation',
      ]),
    );
    expect(events[0]!.message).toBe('one');
    expect(events.find(({ path }) => path === '/annotation')!.message).toMatchObject({ message: 'a stone' });
    expect(done.events).toBe(BigInt(events.length));
    for (const { service, path, written } of done.paths) {
      expect(written).toBe(BigInt(names.filter((name) => name === service + path).length));
    }
    await ask('/stop');
  });

  it('ends a recording when the next is started, when it is told to stop, and headers last until they are cleared', async () => {
    const { ask, recorded, process, mesh } = await runRecorder();
    await ask('/header/one', 1, 'google.protobuf.Int32Value');
    const { message: first } = await ask('/start/record_default');
    await recorded('agent-1/sample', 'agent-2/sample');
    // The robot's form: one entry, whose subscriptions name the recorder's own services.
    const entry = {
      name: 'field',
      subscriptions: [{ uri: { path: '/sample', query: 'service_name=agent-2' }, everyN: 2 }],
    };
    const { message: second } = await ask('/start', entry, 'farm_ng.core.proto.EventServiceConfig');
    await recorded('agent-2/sample');
    await ask('/clear_headers');
    const list = {
      configs: [
        { name: 'agent-1', host: 'localhost', port: mesh.port('agent-1') },
        { name: 'mine', subscriptions: [{ uri: { path: '*', query: 'service_name=agent-1' } }] },
      ],
    };
    const { message: third } = await ask('/start/mine', list);
    await recorded('agent-1/sample', 'agent-1/health');
    process.signal('SIGTERM');
    expect(await process.ended(patient)).toEqual({ code: 0, signal: null });
    const [one, two, three] = await Promise.all([first, second, third].map((base) => read(base)));
    for (const { damage } of [one!, two!, three!]) expect(damage).toEqual([]);
    const namesOf = ({ events }: { events: MeshEvent[] }) => new Set(events.map(({ service, path }) => service + path));
    expect(namesOf(one!)).toEqual(new Set(['recorder/header/one', 'agent-1/sample', 'agent-2/sample']));
    expect(namesOf(two!)).toEqual(new Set(['recorder/header/one', 'agent-2/sample']));
    expect(namesOf(three!)).toEqual(new Set(['agent-1/sample', 'agent-1/health']));
    const odd = two!.events.filter(({ path, sequence }) => path === '/sample' && sequence % 2 === 1);
    expect(odd).toEqual([]);
  });
});

describeWithPython('a Python client of the recorder', (peer) => {
  it('starts and stops it as on the robot, by a path that names it', async () => {
    const { port, mesh, status, recorded } = await runRecorder();
    const address = `localhost:${port}`;
    const configs = [
      ...mesh.config.services.map(({ name, host, port: at }) => ({ name, host, port: at })),
      {
        name: 'record_default',
        subscriptions: [{ uri: { path: '/sample', query: 'service_name=agent-1' }, every_n: 1 }],
      },
    ];
    await status();
    const ask = async (path: string, type: string, json: unknown) => {
      const asked = peer.probe('request', { address, name: 'amiga', path, type, json });
      return (await asked.next('reply', undefined, patient)).message;
    };
    await ask('recorder/header/robot', 'google.protobuf.StringValue', 'amiga');
    const base = await ask('recorder/start/record_default', 'farm_ng.core.proto.EventServiceConfigList', { configs });
    await recorded('agent-1/sample');
    const note = { kind: 'ANNOTATION_ROW_START', message: 'row 7' };
    await ask('recorder/annotate', 'farm_ng.core.proto.RecorderAnnotation', note);
    expect(await ask('recorder/stop', 'google.protobuf.Empty', {})).toEqual({});
    const { events, damage } = await read(base as string);
    expect(damage).toEqual([]);
    expect(new Set(events.map(({ service, path }) => service + path))).toEqual(
      new Set(['recorder/header/robot', 'agent-1/sample', 'recorder/annotation']),
    );
    expect(events[0]!.message).toBe('amiga');
    expect(events.find(({ path }) => path === '/annotation')!.message).toMatchObject(note);
  });
});

describeWithPython('a Python publisher', (peer) => {
  it('is recorded as it is, and what it dropped is told', async () => {
    const mesh = await runAgents('agent-1');
    const publisher = peer.probe('publish', {
      name: 'gps',
      path: '/n',
      type: 'google.protobuf.Int32Value',
      json: [1, 2, 3],
      count: 600,
      afterSubscribers: 1,
    });
    const { port } = await publisher.next('listening', undefined, patient);
    const config = inFolder(mesh, 'gps.json');
    writeFileSync(config, JSON.stringify({ configs: [{ name: 'gps', host: 'localhost', port }] }));
    const base = inFolder(mesh, 'gps');
    const recorder = track(startFurrow(['record', '-c', config, 'gps/n', '-o', base, '--json']));
    await publisher.next('published', ({ sequence }) => sequence === 599, patient);
    const last = () => jsonLines(recorder).at(-1);
    await until('all is recorded or lost', () => (last()?.events ?? 0) > 0 && jsonLines(recorder).length > 3, patient);
    recorder.signal('SIGINT');
    await recorder.ended(patient);
    const report = last()!;
    const { events } = await read(base);
    expect(events).toHaveLength(report.events);
    const sequences = sequencesOf(events, 'gps/n');
    expect(report.lost).toBe(holesIn(sequences));
    expect(report.paths).toMatchObject([{ written: sequences.length, before: sequences[0] }]);
    expect(events[0]!.timestamps.map(({ semantics }) => semantics)).toEqual([
      'service/send',
      'service/send',
      'client/receive',
      'file/write',
    ]);
  });
});
