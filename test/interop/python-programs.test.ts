import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { ProcessMesh, patient } from '../e2e/process-mesh.js';
import { rootDirectory, type TestProcess } from '../process.js';
import { describeWithPython } from './python-peer.js';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

/*
 * One system of six, in which a Python program takes the seat of one of ours, in turn.
 */
describeWithPython('a Python program in the seat of ours', (peer) => {
  let mesh: ProcessMesh;
  let ours: Map<string, TestProcess>;
  const the = (name: string) => ours.get(name)!;

  beforeAll(async () => {
    // agent-2 is all but silent, so that what supervisor-1 does it does for agent-1.
    mesh = await ProcessMesh.make({ args: { 'agent-2': ['rate=0.001', 'num_tasks=1'] } });
    ours = mesh.startAll();
    await the('agent-1').line(/^INFO:agent-1:Remainder: \d+$/, patient);
  });
  afterEach((context) => {
    for (const [name, { lines }] of ours) {
      expect(
        lines.filter((line) => line.startsWith('ERROR')),
        `${name} in ${context.task.name}`,
      ).toEqual([]);
    }
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  /** Ends one of ours and gives its port away. */
  async function vacate(name: string): Promise<void> {
    the(name).signal('SIGTERM');
    expect(await the(name).ended(patient)).toEqual({ code: 0, signal: null });
  }

  const goesOn = (name: string, pattern: RegExp) =>
    the(name).line(pattern, { ...patient, from: the(name).lines.length });

  it('agent', async () => {
    await vacate('agent-1');
    const agent = peer.program('agent', mesh.configFile, 'agent-1');
    await agent.printed(/^Published sample 0\.\d+(e-\d+)? from task \d$/, patient);
    await agent.printed(/^INFO:agent-1:Remainder: \d+$/, patient);
    for (let round = 0; round < 10; round += 1)
      await goesOn('supervisor-1', /^INFO:supervisor-1:Residual: value: \d+$/);
    expect(the('supervisor-1').lines.filter((line) => line.includes('agent-1 is a farm-ng service'))).toHaveLength(1);
    expect(agent.running).toBe(true);
    await agent.stop();
    ours.set('agent-1', mesh.start('agent-1'));
    await goesOn('agent-1', /^INFO:agent-1:Remainder: \d+$/);
  });

  it('supervisor', async () => {
    await vacate('supervisor-1');
    const supervisor = peer.program('supervisor', mesh.configFile, 'supervisor-1');
    await supervisor.printed(/^INFO:supervisor-1:Residual: value: \d+/, patient);
    for (let round = 0; round < 10; round += 1) await goesOn('agent-1', /^INFO:agent-1:Remainder: \d+$/);
    await goesOn('storage', /^INFO:storage:Storage: \d+\/500 \(\d+ remaining\)$/);

    expect(supervisor.running).toBe(true);
    await supervisor.stop();
    ours.set('supervisor-1', mesh.start('supervisor-1'));
    await goesOn('supervisor-1', /^INFO:supervisor-1:Residual: value: \d+$/);
  });

  it('storage', async () => {
    const supervisors = ['supervisor-1', 'supervisor-2'].map((name) => ({ name, from: the(name).lines.length }));
    await vacate('storage');
    const storage = peer.program('storage', mesh.configFile, 'storage');
    await storage.printed(/^INFO:storage:Storage: \d+\/500 \(\d+ remaining\)$/, patient);
    await storage.printed(/^INFO:storage:Removed from storage: 50\/500$/, patient);
    for (const { name, from } of supervisors) {
      await goesOn(name, new RegExp(`^INFO:${name}:Residual: value: \\d+$`));
      const said = the(name).lines.slice(from);
      expect(said.filter((line) => line.includes('waiting for storage'))).toHaveLength(1);
    }
    for (const name of ['agent-1', 'agent-3']) await goesOn(name, new RegExp(`^INFO:${name}:Remainder: \\d+$`));
    expect(storage.running).toBe(true);
  });

  it('loads the shipped configuration', async () => {
    const probe = peer.probe('check-config', { name: 'storage' }, `${rootDirectory}service_config.json`);
    expect((await probe.next('config')).config).toMatchObject({
      name: 'storage',
      host: 'localhost',
      port: 7010,
      logLevel: 'INFO',
      args: ['max_storage=500', 'batch_size=50'],
    });
  });
});
