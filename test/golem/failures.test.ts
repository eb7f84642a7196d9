import {
  BatchTimeoutError,
  CommandExecutionError,
  type Golem,
  type GolemEvent,
  type RunServiceOptions,
  type ServiceClass,
  type ServiceHandler,
  type TerminationReason,
  type WorkContext,
} from 'furrow/golem';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LocalDaemon, quick, Shell } from './local-golem.js';
import { allAre, statesOf, until } from './start-golem.js';

let daemon: LocalDaemon;

beforeAll(async () => {
  // Meadow is the cheaper one: it is always asked first.
  const providers = [
    { name: 'meadow', negotiationMs: 0, cpuPerHour: 0.01, envPerHour: 0.01, startPrice: 0.001 },
    { name: 'orchard', negotiationMs: 0, cpuPerHour: 1, envPerHour: 1, startPrice: 0.01 },
  ];
  daemon = await LocalDaemon.start({ providers });
  return () => daemon.close();
});

afterEach(async () => {
  daemon.node.faults.clear();
  daemon.node.comeBack('meadow');
  await daemon.leavesNothing();
});

/** Notes the reason it is told at its end. */
class Told extends Shell {
  readonly reasons: TerminationReason[] = [];
  override terminated(reason: TerminationReason): void {
    this.reasons.push(reason);
  }
}

/** Runs one shell command when it is sent one. */
class Commanded extends Told {
  override async *run(work: WorkContext): ServiceHandler {
    const script = work.newScript({ timeoutMs: 300 });
    script.runInShell(String(await work.receive()));
    yield script;
  }
}

/** Goes on whatever happens, as a proxy does. */
class Persistent extends Told {
  override restartCondition(): boolean {
    return true;
  }
}

async function run<S extends Told>(
  golem: Golem,
  service: ServiceClass<unknown, S>,
  options: RunServiceOptions<unknown> = {},
) {
  const cluster = await golem.runService(service, { ...quick, ...options });
  const [instance] = cluster.instances;
  if (!instance) throw new Error('no instance');
  return { cluster, instance };
}

const ofType = <T extends GolemEvent['type']>(events: readonly GolemEvent[], type: T) =>
  events.filter((event): event is Extract<GolemEvent, { type: T }> => event.type === type);

/** Looks until it is so. */
const eventually = <T>(look: () => T) => expect.poll(look, { interval: 5, timeout: 20_000 });

const again = ['pending', 'starting', 'pending', 'starting', 'running'];

