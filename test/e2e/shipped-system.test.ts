import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TestProcess } from '../process.js';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000 });

describe('the shipped system', () => {
  let mesh: ProcessMesh;
  let processes: Map<string, TestProcess>;
  const the = (name: string) => processes.get(name)!;

  beforeAll(async () => {
    mesh = await ProcessMesh.make();
    processes = mesh.startAll();
  });
  afterAll(() => mesh[Symbol.asyncDispose]());

  it.each([
    ['agent-1', 9],
    ['agent-2', 4],
    ['agent-3', 0],
  ])('%s samples in each of its tasks and hears what remains', async (name, lastTask) => {
    for (let task = 0; task <= lastTask; task += 1) {
      await the(name).line(new RegExp(`^Published sample 0\\.\\d+(e-\\d+)? from task ${task}$`), patient);
    }
    await the(name).line(new RegExp(`^INFO:${name}:Remainder: \\d{1,3}$`), patient);
  });

  it.each(['supervisor-1', 'supervisor-2'])('%s passes on what remains', async (name) => {
    await the(name).line(new RegExp(`^INFO:${name}:Residual: value: \\d{1,3}$`), patient);
  });

  it('storage stores and removes', async () => {
    const [, stored, remaining] = await the('storage').line(
      /^INFO:storage:Storage: (\d+)\/500 \((\d+) remaining\)$/,
      patient,
    );
    expect(Number(stored) + Number(remaining)).toBe(500);
    await the('storage').line(/^INFO:storage:Removed from storage: 50\/500$/, patient);
  });

  it('prints no warning once every service is there', async () => {
    const from = new Map([...processes].map(([name, process]) => [name, process.lines.length]));
    await the('storage').line(/Removed from storage/, { ...patient, from: from.get('storage')! });
    for (const [name, { lines }] of processes) {
      expect(lines.slice(from.get(name)).filter((line) => /^(WARNING|ERROR)/.test(line))).toEqual([]);
    }
  });

  it('drains on SIGTERM: every process ends with 0 and says why', async () => {
    for (const process of processes.values()) process.signal('SIGTERM');
    for (const [name, process] of processes) {
      expect(await process.ended(patient), name).toEqual({ code: 0, signal: null });
      expect(process.lines.at(-1)).toBe(`INFO:${name}:draining (SIGTERM)`);
    }
  });
});
