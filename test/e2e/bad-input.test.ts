import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startService } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describe('a service that cannot start says why and where', () => {
  let mesh: ProcessMesh;
  beforeAll(async () => {
    mesh = await ProcessMesh.make({
      args: {
        'agent-1': ['rate=abc', 'num_task=10'],
        'agent-2': ['rate=0'],
        storage: ['max_storage=20', 'batch_size=30'],
        'supervisor-1': ['confidence=2', 'residual=storage/residul'],
        'supervisor-2': ['residual=store/residual'],
      },
    });
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  it.concurrent.each([
    ['agent', 'agent-1', ['rate=abc', 'not a number', '"num_task"', 'did you mean "num_tasks"?']],
    ['agent', 'agent-2', ['rate=0', 'below the least, 0.001 Hz']],
    ['agent', 'agent-7', ['"agent-7"', 'did you mean "agent-']],
    ['storage', 'storage', ['batch_size=30', 'max_storage=20']],
    ['supervisor', 'supervisor-1', ['confidence=2', 'above the most, 1']],
    ['supervisor', 'supervisor-2', ['store/residual', 'did you mean "storage"?']],
  ])('%s as %s', async (program, name, words) => {
    const started = startService(program, ['-c', mesh.configFile, '-n', name]);
    expect(await started.ended(patient)).toEqual({ code: 2, signal: null });
    const said = started.lines.join('\n');
    for (const word of [name, mesh.configFile, ...words]) expect(said).toContain(word);
    expect(said).not.toMatch(/^ +at /m);
  });

  it.concurrent('a port in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(mesh.port('agent-3'), 'localhost', resolve));
    const started = mesh.start('agent-3');
    expect(await started.ended(patient)).toEqual({ code: 4, signal: null });
    expect(started.lines.at(-1)).toBe(
      `agent-3: port ${mesh.port('agent-3')} of localhost is in use by another process`,
    );
    taken.close();
  });

  it.concurrent('a file that is no configuration, and one that is not there', async () => {
    const broken = `${mesh.configFile}.broken`;
    writeFileSync(broken, '{"configs": [}');
    const refused = [broken, `${mesh.configFile}.missing`].map(async (file) => {
      const started = startService('agent', ['-c', file, '-n', 'agent-1']);
      expect(await started.ended(patient)).toEqual({ code: 2, signal: null });
      expect(started.lines.join('\n')).toContain(file);
    });
    await Promise.all(refused);
  });

  it.concurrent.each([
    [['-c', 'x.json'], '--service-name'],
    [['-n', 'agent-1', '--service-confg', 'x.json'], '--service-config'],
    [['-n', 'agent-1', '--drain-ms', 'soon'], '--drain-ms'],
  ])('the command line %j', async (args, word) => {
    const started = startService('agent', args);
    expect(await started.ended(patient)).toEqual({ code: 2, signal: null });
    expect(started.lines.join('\n')).toContain(word);
  });
});