describe('an agreement', () => {
  test('that is rejected: another provider is asked, and the instance sees nothing of it', async () => {
    daemon.node.faults.arm({ kind: 'reject-agreement', provider: 'meadow', times: 0 });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(ofType(events, 'AgreementRejected')[0]).toMatchObject({
      provider: { name: 'meadow' },
      reason: expect.stringContaining('Rejected'),
    });
    expect(statesOf(events, instance.id)).toEqual(['pending', 'starting', 'running']);
    await golem.close();
    expect(instance.reason?.kind).toBe('stopped');
  });

  test('that everybody rejects: the instance stays pending, and can be stopped', async () => {
    daemon.node.faults.arm({ kind: 'reject-agreement', times: 0 });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await eventually(() => ofType(events, 'AgreementRejected').length).toBeGreaterThan(3);
    expect(instance.state).toBe('pending');
    cluster.stop();
    expect(await instance.ended).toMatchObject({ kind: 'stopped' });
    await golem.close();
    expect(daemon.spent).toBe(0);
  });

  test('that is ignored: another provider is asked after the time for approval, the first is told', async () => {
    daemon.node.faults.arm({ kind: 'ignore-agreement', provider: 'meadow', times: 0 });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told, { approvalTimeoutMs: 100 });
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(ofType(events, 'AgreementRejected')[0]).toMatchObject({
      provider: { name: 'meadow' },
      reason: expect.stringContaining('within 100 ms'),
    });
    // Not only in the end: a provider that answers late must not wait for work.
    expect(await daemon.ask('/market-api/v1/agreements?state=Pending')).toEqual([]);
    await golem.close();
  });

  test('that is approved slowly, but in time, is the one that is used', async () => {
    daemon.node.faults.arm({ kind: 'slow-approval', provider: 'meadow', delayMs: 200 });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('meadow');
    expect(ofType(events, 'AgreementCreated')).toHaveLength(1);
    await golem.close();
  });

  test('whose approval comes too late costs nothing', async () => {
    daemon.node.faults.arm({ kind: 'slow-approval', provider: 'meadow', delayMs: 200, times: 0 });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told, { approvalTimeoutMs: 50 });
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    const late = ofType(events, 'AgreementRejected')[0]?.agreementId;
    await eventually(() => daemon.ask(`/market-api/v1/agreements/${late}`)).toMatchObject({
      state: expect.stringMatching(/Cancelled|Terminated/),
    });
    await golem.close();
    const invoices = await daemon.ask<{ agreementId: string }[]>('/payment-api/v1/invoices?maxItems=1000');
    expect(invoices.filter(({ agreementId }) => agreementId === late)).toEqual([]);
  });

  test('that the provider terminates: told with its reason at once, without shutdown, and paid', async () => {
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    daemon.node.terminate(instance.agreementId ?? '', 'maintenance');
    const reason = await instance.ended;
    expect(reason).toMatchObject({ kind: 'agreement-terminated', message: expect.stringContaining('maintenance') });
    expect(instance.service.reasons).toEqual([reason]);
    expect(statesOf(events, instance.id)).toEqual(['pending', 'starting', 'running', 'terminated']);
    expect(ofType(events, 'AgreementTerminated')).toMatchObject([{ by: 'provider', reason: 'maintenance' }]);
    await golem.close();
    expect(ofType(events, 'InvoiceAccepted')).toHaveLength(1);
    expect(daemon.spent).toBeGreaterThan(0);
  });

  test('that the provider terminates in the middle of a command ends that command’s promise', async () => {
    daemon.node.faults.arm({ kind: 'terminate-agreement', match: 'echo now' });
    let failure: unknown;
    class Watching extends Told {
      override async *run(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        script.runInShell('echo now').catch((error: unknown) => {
          failure = error;
        });
        yield script;
      }
    }
    const { golem } = await daemon.open();
    const { instance } = await run(golem, Watching);
    expect(['agreement-terminated', 'failed', 'activity-gone']).toContain((await instance.ended).kind);
    await eventually(() => failure).toBeInstanceOf(Error);
    await golem.close();
  });
});

describe('an activity', () => {
  test('that is not created: the agreement ends, and another provider is tried', async () => {
    daemon.node.faults.arm({ kind: 'fail-activity', provider: 'meadow' });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(ofType(events, 'ActivityCreateFailed')).toMatchObject([
      { provider: { name: 'meadow' }, error: { message: expect.stringContaining('could not create an activity') } },
    ]);
    expect(ofType(events, 'AgreementTerminated')).toMatchObject([{ provider: { name: 'meadow' }, by: 'requestor' }]);
    expect(instance.service.reasons).toEqual([]);
    await golem.close();
  });

  test('that nobody creates, without respawn: not started, and why', async () => {
    daemon.node.faults.arm({ kind: 'fail-activity', times: 0 });
    const { golem, events } = await daemon.open();
    const { instance } = await run(golem, Told, { respawnUnstartedInstances: false });
    expect(await instance.ended).toMatchObject({
      kind: 'not-started',
      message: expect.stringMatching(/Provider meadow could not start it:.*could not create an activity/),
    });
    expect(statesOf(events, instance.id)).toEqual(['pending', 'terminated']);
    await golem.close();
    expect(daemon.spent).toBe(0);
  });
});

