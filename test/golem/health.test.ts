import { Service, type ServiceHandler, type WorkContext } from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { allAre, quick, startGolem, statesOf, until } from './start-golem.js';

class Waiting extends Service {
  aborted = false;
  override async *run(work: WorkContext): ServiceHandler {
    work.signal.addEventListener('abort', () => {
      this.aborted = true;
    });
    yield* super.run(work);
  }
}

const unreachable = new MeshError('unavailable', 'no route to the provider');

describe('health checks', () => {
  test('three failures in a row end the instance abruptly', async () => {
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Waiting, { ...quick, healthCheck: { intervalMs: 10 } });
    await until(cluster, allAre('running'));
    daemon.failNext('state', unreachable, unreachable, unreachable);
    const [instance] = cluster.instances;
    expect(await instance?.ended).toMatchObject({ kind: 'unresponsive', message: expect.stringContaining('no route') });
    expect(instance?.service.aborted).toBe(true);
    expect(statesOf(events, instance?.id ?? '').slice(2)).toEqual(['running', 'unresponsive', 'terminated']);
  });

  test('a success between two failures resets the count', async () => {
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Waiting, { ...quick, healthCheck: { intervalMs: 5 } });
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    const isLost = () => statesOf(events, instance?.id ?? '').filter((state) => state === 'unresponsive').length;
    daemon.failNext('state', unreachable, unreachable);
    await until(cluster, () => isLost() === 1 && instance?.state === 'running');
    daemon.failNext('state', unreachable, unreachable);
    await until(cluster, () => isLost() === 2 && instance?.state === 'running');
    expect(instance?.reason).toBeUndefined();
  });

  test('an activity found ended is an end at once', async () => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Waiting, { ...quick, healthCheck: { intervalMs: 5 } });
    await until(cluster, allAre('running'));
    for (const activity of daemon.activities.values()) activity.state = 'Terminated';
    expect((await cluster.instances[0]?.ended)?.kind).toBe('activity-gone');
  });

  test('an unresponsive instance can still be stopped, and shuts down', async () => {
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Waiting, { ...quick, healthCheck: { intervalMs: 5, failures: 1000 } });
    await until(cluster, allAre('running'));
    daemon.failNext('state', ...Array(1000).fill(unreachable));
    await until(cluster, allAre('unresponsive'));
    cluster.stop();
    await cluster.ended;
    const [instance] = cluster.instances;
    expect(instance?.reason?.kind).toBe('stopped');
    expect(statesOf(events, instance?.id ?? '')).toContain('stopping');
  });

  test('an unresponsive instance whose handler fails is not called running in between', async () => {
    class Failing extends Waiting {
      // biome-ignore lint/correctness/useYield: it comes to no script
      override async *run(work: WorkContext): ServiceHandler {
        await work.receive();
        throw new Error('the provider is gone');
      }
    }
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Failing, { ...quick, healthCheck: { intervalMs: 5, failures: 1000 } });
    await until(cluster, allAre('running'));
    daemon.failNext('state', ...Array(1000).fill(unreachable));
    await until(cluster, allAre('unresponsive'));
    const [instance] = cluster.instances;
    instance?.send('fail');
    await cluster.ended;
    const states = statesOf(events, instance?.id ?? '');
    expect(states.slice(2, 5)).toEqual(['running', 'unresponsive', 'stopping']);
  });

  test('null asks nothing', async () => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Waiting, { ...quick, healthCheck: null });
    await until(cluster, allAre('running'));
    cluster.stop();
    await cluster.ended;
    expect(daemon.count('state')).toBe(0);
  });
});

describe('suspending', () => {
  test('stops the handler between batches, keeps the activity, and begins the handler anew', async () => {
    let runs = 0;
    class Counting extends Waiting {
      override async *run(work: WorkContext): ServiceHandler {
        runs += 1;
        yield* super.run(work);
      }
    }
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Counting, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    instance?.suspend();
    await until(cluster, allAre('suspended'));
    expect([...daemon.activities.values()].map(({ state }) => state)).toEqual(['Ready']);
    instance?.resume();
    await until(cluster, allAre('running'));
    await expect.poll(() => runs).toBe(2);
    cluster.stop();
    await cluster.ended;
    const states = statesOf(events, instance?.id ?? '');
    expect(states).toEqual(['pending', 'starting', 'running', 'suspended', 'running', 'stopping', 'terminated']);
  });

  test('a suspended instance can be stopped', async () => {
    const { golem } = await startGolem();
    const cluster = await golem.runService(Waiting, quick);
    await until(cluster, allAre('running'));
    cluster.instances[0]?.suspend();
    await until(cluster, allAre('suspended'));
    cluster.stop();
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('stopped');
  });

  test('a suspended instance whose provider leaves is ended', async () => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Waiting, quick);
    await until(cluster, allAre('running'));
    cluster.instances[0]?.suspend();
    await until(cluster, allAre('suspended'));
    daemon.terminateByProvider(cluster.instances[0]?.agreementId ?? '');
    expect((await cluster.instances[0]?.ended)?.kind).toBe('agreement-terminated');
  });

  test('detached instances go on in another Golem, as data, in the state they were in', async () => {
    const first = await startGolem();
    const cluster = await first.golem.runService(Waiting, quick);
    await until(cluster, allAre('running'));
    const kept = JSON.parse(JSON.stringify(await cluster.detach()));
    await first.golem.close();
    expect([...first.daemon.activities.values()].map(({ state }) => state)).toEqual(['Ready']);
    expect([...first.daemon.agreements.values()].map(({ state }) => state)).toEqual(['Approved']);

    const second = await startGolem(first.daemon);
    const resumed = await second.golem.resumeService(Waiting, kept, quick);
    await until(resumed, allAre('running'));
    expect(resumed.instances[0]).toMatchObject({ id: cluster.instances[0]?.id, activityId: kept[0].activityId });
    resumed.stop();
    await resumed.ended;
    await second.golem.close();
    expect([...second.daemon.agreements.values()].map(({ state }) => state)).toEqual(['Terminated']);
    expect([...second.daemon.invoices.values()].map(({ status }) => status)).toEqual(['ACCEPTED']);
  });

  test('messages go in and out, and a full mailbox refuses', async () => {
    class Echo extends Waiting {
      override async *run(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        const result = script.run('/bin/echo', [String(await work.receive())]);
        yield script;
        work.post((await result).stdout);
        yield* super.run(work);
      }
    }
    const { golem } = await startGolem();
    const cluster = await golem.runService(Echo, quick);
    const [instance] = cluster.instances;
    const answer = new Promise((resolve) => instance?.messages$.subscribe(resolve));
    instance?.send('hello');
    expect(await answer).toBe('/bin/echo hello\n');
    for (let i = 0; i < 64; i += 1) instance?.send(i);
    expect(() => instance?.send('one more')).toThrow(/64 messages are waiting/);
    cluster.stop();
    await cluster.ended;
    expect(() => instance?.send('late')).toThrow(/has terminated/);
  });
});
