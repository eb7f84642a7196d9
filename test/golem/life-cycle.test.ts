import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { lifeCycle, nextState, type ServiceSignal, type ServiceState } from 'furrow/golem';
import { describe, expect, test } from 'vitest';

const drawing = readFileSync(fileURLToPath(new URL('../../docs/golem-life-cycle.md', import.meta.url)), 'utf8');

/** The arrows of the Mermaid diagram: `a --> b: signal, signal`. */
function arrows(): string[] {
  const diagram = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(drawing)?.[1] ?? '';
  return [...diagram.matchAll(/^ *(\S+) --> (\S+): (.+)$/gm)].flatMap(([, from, to, signals = '']) =>
    signals.split(',').map((signal) => `${from} ${signal.trim()} ${to}`),
  );
}

describe('the state machine', () => {
  test('is the one the documentation draws', () => {
    expect(arrows().sort()).toEqual(lifeCycle.map(({ from, on, to }) => `${from} ${on} ${to}`).sort());
  });

  test.each(lifeCycle.map((transition) => [transition]))('%j', ({ from, on, to }) => {
    const left = to === 'starting' || to === 'running' || to === 'stopping' ? to : 'running';
    expect(nextState(from, on, left)).toBe(to);
  });

  test('ends: nothing leads out of terminated, and terminated is reached from everywhere', () => {
    expect(lifeCycle.filter(({ from }) => from === 'terminated')).toEqual([]);
    const reached = new Set<ServiceState>(['terminated']);
    for (let grew = true; grew; ) {
      const before = reached.size;
      for (const { from, to } of lifeCycle) if (reached.has(to)) reached.add(from);
      grew = reached.size > before;
    }
    expect([...reached].sort()).toEqual([...new Set(lifeCycle.flatMap(({ from, to }) => [from, to]))].sort());
  });

  test('whatever signals come in whatever order, the state stays one of the table or the signal is refused', () => {
    const signals = [...new Set(lifeCycle.map(({ on }) => on))];
    fc.assert(
      fc.property(fc.array(fc.constantFrom<ServiceSignal>(...signals)), (sequence) => {
        let state: ServiceState = 'pending';
        for (const signal of sequence) {
          const allowed = lifeCycle.some(({ from, on }) => from === state && on === signal);
          if (allowed) state = nextState(state, signal, 'running');
          else expect(() => nextState(state, signal)).toThrow(/cannot take/);
        }
      }),
    );
  });
});