describe('a batch', () => {
  test('that breaks at the start: the instance is tried elsewhere, with the same id', async () => {
    daemon.node.faults.arm({ kind: 'break-batch', provider: 'meadow', match: 'deploy' });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(statesOf(events, instance.id)).toEqual(again);
    const [failed] = ofType(events, 'ScriptFinished');
    expect(failed?.error).toBeInstanceOf(CommandExecutionError);
    await golem.close();
  });

  test('that breaks while running: the handler is thrown the command; left alone, it shuts down and says why', async () => {
    daemon.node.faults.arm({ kind: 'break-batch', match: 'echo work' });
    const { golem, events } = await daemon.open();
    const { instance } = await run(golem, Commanded);
    instance.send('echo work');
    const reason = await instance.ended;
    expect(reason).toMatchObject({
      kind: 'failed',
      error: { command: 'run /bin/sh -c echo work', message: expect.stringContaining('the provider failed') },
    });
    expect(statesOf(events, instance.id)).toEqual(['pending', 'starting', 'running', 'stopping', 'terminated']);
    await golem.close();
    expect(ofType(events, 'InvoiceAccepted')).toHaveLength(1);
  });

  test('that hangs ends at its deadline; the handler can go on, and the instance is over when it is told to', async () => {
    daemon.node.faults.arm({ kind: 'hang-command', match: 'echo work' });
    const failures: unknown[] = [];
    class Patient extends Told {
      override async *run(work: WorkContext): ServiceHandler {
        const script = work.newScript({ timeoutMs: 100 });
        script.runInShell('echo work');
        try {
          yield script;
        } catch (error) {
          failures.push(error);
        }
        yield* super.run(work);
      }
    }
    const { golem, events } = await daemon.open();
    const { instance } = await run(golem, Patient);
    await eventually(() => failures).toEqual([expect.any(BatchTimeoutError)]);
    expect(instance.state).toBe('running');
    // Its shutdown waits behind the command that hangs.
    await golem.close({ timeoutMs: 200 });
    expect(instance.reason?.kind).toBe('killed');
    expect(ofType(events, 'InvoiceAccepted')).toHaveLength(1);
  });

  test('that hangs at the start: another provider is tried after its deadline', async () => {
    daemon.node.faults.arm({ kind: 'hang-command', provider: 'meadow', match: 'prepare' });
    class Prepared extends Told {
      override async *start(work: WorkContext): ServiceHandler {
        const script = work.newScript({ timeoutMs: 1000 });
        script.deploy();
        script.start();
        script.runInShell('echo prepare');
        yield script;
      }
    }
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Prepared);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(statesOf(events, instance.id)).toEqual(again);
    expect(ofType(events, 'ScriptFinished')[0]?.error).toBeInstanceOf(BatchTimeoutError);
    await golem.close();
  });
});

describe('a provider that vanishes', () => {
  const healthCheck = { intervalMs: 20 };

  test('while running: unresponsive, terminated without shutdown, and no invoice is waited for for ever', async () => {
    const { golem, events, log } = await daemon.open({ invoiceTimeoutMs: 50 });
    const { cluster, instance } = await run(golem, Told, { healthCheck });
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('meadow');
    daemon.node.vanish('meadow');
    expect(await instance.ended).toMatchObject({
      kind: 'unresponsive',
      message: expect.stringMatching(/3 health checks in a row failed.*no answer from provider meadow/),
    });
    expect(statesOf(events, instance.id).slice(2)).toEqual(['running', 'unresponsive', 'terminated']);
    await golem.close();
    expect(log.join('\n')).toContain(`No invoice came for ${instance.agreementId}`);
    expect(daemon.spent).toBe(0);
  });

  test('while running: goes to another provider where its restart condition says so', async () => {
    const { golem, events } = await daemon.open({ invoiceTimeoutMs: 50 });
    const { cluster, instance } = await run(golem, Persistent, { healthCheck });
    await until(cluster, allAre('running'));
    daemon.node.vanish('meadow');
    await until(cluster, () => instance.state === 'running' && instance.provider?.name === 'orchard');
    expect(statesOf(events, instance.id)).toEqual([
      'pending',
      'starting',
      'running',
      'unresponsive',
      'pending',
      'starting',
      'running',
    ]);
    expect(instance.service.reasons).toEqual([]);
    await golem.close();
  });

  test('in the middle of its start: another provider is tried', async () => {
    daemon.node.faults.arm({ kind: 'vanish-provider', provider: 'meadow', match: 'start' });
    const { golem, events } = await daemon.open({ invoiceTimeoutMs: 50 });
    const { cluster, instance } = await run(golem, Told, { healthCheck });
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(statesOf(events, instance.id).at(-3)).toBe('pending');
    await golem.close();
  });

  test('before it was asked for an agreement: another is asked', async () => {
    const { golem, events } = await daemon.open();
    golem.events$.subscribe((event) => {
      if (event.type === 'ProposalConfirmed' && event.provider.name === 'meadow') daemon.node.vanish('meadow');
    });
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.provider?.name).toBe('orchard');
    expect(ofType(events, 'ServiceFinished')).toEqual([]);
    await golem.close();
  });
});

