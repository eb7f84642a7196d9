import { describe, expect, it, vi } from 'vitest';
import { ProcessMesh, patient } from './process-mesh.js';

vi.setConfig({ testTimeout: 60_000 });

const maxStorage = 4;
const batchSize = 2;

/** Follows the storage's own lines and fails on the first that cannot be true. Returns how often it refused. */
function followStorage(lines: readonly string[]): { stored: number; refused: number; most: number } {
  let stored = 0;
  let refused = 0;
  let most = 0;
  for (const line of lines) {
    const unit = line.match(/Storage: (\d+)\/4 \((\d+) remaining\)$/);
    const full = line.match(/Storage: full at (\d+)\/4, (\d+) refused so far$/);
    if (unit !== null) {
      stored += 1;
      expect(line).toContain(`Storage: ${stored}/4 (${maxStorage - stored} remaining)`);
    } else if (full !== null) {
      refused += 1;
      expect(line).toContain(`Storage: full at ${maxStorage}/4, ${refused} refused so far`);
      expect(stored).toBe(maxStorage);
    } else if (line.includes('Removed from storage')) {
      expect(line).toContain('Removed from storage: 2/4');
      stored -= batchSize;
    }
    expect(stored).toBeGreaterThanOrEqual(0);
    expect(stored).toBeLessThanOrEqual(maxStorage);
    most = Math.max(most, stored);
  }
  return { stored, refused, most };
}

/** The pauses in an agent's lines; fails when it published in one. Samples of its tasks may be under way at its start. */
function pausesOf(lines: readonly string[], tasks: number): number {
  let pauses = 0;
  let paused = false;
  let published = 0;
  for (const line of lines) {
    const remainder = line.match(/:Remainder: (\d+)$/);
    if (remainder !== null) {
      if (remainder[1] === '0' && !paused) {
        pauses += 1;
        published = 0;
      }
      paused = remainder[1] === '0';
    }
    if (line.startsWith('Published') && paused) published += 1;
    expect(published, `samples published at a residual of 0, before ${line}`).toBeLessThanOrEqual(tasks);
  }
  return pauses;
}

describe('a small storage that fills', () => {
  it('pauses and resumes its agents again and again', async () => {
    await using mesh = await ProcessMesh.make({
      args: {
        'agent-1': ['rate=50', 'num_tasks=2'],
        'agent-2': ['rate=50', 'num_tasks=2'],
        'agent-3': ['rate=100', 'num_tasks=1'],
        storage: [`max_storage=${maxStorage}`, `batch_size=${batchSize}`],
      },
    });
    const processes = mesh.startAll();
    const agents = ['agent-1', 'agent-2', 'agent-3'].map((name) => processes.get(name)!);
    for (const agent of agents) {
      for (let pause = 0, from = 0; pause < 10; pause += 1) {
        await agent.line(/:paused: nothing remains; waiting for \/update_residual$/, { ...patient, from });
        from = agent.lines.findIndex((line, index) => index >= from && line.includes(':paused:')) + 1;
        await agent.line(/^Published sample/, { ...patient, from });
      }
    }
    const storage = processes.get('storage')!;
    await storage.line(/^INFO:storage:Storage: full at 4\/4, \d+ refused so far$/, patient);

    // Whatever has happened by now: everybody still works.
    for (const [name, pattern] of [
      ['storage', /Removed from storage: 2\/4/],
      ['supervisor-1', /Residual: value: \d+/],
      ['supervisor-2', /Residual: value: \d+/],
      ['agent-1', /^Published sample/],
      ['agent-2', /^Published sample/],
      ['agent-3', /^Published sample/],
    ] as const) {
      const process = processes.get(name)!;
      await process.line(pattern, { ...patient, from: process.lines.length });
    }
    const { refused, most } = followStorage(storage.lines);
    expect(most).toBe(maxStorage);
    expect(refused).toBeGreaterThan(0);
    for (const [agent, tasks] of [
      [agents[0], 2],
      [agents[1], 2],
      [agents[2], 1],
    ] as const) {
      expect(pausesOf(agent!.lines, tasks)).toBeGreaterThanOrEqual(10);
    }
  });
});
