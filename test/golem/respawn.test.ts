import { Service, type ServiceHandler, type TerminationReason, type WorkContext } from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { allAre, quick, startGolem, statesOf, until } from './start-golem.js';

class Plain extends Service {
  reasons: TerminationReason[] = [];
  override terminated(reason: TerminationReason): void {
    this.reasons.push(reason);
  }
}

describe('trying another provider', () => {
  test('an instance whose start failed is tried elsewhere, with the same id', async () => {
    const { golem, daemon, events } = await startGolem([
      { id: 'cheap', prices: [0, 0, 0], run: () => ({ ok: false, message: 'no disk' }) },
      { id: 'dear', prices: [0.001, 0, 0] },
    ]);
    class Starting extends Plain {
      override async *start(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        script.deploy();
        script.run('/bin/prepare');
        yield script;
      }
    }
    const cluster = await golem.runService(Starting, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    expect(instance?.provider?.id).toBe('dear');
    expect(statesOf(events, instance?.id ?? '')).toEqual(['pending', 'starting', 'pending', 'starting', 'running']);
    expect(instance?.service.reasons).toEqual([]);
    expect([...daemon.agreements.values()].map(({ state }) => state)).toEqual(['Terminated', 'Approved']);
  });

  test('a provider that cannot create the activity is passed over', async () => {
    const { golem, types } = await startGolem([
      { id: 'broken', prices: [0, 0, 0], activity: 'fail' },
      { id: 'good', prices: [0.001, 0, 0] },
    ]);
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    expect(cluster.instances[0]?.provider?.id).toBe('good');
    expect(types()).toContain('ActivityCreateFailed');
  });

  test.each(['reject', 'ignore'] as const)(
    'a provider that would %s the agreement is passed over',
    async (approval) => {
      const { golem, types } = await startGolem([
        { id: 'unwilling', prices: [0, 0, 0], approval },
        { id: 'good', prices: [0.001, 0, 0] },
      ]);
      const cluster = await golem.runService(Plain, { ...quick, approvalTimeoutMs: 100 });
      await until(cluster, allAre('running'));
      expect(cluster.instances[0]?.provider?.id).toBe('good');
      expect(types()).toContain('AgreementRejected');
    },
  );

  test('not, when respawnUnstartedInstances is false', async () => {
    const { golem, daemon } = await startGolem([{ id: 'p1', activity: 'fail' }, { id: 'p2' }]);
    daemon.providers.reverse();
    for (const provider of daemon.providers) provider.activity = 'fail';
    const cluster = await golem.runService(Plain, { ...quick, respawnUnstartedInstances: false });
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('not-started');
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('not, when the failure is the caller’s own: a file that is not there', async () => {
    class Sending extends Plain {
      override async *start(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        script.sendFile('/no/such/file', '/golem/in/file');
        yield script;
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Sending, quick);
    await cluster.ended;
    const [instance] = cluster.instances;
    expect(instance?.reason).toMatchObject({ kind: 'start-failed', error: { code: 'invalid-argument' } });
    expect(instance?.service.reasons).toHaveLength(1);
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('not, when a script is built with bad arguments', async () => {
    class Building extends Plain {
      override async *start(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        script.run('/bin/x', [1 as never]);
        yield script;
      }
    }
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Building, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.message).toMatch(/argument 0 is 1; expected a text/);
    expect(daemon.count('createAgreement')).toBe(1);
  });

  test('not, when the demand itself is refused', async () => {
    const { golem, daemon } = await startGolem();
    daemon.failNext('publishDemand', new MeshError('invalid-argument', 'no such property'));
    const cluster = await golem.runService(Plain, quick);
    await cluster.ended;
    expect(cluster.instances[0]?.reason).toMatchObject({ kind: 'not-started', error: { code: 'invalid-argument' } });
    expect(daemon.count('publishDemand')).toBe(1);
  });

  test('never after a stop', async () => {
    const { golem, daemon } = await startGolem([{ id: 'p1' }, { id: 'p2' }]);
    const cluster = await golem.runService(Plain, quick);
    daemon.activity.createActivity = async () => {
      daemon.calls.push('createActivity');
      cluster.stop();
      throw new MeshError('internal', 'the runtime does not start');
    };
    await cluster.ended;
    expect(cluster.instances[0]?.reason?.kind).toBe('stopped');
    expect(daemon.count('createActivity')).toBe(1);
  });

  test('not after it has run; unless its own restart condition says so', async () => {
    class Again extends Plain {
      override restartCondition(reason: TerminationReason): boolean {
        return reason.kind === 'agreement-terminated';
      }
    }
    const { golem, daemon, events } = await startGolem();
    const cluster = await golem.runService(Again, quick);
    await until(cluster, allAre('running'));
    const [instance] = cluster.instances;
    const first = instance?.agreementId ?? '';
    daemon.terminateByProvider(first);
    await until(cluster, () => instance?.agreementId !== first && instance?.state === 'running');
    expect(statesOf(events, instance?.id ?? '')).toEqual([
      'pending',
      'starting',
      'running',
      'pending',
      'starting',
      'running',
    ]);
    expect(instance?.service.reasons).toEqual([]);
  });

  test('when nobody else is there, the demand is published anew and the same provider taken', async () => {
    const { golem, daemon, types } = await startGolem([{ id: 'only', activity: 'fail' }]);
    const cluster = await golem.runService(Plain, quick);
    await expect.poll(() => daemon.count('createActivity')).toBeGreaterThan(0);
    for (const provider of daemon.providers) provider.activity = 'create';
    await until(cluster, allAre('running'));
    expect(daemon.count('publishDemand')).toBeGreaterThan(1);
    expect(types()).toContain('NoProposalsConfirmed');
  });
});