describe('an invoice', () => {
  test('that is missing is given up after its time, and the allocation released', async () => {
    daemon.node.faults.arm({ kind: 'skip-invoice' });
    const { golem, events, log } = await daemon.open({ invoiceTimeoutMs: 50 });
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    await golem.close();
    expect(log).toEqual([`No invoice came for ${instance.agreementId}`]);
    expect(ofType(events, 'InvoiceAccepted')).toEqual([]);
    expect(ofType(events, 'ShutdownFinished')).toMatchObject([{ error: undefined }]);
  });

  test.each([
    ['the budget', 1e6, /beyond the budget of 1$/],
    ['what the agreement can have cost', 200, /more than the agreement can have cost by its prices/],
  ])('beyond %s is rejected, and nothing is paid for it', async (_what, factor, why) => {
    daemon.node.faults.arm({ kind: 'raise-invoice', factor });
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    await golem.close();
    expect(ofType(events, 'PaymentFailed')).toMatchObject([{ error: { message: expect.stringMatching(why) } }]);
    const invoices = await daemon.ask<{ agreementId: string; status: string }[]>(
      '/payment-api/v1/invoices?maxItems=1000',
    );
    expect(invoices.find(({ agreementId }) => agreementId === instance.agreementId)?.status).toBe('REJECTED');
    // The last debit note may have been accepted; it is worth what was used.
    expect(daemon.spent).toBeLessThan(0.002);
  });

  test('of several instances: no more is accepted in all than the budget', async () => {
    const budget = 0.0025;
    const { golem, events } = await daemon.open({ budget });
    const { cluster } = await run(golem, Told, { numInstances: 4 });
    await until(cluster, allAre('running'));
    await golem.close();
    expect(daemon.spent).toBeLessThanOrEqual(budget);
    expect(ofType(events, 'PaymentFailed').length).toBeGreaterThan(0);
    expect(Number(await golem.spent())).toBeCloseTo(daemon.spent, 12);
  });

  test('a debit note that is too high is not accepted; the invoice that is right is', async () => {
    daemon.node.faults.arm({ kind: 'raise-debit-note', factor: 1e6 });
    const { golem, events } = await daemon.open();
    const { cluster } = await run(golem, Told);
    await until(cluster, allAre('running'));
    await golem.close();
    // The invoice sums up the same note, so both are turned down.
    expect(ofType(events, 'PaymentFailed').length).toBeGreaterThan(0);
    expect(daemon.spent).toBe(0);
  });
});

describe('the daemon is away', () => {
  /** Away for a moment as soon as something happens. */
  function awayAt(golem: Golem, type: GolemEvent['type'], durationMs = 150): void {
    let armed = true;
    golem.events$.subscribe((event) => {
      if (event.type !== type || !armed) return;
      armed = false;
      daemon.node.goAway(durationMs);
    });
  }

  test.each([
    'SubscriptionCreated',
    'ProposalReceived',
    'AgreementCreated',
    'AgreementConfirmed',
    'ActivityCreated',
    'ScriptSent',
  ] as const)('at %s: the instance runs in the end, and nothing is left of what went wrong', async (type) => {
    const { golem } = await daemon.open();
    awayAt(golem, type);
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    expect(instance.reason).toBeUndefined();
    await golem.close();
  });

  test('while instances run: they are unresponsive for a while, and go on', async () => {
    const { golem, events } = await daemon.open();
    const healthCheck = { intervalMs: 50, failures: 100 };
    const { cluster, instance } = await run(golem, Told, { healthCheck });
    await until(cluster, allAre('running'));
    daemon.node.goAway(150);
    await until(cluster, allAre('unresponsive'));
    await until(cluster, allAre('running'));
    expect(statesOf(events, instance.id).slice(2)).toEqual(['running', 'unresponsive', 'running']);
    await golem.close();
    expect(instance.reason?.kind).toBe('stopped');
  });

  test('when instances are to stop: they are ended as soon as it is back', async () => {
    const { golem, events } = await daemon.open();
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    daemon.node.goAway(150);
    await golem.close();
    expect(instance.reason?.kind).toBe('stopped');
    expect(ofType(events, 'InvoiceAccepted')).toHaveLength(1);
  });

  test('after their shutdown: agreements still end, and are paid', async () => {
    const { golem, events } = await daemon.open();
    const { cluster } = await run(golem, Told);
    await until(cluster, allAre('running'));
    golem.events$.subscribe((event) => {
      if (event.type === 'ServiceStateChanged' && event.state === 'terminated') daemon.node.goAway(150);
    });
    await golem.close();
    expect(ofType(events, 'InvoiceAccepted')).toHaveLength(1);
  });
});

