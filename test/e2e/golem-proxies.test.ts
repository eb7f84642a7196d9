import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConnectionFile } from '../../services/golem-node/connection-file.js';
import { Mesh } from '../../src/mesh/mesh.js';
import { startFurrow, type TestProcess, until } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

interface LifeCycle {
  readonly state: string;
  readonly previous: string;
  readonly provider: string;
  readonly reason: string;
}

const proxy = 'simple-service-1';
const services = ['storage', 'golem-node', proxy, 'simple-service-2', 'supervisor-3'];

describe('proxies of simple services', () => {
  const folder = mkdtempSync(join(tmpdir(), 'golem-e2e-'));
  const activities = join(folder, 'activities');
  const samples: number[] = [];
  const sizes: number[] = [];
  const lifeCycle: LifeCycle[] = [];
  const kinds = new Set<string>();
  let system: ProcessMesh;
  let mesh: Mesh;
  let processes: Map<string, TestProcess>;

  beforeAll(async () => {
    vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'));
    vi.stubEnv('YAGNA_APPKEY', '');
    system = await ProcessMesh.make({
      services,
      args: {
        'golem-node': [`folder=${activities}`],
        [proxy]: ['rate=20', 'stats_s=1', 'plot_s=0'],
      },
    });
    mesh = Mesh.from(system.config);
    mesh.subscribe<{ sample: number }>(`${proxy}/sample`, { depth: 10_000 }).subscribe(({ message }) => {
      samples.push(message.sample);
    });
    mesh.subscribe<{ size: number }>(`${proxy}/stats`).subscribe(({ message }) => sizes.push(message.size));
    mesh.subscribe<LifeCycle>(`${proxy}/lifecycle`).subscribe(({ message }) => lifeCycle.push(message));
    mesh.subscribe<{ kind: string }>(`${proxy}/golem`).subscribe(({ message }) => kinds.add(message.kind));
    processes = system.startAll();
  });

  afterAll(async () => {
    mesh.close();
    await system[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
    await until('the folders of activities to be removed', () => activityFolders().length === 0, patient);
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = <T>(path: string, message: unknown = {}, timeoutMs = 30_000) =>
    mesh.request<T>(`${proxy}${path}`, message, { timeoutMs }).then((reply) => reply.message);
  const dump = async () => (await ask<{ observations: { val: number }[] }>('/dump')).observations.map(({ val }) => val);
  const reaches = (state: string, from: number) =>
    until(`${proxy} ${state}`, () => lifeCycle.slice(from).some((event) => event.state === state), patient);
  /** Paused: no observation between two statistics, which are a second apart. */
  const pauses = async () => {
    await ask('/update_residual', 0);
    await until('a pause', () => sizes.length > 1 && sizes.at(-1) === sizes.at(-2) && sizes.at(-1) !== 0, patient);
  };

  async function furrow(...args: string[]): Promise<{ code: number | null; lines: readonly string[] }> {
    await using command = startFurrow(['golem', ...args, '-c', system.configFile]);
    const { code } = await command.ended(patient);
    return { code, lines: command.lines };
  }

  const json = ({ lines }: { lines: readonly string[] }) => lines.map((line) => JSON.parse(line) as unknown);

  async function node<T>(path: string, method = 'GET'): Promise<T> {
    const { url, appKey } = new ConnectionFile(system.port('golem-node')).read()!;
    const response = await fetch(url + path, { method, headers: { Authorization: `Bearer ${appKey}` } });
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  function activityFolders(): string[] {
    try {
      return readdirSync(activities);
    } catch {
      return [];
    }
  }

  /** Processes that were started in one of the node's folders, by what they were told of it. */
  function simulators(): number {
    return readdirSync('/proc').filter((pid) => {
      try {
        return (
          /^\d+$/.test(pid) &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('simulate-observations.js') &&
          readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(activities)
        );
      } catch {
        return false;
      }
    }).length;
  }

  async function allocations(): Promise<number> {
    return (await node<unknown[]>('/payment-api/v1/allocations')).length;
  }

  it('deploy, and a supervisor follows their samples', async () => {
    await reaches('running', 0);
    expect(lifeCycle.find(({ state }) => state === 'running')).toMatchObject({
      previous: 'starting',
      provider: expect.stringMatching(/^\w+$/),
    });
    await processes.get('supervisor-3')!.line(/^INFO:supervisor-3:Residual: value: \d+$/, patient);
    expect(activityFolders()).toHaveLength(2);
    // From now on only the test says what remains.
    await processes.get('supervisor-3')!.stop();
  });

  it('are seen by furrow golem, with what happened before it looked', async () => {
    const [status, instances, instancesText, market, payments] = await Promise.all([
      furrow('status'),
      furrow('instances', '--json'),
      furrow('instances'),
      furrow('market', proxy, '--count', '4', '--json'),
      furrow('payments', 'golem-node', '--count', '1'),
    ]);
    expect(status.lines).toEqual(['2 instances: 2 running', 'golem-node: live']);
    const { provider } = lifeCycle.at(-1)!;
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(json(instances)).toEqual(
      expect.arrayContaining([{ service: proxy, state: 'running', provider, reason: '', time }]),
    );
    expect(instancesText.lines[0]).toMatch(/^SERVICE +STATE +PROVIDER +WHY +SINCE, UTC$/);
    expect(instancesText.lines).toContainEqual(
      expect.stringMatching(new RegExp(`^${proxy} +running +${provider} +\\d\\d:\\d\\d:\\d\\d$`)),
    );
    // Nothing is negotiated any more.
    expect(json(market)).toMatchObject([
      { service: proxy, kind: 'market', type: 'SubscriptionCreated', time, details: { demandId: expect.any(String) } },
      { type: 'ProposalReceived', provider: expect.stringMatching(/^\w+$/) },
      { kind: 'market' },
      { kind: 'market' },
    ]);
    expect(payments.lines).toEqual([
      expect.stringMatching(/^[\d:.]{12} {2}golem-node {2}allocation-created {4}\{"allocationId":".*"amount":"1".*\}$/),
    ]);
    for (const { code } of [status, instances, instancesText, market, payments]) {
      expect(code).toBe(0);
    }
  });

  it('pause at 0 and go on above it; what is published is what is in the database, once and in order', async () => {
    await pauses();
    await until('all to be published', async () => samples.length === (await dump()).length, patient);
    expect(samples).toEqual(await dump());
    const before = samples.length;
    await ask('/update_residual', 1);
    await until('samples again', () => samples.length > before, patient);
    await ask('/add', -5);
    await pauses();
    // A machine that is busy may look paused before it is.
    await until('the rest to be published', async () => samples.length === (await dump()).length, patient);
    expect(samples).toContain(-5);
    expect(samples).toEqual(await dump());
  });

  it('answer /stats and /plot, and refuse what makes no sense', async () => {
    expect(await ask('/stats')).toMatchObject({ size: samples.length, 'std dev': expect.any(Number) });
    const plot = await ask<{ name: string; kind: string; png: Uint8Array }>('/plot', { kind: 'dist' });
    expect(plot).toMatchObject({ name: `${proxy}-dist.png`, kind: 'dist' });
    expect([...plot.png.subarray(1, 4)]).toEqual([...Buffer.from('PNG')]);
    await expect(ask('/plot', { kind: 'pie' })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(ask('/add', Number.NaN)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('go to another provider when theirs vanishes, and publish nothing twice', async () => {
    const before = lifeCycle.length;
    const published = samples.length;
    const { provider } = lifeCycle.at(-1)!;
    await node(`/local-node/v1/providers/${provider}/vanish`, 'POST');
    await reaches('pending', before);
    const pending = lifeCycle.findIndex(({ state }, index) => index >= before && state === 'pending');
    expect(lifeCycle[pending]!.reason).not.toBe('');
    await reaches('running', pending);
    expect(lifeCycle.at(-1)).toMatchObject({ provider: expect.not.stringMatching(`^${provider}$`) });
    await ask('/update_residual', 1);
    await until('samples of the new instance', () => samples.length > published, patient);
    await pauses();
    await until('the rest to be published', async () => samples.length === published + (await dump()).length, patient);
    expect(samples.slice(published)).toEqual(await dump());
    await node(`/local-node/v1/providers/${provider}/return`, 'POST');
  });

  it('are stopped by furrow golem; then nothing is left, until /restart', async () => {
    const stopped = await furrow('stop');
    expect(stopped).toMatchObject({ code: 0, lines: expect.arrayContaining([`${proxy} is stopped`]) });
    const [again, instances, status] = await Promise.all([
      furrow('stop', proxy, '--json'),
      furrow('instances', '--json'),
      furrow('status', '--json'),
    ]);
    expect([again.code, json(again)]).toEqual([0, [{ service: proxy, stopped: true }]]);
    expect(json(instances)).toEqual(
      expect.arrayContaining([expect.objectContaining({ service: proxy, state: 'terminated' })]),
    );
    expect([status.code, json(status)]).toEqual([
      3,
      [{ instances: 2, states: { terminated: 2 }, nodes: [{ name: 'golem-node', live: true }] }],
    ]);
    expect([...kinds].sort()).toEqual(['activity', 'agreement', 'market', 'payment']);
    expect(activityFolders()).toEqual([]);
    expect(simulators()).toBe(0);
    expect(await allocations()).toBe(0);
    expect(await node('/market-api/v1/demands')).toEqual([]);
    await expect(ask('/stats')).rejects.toMatchObject({ code: 'unavailable' });
    const from = lifeCycle.length;
    await ask('/update_residual', 1);
    await ask('/restart');
    await reaches('running', from);
  });

  it('that are killed: the next one ends what they left', async () => {
    const from = lifeCycle.length;
    processes.get(proxy)!.signal('SIGKILL');
    await processes.get(proxy)!.exit;
    expect(activityFolders()).toHaveLength(1);
    processes.set(proxy, system.start(proxy));
    await reaches('running', from);
    await until(
      'the former to be gone',
      async () => activityFolders().length === 1 && (await allocations()) === 1,
      patient,
    );
    await until('one simulation', () => simulators() === 1, patient);
  });

  it('outlive a killed node: its processes and folders are gone, and they deploy on the next', async () => {
    const [former] = activityFolders();
    processes.get('golem-node')!.signal('SIGKILL');
    await processes.get('golem-node')!.exit;
    await until('the end of what ran there', () => simulators() === 0 && !activityFolders().includes(former!), patient);
    const from = lifeCycle.length;
    processes.set('golem-node', system.start('golem-node'));
    await reaches('running', from);
    expect(processes.get(proxy)!.running).toBe(true);
    expect(await allocations()).toBe(1);
  });

  it('leave nothing behind at SIGTERM', async () => {
    processes.get(proxy)!.signal('SIGTERM');
    processes.get('simple-service-2')!.signal('SIGTERM');
    for (const name of [proxy, 'simple-service-2']) {
      expect(await processes.get(name)!.ended(patient)).toEqual({ code: 0, signal: null });
    }
    await until('nothing to be left', async () => activityFolders().length + (await allocations()) === 0, patient);
    expect(simulators()).toBe(0);
    processes.get('golem-node')!.signal('SIGTERM');
    expect(await processes.get('golem-node')!.ended(patient)).toEqual({ code: 0, signal: null });
    expect(new ConnectionFile(system.port('golem-node')).read()).toBeUndefined();
  });
});
