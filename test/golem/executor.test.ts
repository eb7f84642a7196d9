import { Executor, type ExecutorOptions, type GolemEvent, type Script, Task, type WorkContext } from 'furrow/golem';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SmartQueue } from '../../src/golem/smart-queue.js';
import { FakeDaemon, type FakeProvider } from './fake-daemon.js';
import { payload, quick } from './start-golem.js';

const { signal } = new AbortController();

async function open(providers: FakeProvider[], options: Partial<ExecutorOptions> = {}) {
  const daemon = new FakeDaemon(providers);
  const events: GolemEvent[] = [];
  const { payload: _, ...workers } = quick;
  const executor = await Executor.open({
    package: payload,
    budget: 1,
    daemon,
    workers,
    stateDir: null,
    network: 'holesky',
    subnetTag: 'public',
    invoiceTimeoutMs: 200,
    eventConsumer: (event) => events.push(event),
    ...options,
  });
  onTestFinished(() => executor.close());
  return { executor, daemon, types: () => events.map(({ type }) => type) };
}

/** Runs each task's number through a command, and accepts what comes back. */
async function* square(work: WorkContext, tasks: AsyncIterable<Task<number, number>>): AsyncGenerator<Script, void> {
  for await (const task of tasks) {
    const script = work.newScript();
    const result = script.run('/bin/square', [String(task.data)]);
    yield script;
    task.acceptResult(Number((await result).stdout));
  }
}

const squares: FakeProvider['run'] = ({ args }) => ({ stdout: String(Number(args[0]) ** 2) });
const numbers = (count: number) => Array.from({ length: count }, (_, i) => new Task<number, number>(i));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('the task executor', () => {
  test('computes every task once, on several providers, and pays them', async () => {
    const { executor, daemon, types } = await open(
      ['a', 'b', 'c'].map((id) => ({ id, run: squares })),
      { maxWorkers: 2 },
    );
    const done = await all(executor.submit(square, numbers(10)));
    expect(done.map(({ result }) => result).sort((a, b) => Number(a) - Number(b))).toEqual(
      numbers(10).map(({ data }) => data ** 2),
    );
    expect(done.every(({ status, runningTimeMs = -1 }) => status === 'accepted' && runningTimeMs >= 0)).toBe(true);
    expect(daemon.count('createActivity')).toBeLessThanOrEqual(2);
    await executor.close();
    expect(daemon.allocations.size).toBe(0);
    expect([...daemon.invoices.values()].every(({ status }) => status === 'ACCEPTED')).toBe(true);
    for (const type of [
      'WorkerStarted',
      'TaskStarted',
      'TaskAccepted',
      'WorkerFinished',
      'ComputationFinished',
    ] as const) {
      expect(types()).toContain(type);
    }
  });

  test('no tasks need no provider', async () => {
    const { executor, daemon } = await open([{ id: 'a' }]);
    expect(await all(executor.submit(square, []))).toEqual([]);
    expect(daemon.count('createAgreement')).toBe(0);
  });

  test('a task of a failing worker is done by another', async () => {
    let failures = 0;
    const flaky: FakeProvider['run'] = (command) =>
      failures++ === 0 ? { ok: false, message: 'crash' } : squares(command);
    const { executor, types } = await open(
      ['a', 'b'].map((id) => ({ id, run: flaky })),
      { maxWorkers: 1 },
    );
    const done = await all(executor.submit(square, numbers(3)));
    expect(done.map(({ result }) => result).sort()).toEqual([0, 1, 4]);
    expect(types()).toContain('TaskRejected');
  });

  test('a rejected result is tried again when asked, and given up when not', async () => {
    const seen: number[] = [];
    const { executor } = await open([{ id: 'a', run: squares }]);
    async function* picky(work: WorkContext, tasks: AsyncIterable<Task<number, number>>): AsyncGenerator<Script, void> {
      for await (const task of tasks) {
        yield work.newScript();
        seen.push(task.data);
        if (task.data === 0) task.rejectResult('never right');
        else if (seen.filter((n) => n === 1).length === 1) task.rejectResult('once more', { retry: true });
        else task.acceptResult(7);
      }
    }
    const done = await all(executor.submit(picky, numbers(2)));
    expect(done.map(({ data, status }) => [data, status]).sort()).toEqual([
      [0, 'rejected'],
      [1, 'accepted'],
    ]);
    expect(seen.filter((n) => n === 1)).toHaveLength(2);
  });

  test('a bug in the worker ends the computation instead of trying every provider', async () => {
    const { executor, daemon } = await open([{ id: 'a' }, { id: 'b' }], { maxWorkers: 1 });
    async function* broken(
      _work: WorkContext,
      tasks: AsyncIterable<Task<number, number>>,
    ): AsyncGenerator<Script, void> {
      for await (const task of tasks) yield (task as unknown as { no: { such: Script } }).no.such;
    }
    await expect(all(executor.submit(broken, numbers(2)))).rejects.toThrow(/undefined/);
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('a task that wears out its workers fails the computation', async () => {
    const { executor } = await open([{ id: 'a', run: () => ({ ok: false, message: 'always' }) }], {
      maxAttempts: 2,
      maxWorkers: 1,
    });
    await expect(all(executor.submit(square, numbers(1)))).rejects.toThrow(/always/);
  });

  test('a computation that takes too long is ended', async () => {
    const { executor } = await open([], { timeoutMs: 60 });
    await expect(all(executor.submit(square, numbers(1)))).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });

  test('a task is decided once', () => {
    const task = new Task<number, number>(1);
    expect(() => task.acceptResult(1)).toThrow(/is waiting/);
    expect(task.runningTimeMs).toBeUndefined();
  });
});

describe('the queue of tasks', () => {
  test('knows new items from unassigned ones', async () => {
    const queue = new SmartQueue(['a']);
    expect([await queue.hasNewItems(), await queue.hasUnassignedItems()]).toEqual([true, true]);
    expect(await queue.get(signal)).toBe('a');
    expect([await queue.hasNewItems(), await queue.hasUnassignedItems()]).toEqual([false, false]);
    queue.reschedule('a');
    expect([await queue.hasNewItems(), await queue.hasUnassignedItems()]).toEqual([false, true]);
    expect(await queue.get(signal)).toBe('a');
    queue.markDone();
    expect(await queue.get(signal)).toBeUndefined();
    await queue.allDone(signal);
  });

  test('waits for an item in progress, and is not ahead of an endless source', async () => {
    let asked = 0;
    async function* endless() {
      for (;;) yield ++asked;
    }
    const queue = new SmartQueue(endless());
    expect(await Promise.all([queue.get(signal), queue.get(signal)])).toEqual([1, 2]);
    expect(asked).toBeLessThanOrEqual(3);
    const last = new SmartQueue(['x']);
    await last.get(signal);
    const waiting = last.get(signal);
    last.reschedule('x');
    expect(await waiting).toBe('x');
    await expect(last.get(AbortSignal.timeout(10))).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });
});
