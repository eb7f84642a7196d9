import { Service, type ServiceHandler, type TerminationReason, type WorkContext } from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { allAre, payload, quick, startGolem, statesOf, until } from './start-golem.js';

/** Notes every handler it goes through. */
class Noting extends Service<{ notes: string[] } | undefined> {
  readonly notes: string[] = this.params?.notes ?? [];
  reason: TerminationReason | undefined;

  override async *start(work: WorkContext): ServiceHandler {
    this.notes.push('start');
    yield* super.start(work);
  }
  override async *run(work: WorkContext): ServiceHandler {
    this.notes.push('run');
    yield* super.run(work);
  }
  override async *shutdown(work: WorkContext): ServiceHandler {
    this.notes.push('shutdown');
    yield* super.shutdown(work);
  }
  override terminated(reason: TerminationReason): void {
    this.notes.push('terminated');
    this.reason = reason;
  }
}

describe('the life of an instance', () => {
  test('runs through all its handlers, and leaves nothing behind', async () => {
    const { golem, daemon, events, types } = await startGolem();
    const cluster = await golem.runService(Noting, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    expect(instance).toMatchObject({ name: 'Noting-1', provider: { name: expect.stringContaining('name of p') } });
    cluster.stop();
    await cluster.ended;
    expect(instance?.service.notes).toEqual(['start', 'run', 'shutdown', 'terminated']);
    expect(instance?.reason?.kind).toBe('stopped');
    expect(instance?.service.reason).toBe(instance?.reason);
    expect(statesOf(events, instance?.id ?? '')).toEqual(['pending', 'starting', 'running', 'stopping', 'terminated']);
    await golem.close();
    expect([...daemon.agreements.values()].map(({ state }) => state)).toEqual(['Terminated']);
    expect([...daemon.activities.values()].map(({ state }) => state)).toEqual(['Terminated']);
    expect([...daemon.invoices.values()].map(({ status }) => status)).toEqual(['ACCEPTED']);
    expect(daemon.demands.size).toBe(0);
    expect(daemon.allocations.size).toBe(0);
    expect(types()).toContain('InvoiceAccepted');
    expect(types().at(-1)).toBe('ShutdownFinished');
  });

  test('a run handler that ends leads to shutdown', async () => {
    class Brief extends Noting {
      // biome-ignore lint/correctness/useYield: it has nothing to run
      override async *run(): ServiceHandler {
        this.notes.push('run');
      }
    }
    const { golem } = await startGolem();
    const cluster = await golem.runService(Brief, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('finished');
    expect(cluster.instances[0]?.service.notes).toEqual(['start', 'run', 'shutdown', 'terminated']);
  });

  test('a run handler that fails leads to shutdown, and the reason carries the error', async () => {
    class Failing extends Noting {
      // biome-ignore lint/correctness/useYield: it fails before
      override async *run(): ServiceHandler {
        throw new Error('the sensor is gone');
      }
    }
    const { golem, events } = await startGolem();
    const cluster = await golem.runService(Failing, quick);
    await cluster.ended;
    const [instance] = cluster.instances;
    expect(instance?.reason).toMatchObject({ kind: 'failed', error: { message: 'the sensor is gone' } });
    expect(instance?.service.notes).toEqual(['start', 'shutdown', 'terminated']);
    expect(events.find(({ type }) => type === 'ServiceFinished')).toMatchObject({ reason: 'failed' });
  });

  test('a failing shutdown runs once and ends the instance', async () => {
    class BadEnd extends Noting {
      // biome-ignore lint/correctness/useYield: it fails before
      override async *shutdown(): ServiceHandler {
        this.notes.push('shutdown');
        throw new Error('no');
      }
    }
    const { golem } = await startGolem();
    const cluster = await golem.runService(BadEnd, quick);
    await until(cluster, allAre('running'));
    cluster.stop();
    await cluster.ended;
    expect(cluster.instances[0]?.service.notes).toEqual(['start', 'run', 'shutdown', 'terminated']);
    expect(cluster.instances[0]?.reason).toMatchObject({ kind: 'stopped', error: { message: 'no' } });
  });

  test('told to stop while starting: terminated without shutdown, and not started again', async () => {
    class Slow extends Noting {
      override async *start(work: WorkContext): ServiceHandler {
        yield* super.start(work);
        this.notes.push('started halfway');
        await new Promise((resolve) => work.signal.addEventListener('abort', resolve));
        yield work.newScript();
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Slow, quick);
    await expect.poll(() => cluster.instances[0]?.service.notes).toContain('started halfway');
    cluster.stop();
    await cluster.ended;
    expect(cluster.instances[0]?.service.notes).toEqual(['start', 'started halfway', 'terminated']);
    expect(cluster.instances[0]?.reason?.kind).toBe('stopped');
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('told to stop while its activity is being created: the stop is kept until starting', async () => {
    const { golem, daemon, events } = await startGolem([{ id: 'p1' }]);
    const cluster = await golem.runService(Noting, quick);
    const { createActivity } = daemon.activity;
    daemon.activity.createActivity = async (...args) => {
      cluster.stop();
      return createActivity(...args);
    };
    await cluster.ended;
    const [instance] = cluster.instances;
    expect(statesOf(events, instance?.id ?? '')).toEqual(['pending', 'starting', 'terminated']);
    expect(instance?.service.notes).toEqual(['terminated']);
    expect(daemon.count('exec')).toBe(0);
    expect([...daemon.agreements.values()].map(({ state }) => state)).toEqual(['Terminated']);
  });

  test('told to stop while nobody is found: it ends, and looks no longer', async () => {
    const { golem, daemon, events } = await startGolem([]);
    const cluster = await golem.runService(Noting, quick);
    await expect.poll(() => daemon.count('collectOffers')).toBeGreaterThan(0);
    cluster.stop();
    await cluster.ended;
    expect(statesOf(events, cluster.instances[0]?.id ?? '')).toEqual(['pending', 'terminated']);
    expect(daemon.demands.size).toBe(0);
  });

  test('a provider that ends the agreement ends the instance at once, without shutdown', async () => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Noting, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    daemon.terminateByProvider(instance?.agreementId ?? '', 'power cut');
    const reason = await instance?.ended;
    expect(reason).toMatchObject({ kind: 'agreement-terminated', message: expect.stringContaining('power cut') });
    expect(instance?.service.notes).toEqual(['start', 'run', 'terminated']);
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('several agreements ended in one poll end all their instances', async () => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Noting, { ...quick, numInstances: 3 });
    await until(cluster, allAre('running'));
    daemon.isAway = true;
    daemon.tell();
    for (const { agreementId } of cluster.instances) daemon.terminateByProvider(agreementId ?? '');
    daemon.isAway = false;
    await cluster.ended;
    expect(cluster.instances.map(({ reason }) => reason?.kind)).toEqual(Array(3).fill('agreement-terminated'));
  });

  test('an activity that is gone in the middle of a batch ends the instance without shutdown', async () => {
    class Asking extends Noting {
      override async *run(work: WorkContext): ServiceHandler {
        await work.receive();
        const script = work.newScript();
        script.run('/bin/true');
        yield script;
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Asking, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    daemon.failNext('exec', new MeshError('not-found', 'no such activity'));
    instance?.send('go');
    expect((await instance?.ended)?.kind).toBe('activity-gone');
    expect(instance?.service.notes).toEqual(['start', 'terminated']);
  });

  test('a handler parked on something that never comes is abandoned after the grace time', async () => {
    let finallyRan = false;
    class Parked extends Noting {
      override async *run(work: WorkContext): ServiceHandler {
        this.notes.push('run');
        try {
          await new Promise(() => undefined);
        } finally {
          finallyRan = true;
        }
        yield work.newScript();
      }
    }
    const { golem } = await startGolem();
    const cluster = await golem.runService(Parked, quick);
    await until(cluster, allAre('running'));
    cluster.stop();
    await cluster.ended;
    expect(cluster.instances[0]?.service.notes).toEqual(['start', 'run', 'shutdown', 'terminated']);
    expect(finallyRan).toBe(false);
  });

  test('its time over, an instance is shut down with that reason', async () => {
    const { golem } = await startGolem();
    const cluster = await golem.runService(Noting, { ...quick, expiration: new Date(Date.now() + 800) });
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('expired');
    expect(cluster.instances[0]?.service.notes).toEqual(['start', 'run', 'shutdown', 'terminated']);
  });

  test('terminate ends what does not shut down in time, and terminates the agreements', async () => {
    class Stubborn extends Noting {
      override async *shutdown(work: WorkContext): ServiceHandler {
        await new Promise(() => undefined);
        yield work.newScript();
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Stubborn, { ...quick, numInstances: 2 });
    await until(cluster, allAre('running'));
    await cluster.terminate({ timeoutMs: 50 });
    expect(cluster.instances.map(({ reason }) => reason?.kind)).toEqual(['killed', 'killed']);
    expect([...daemon.agreements.values()].map(({ state }) => state)).toEqual(['Terminated', 'Terminated']);
  });

  test('handlers that are no async generators are a TypeError before anything costs money', async () => {
    class AsyncFunction extends Service {}
    Object.assign(AsyncFunction.prototype, { run: async () => undefined });
    class PlainGenerator extends Service {}
    Object.assign(PlainGenerator.prototype, { *start() {} });
    const { golem, daemon } = await startGolem();
    await expect(golem.runService(AsyncFunction as never, { payload })).rejects.toThrow(TypeError);
    await expect(golem.runService(PlainGenerator as never, { payload })).rejects.toThrow(/async \*start/);
    expect(daemon.count('createAllocation')).toBe(0);
  });

  test('a handler that yields something else ends the instance with a TypeError that says so', async () => {
    class Wrong extends Noting {
      override async *start(): ServiceHandler {
        yield 'deploy' as never;
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Wrong, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.message).toMatch(/Wrong.start must yield scripts/);
    expect(daemon.count('createAgreement')).toBe(1);
  });
});
