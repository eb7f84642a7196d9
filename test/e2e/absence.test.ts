import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TestProcess } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/*
 * One mesh, from whose services one after the other is taken. Each test leaves all of them running again.
 */
describe('a service that goes away', () => {
  let mesh: ProcessMesh;
  let processes: Map<string, TestProcess>;
  const the = (name: string) => processes.get(name)!;

  beforeAll(async () => {
    mesh = await ProcessMesh.make({
      services: ['agent-1', 'agent-2', 'supervisor-1', 'storage'],
      args: { 'agent-1': ['rate=25', 'num_tasks=2'], 'agent-2': ['rate=25', 'num_tasks=2'] },
    });
    processes = mesh.startAll();
    await goesOn('agent-1', 'agent-2', 'supervisor-1', 'storage');
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  const signs: Record<string, RegExp> = {
    'agent-1': /^INFO:agent-1:Remainder: \d+$/,
    'agent-2': /^INFO:agent-2:Remainder: \d+$/,
    'supervisor-1': /^INFO:supervisor-1:Residual: value: \d+$/,
    storage: /^INFO:storage:Storage: \d+\/500 \(\d+ remaining\)$/,
  };

  /** Waits until each of them has done its work once more than now. */
  async function goesOn(...names: string[]): Promise<void> {
    await Promise.all(names.map((name) => the(name).line(signs[name]!, { ...patient, from: the(name).lines.length })));
  }

  async function publishes(name: string, count: number): Promise<void> {
    for (let sample = 0; sample < count; sample += 1) {
      await the(name).line(/^Published sample/, { ...patient, from: the(name).lines.length });
    }
  }

  async function kill(name: string): Promise<void> {
    the(name).signal('SIGKILL');
    expect(await the(name).ended(patient)).toMatchObject({ signal: 'SIGKILL' });
  }

  /** What the supervisor printed of a service's comings and goings since a line. */
  const saidOf = (name: string, from: number) =>
    the('supervisor-1')
      .lines.slice(from)
      .filter((line) => line.includes(`waiting for ${name}`) || line.includes(`${name} is there`))
      .map((line) => line.replace(/: .*/, ''));

  it('storage: the agents sample on, the supervisor says once that it waits, and goes on when it returns', async () => {
    const from = the('supervisor-1').lines.length;
    await kill('storage');
    await the('supervisor-1').line(/^WARNING:supervisor-1:waiting for storage: .*localhost:\d+/, { ...patient, from });
    await Promise.all([publishes('agent-1', 50), publishes('agent-2', 50)]);
    processes.set('storage', mesh.start('storage'));
    await the('supervisor-1').line(/^INFO:supervisor-1:storage is there$/, { ...patient, from });
    await goesOn('agent-1', 'agent-2', 'supervisor-1', 'storage');
    expect(saidOf('storage', from)).toEqual([
      'WARNING:supervisor-1:waiting for storage',
      'INFO:supervisor-1:storage is there',
    ]);
    expect(the('storage').lines[0]).toMatch(/^INFO:storage:Storage: 1\/500 \(499 remaining\)$/);
  });

  it('an agent: the others go on, and it is taken up again', async () => {
    const from = the('supervisor-1').lines.length;
    await kill('agent-1');
    await the('supervisor-1').line(/^WARNING:supervisor-1:waiting for agent-1: .*localhost:\d+/, { ...patient, from });
    for (let round = 0; round < 5; round += 1) await goesOn('agent-2', 'supervisor-1', 'storage');
    processes.set('agent-1', mesh.start('agent-1'));
    await the('supervisor-1').line(/^INFO:supervisor-1:agent-1 is there$/, { ...patient, from });
    await goesOn('agent-1', 'agent-2', 'supervisor-1', 'storage');
    expect(saidOf('agent-1', from)).toEqual([
      'WARNING:supervisor-1:waiting for agent-1',
      'INFO:supervisor-1:agent-1 is there',
    ]);
  });

  it('the supervisor: its agents sample on, and hear from it again', async () => {
    await kill('supervisor-1');
    await Promise.all([publishes('agent-1', 20), publishes('agent-2', 20)]);
    processes.set('supervisor-1', mesh.start('supervisor-1'));
    await goesOn('agent-1', 'agent-2', 'supervisor-1', 'storage');
    for (const name of ['agent-1', 'agent-2', 'storage']) {
      expect(the(name).lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
    }
  });

  it('a supervisor that stands still: its agents do not wait for it, and it goes on where it was', async () => {
    const from = the('supervisor-1').lines.length;
    the('supervisor-1').signal('SIGSTOP');
    await Promise.all([publishes('agent-1', 50), publishes('agent-2', 50)]);
    the('supervisor-1').signal('SIGCONT');
    await goesOn('agent-1', 'agent-2', 'supervisor-1', 'storage');
    expect(
      the('supervisor-1')
        .lines.slice(from)
        .filter((line) => !signs['supervisor-1']!.test(line)),
    ).toEqual([]);
  });
});