describe('a daemon that is gone for good', () => {
  test('nothing of it is waited for: instances end at once, and closing ends without an answer', async () => {
    const lost = await LocalDaemon.start();
    const gone = new AbortController();
    const { url, appKey } = lost.node;
    const { golem } = await lost.open({
      yagna: { url, appKey, gone: gone.signal },
      // Longer than a test may take.
      invoiceTimeoutMs: 600_000,
    });
    const { cluster, instance } = await run(golem, Told);
    await until(cluster, allAre('running'));
    const other = await golem.runService(Commanded, quick);
    await until(other, allAre('running'));
    other.instances[0]?.send('sleep 600');
    await lost.close();
    const closed = golem.close({ timeoutMs: 600_000 });
    gone.abort();
    await closed;
    expect(instance.reason).toMatchObject({ kind: 'activity-gone', message: expect.stringContaining('gone') });
    expect(await golem.spent()).toBe('0');
  });
});

describe('a virtual network', () => {
  test('gives every instance an address, by wish or the next free one, and is gone at the end', async () => {
    class Addressed extends Told {
      override async *run(work: WorkContext): ServiceHandler {
        const script = work.newScript();
        script.runInShell(`echo ${work.address}`);
        const [result] = yield script;
        work.post(result?.stdout.trim());
        yield* super.run(work);
      }
    }
    const { golem } = await daemon.open();
    const network = await golem.createNetwork({ ip: '10.7.0.0/24' });
    const said: unknown[] = [];
    const cluster = await golem.runService(Addressed, {
      ...quick,
      network,
      numInstances: 2,
      networkAddresses: ['10.7.0.9'],
    });
    for (const { messages$ } of cluster.instances) messages$.subscribe((message) => said.push(message));
    await eventually(() => [...said].sort()).toEqual(['10.7.0.2', '10.7.0.9']);
    expect(cluster.instances.map(({ address }) => address)).toEqual(['10.7.0.9', '10.7.0.2']);
    const nodes = await daemon.ask<{ id: string; ip: string }[]>(`/net-api/v1/net/${network.id}/nodes`);
    const ids = Object.fromEntries(cluster.instances.map(({ provider, address }) => [address, provider?.id]));
    expect(Object.fromEntries(nodes.map(({ id, ip }) => [ip, id]))).toEqual({ ...ids, '10.7.0.1': golem.identity.id });
    cluster.stop();
    await cluster.ended;
    expect(await daemon.ask(`/net-api/v1/net/${network.id}/nodes`)).toEqual([
      { id: golem.identity.id, ip: '10.7.0.1' },
    ]);
    await golem.close();
  });

  test('an instance that goes to another provider keeps the address it wished for', async () => {
    const { golem } = await daemon.open({ invoiceTimeoutMs: 50 });
    const network = await golem.createNetwork();
    const { cluster, instance } = await run(golem, Persistent, {
      healthCheck: { intervalMs: 20 },
      network,
      networkAddresses: ['192.168.0.7'],
    });
    await until(cluster, allAre('running'));
    daemon.node.vanish('meadow');
    await until(cluster, () => instance.state === 'running' && instance.provider?.name === 'orchard');
    expect(instance.address).toBe('192.168.0.7');
    expect([...network.nodes.values()].sort()).toEqual(['192.168.0.1', '192.168.0.7']);
    await golem.close();
  });
});
