import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  formatAmount,
  type GolemEventType,
  NoPaymentAccountError,
  parseAmount,
  Service,
  type TerminationReason,
} from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { paymentPlatform } from '../../src/golem/payment-platform.js';
import { FakeDaemon } from './fake-daemon.js';
import { allAre, quick, startGolem, stateFolder, until } from './start-golem.js';

class Plain extends Service {
  override terminated(_reason: TerminationReason): void {}
}

describe('amounts', () => {
  test('keep every digit, where doubles would not', () => {
    expect(formatAmount(parseAmount('0.1') + parseAmount('0.2'))).toBe('0.3');
    expect(formatAmount(parseAmount(1e-7))).toBe('0.0000001');
    expect(formatAmount(parseAmount('123456789012345678.000000000000000001'))).toBe(
      '123456789012345678.000000000000000001',
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), (amount) => {
        expect(parseAmount(formatAmount(amount))).toBe(amount);
      }),
    );
  });

  test.each(['', 'much', '-1', '1e3', 'NaN', '1,5', '0x10'])('%j is none', (text) => {
    expect(() => parseAmount(text, 'budget')).toThrow(/budget is/);
  });
  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('%d is none', (value) => {
    expect(() => parseAmount(value)).toThrow(MeshError);
  });
});

describe('paying', () => {
  test('debit notes and the invoice are accepted once each, and add up', async () => {
    const { golem, daemon, types } = await startGolem([{ id: 'p1', amount: '0.003' }]);
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    const activityId = cluster.instances[0]?.activityId ?? '';
    daemon.sendDebitNote(activityId, '0.001');
    daemon.sendDebitNote(activityId, '0.002');
    await expect.poll(() => types().filter((type) => type === 'DebitNoteAccepted')).toHaveLength(2);
    expect(await golem.spent()).toBe('0.002');
    await golem.close();
    expect(await golem.spent()).toBe('0.003');
    expect(daemon.count('acceptDebitNote')).toBe(2);
    expect(daemon.count('acceptInvoice')).toBe(1);
    expect(daemon.allocations.size).toBe(0);
  });

  test('never beyond the budget: what would exceed it is refused and told, the rest is paid', async () => {
    const providers = ['a', 'b', 'c'].map((id) => ({ id, amount: '0.4', prices: [1, 1, 1] as const }));
    const { golem, daemon, events } = await startGolem(providers, { budget: '1' });
    const cluster = await golem.runService(Plain, { ...quick, numInstances: 3 });
    await until(cluster, allAre('running'));
    await golem.close();
    const statuses = [...daemon.invoices.values()].map(({ status }) => status).sort();
    expect(statuses).toEqual(['ACCEPTED', 'ACCEPTED', 'REJECTED']);
    expect(await golem.spent()).toBe('0.8');
    const failed = events.find(({ type }) => type === 'PaymentFailed');
    expect(failed).toMatchObject({
      error: { code: 'resource-exhausted', message: expect.stringContaining('beyond the budget of 1') },
    });
    expect(daemon.allocations.size).toBe(0);
  });

  test('a debit note beyond the budget is left unaccepted', async () => {
    const { golem, daemon, types } = await startGolem([{ id: 'p1', prices: [1, 1, 1] }], { budget: 0.1 });
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    daemon.sendDebitNote(cluster.instances[0]?.activityId ?? '', '0.2');
    await expect.poll(types).toContain('PaymentFailed');
    expect(daemon.count('acceptDebitNote')).toBe(0);
  });

  test('an invoice of more than the agreement can have cost is rejected, however large the budget', async () => {
    const { golem, daemon, events } = await startGolem([{ id: 'p1', amount: '50', prices: [0.0001, 0.0001, 0.001] }], {
      budget: 1000,
    });
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    await golem.close();
    expect([...daemon.invoices.values()].map(({ status }) => status)).toEqual(['REJECTED']);
    const failed = events.find(({ type }) => type === 'PaymentFailed');
    expect(failed).toMatchObject({
      error: { message: expect.stringContaining('more than the agreement can have cost') },
    });
  });

  test('an invoice whose event is lost is found in the daemon’s list', async () => {
    const { golem, daemon } = await startGolem([{ id: 'p1', invoice: 'none' }], { invoiceTimeoutMs: 5000 });
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    daemon.sendInvoice(cluster.instances[0]?.agreementId ?? '', { quietly: true });
    await golem.close();
    expect([...daemon.invoices.values()].map(({ status }) => status)).toEqual(['ACCEPTED']);
  });

  test('a missing invoice does not keep the money locked', async () => {
    const { golem, daemon } = await startGolem([{ id: 'p1', invoice: 'none' }], { invoiceTimeoutMs: 50 });
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    await golem.close();
    expect(daemon.allocations.size).toBe(0);
  });

  test('a daemon that fails in the middle of paying is asked again', async () => {
    const { golem, daemon } = await startGolem([{ id: 'p1' }], { invoiceTimeoutMs: 5000 });
    const cluster = await golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    daemon.failNext('acceptInvoice', new MeshError('internal', 'database is locked'));
    daemon.failNext('releaseAllocation', new MeshError('unavailable', 'restarting'));
    await golem.close();
    expect([...daemon.invoices.values()].map(({ status }) => status)).toEqual(['ACCEPTED']);
    expect(daemon.allocations.size).toBe(0);
  });

  test('documents of others are none of our business', async () => {
    const daemon = new FakeDaemon([{ id: 'p1' }]);
    const theirs = await startGolem(daemon);
    const cluster = await theirs.golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    const ours = await startGolem(daemon);
    const own = await ours.golem.runService(Plain, { ...quick, numInstances: 0 });
    await own.ended;
    const before = ours.types().filter((type) => type.startsWith('Invoice'));
    await theirs.golem.close();
    await expect.poll(theirs.types).toContain('InvoiceAccepted' satisfies GolemEventType);
    expect(before).toEqual([]);
    expect(ours.types()).not.toContain('InvoiceReceived');
  });

  test('the network asked for is the one allocated on, whatever the environment says', async () => {
    const before = process.env.YAGNA_PAYMENT_NETWORK;
    process.env.YAGNA_PAYMENT_NETWORK = 'mainnet';
    process.env.PAYMENT_NETWORK = 'polygon';
    try {
      const { golem, daemon } = await startGolem([], { paymentNetwork: 'hoodi' });
      await golem.runService(Plain, { ...quick, numInstances: 0 });
      expect([...daemon.allocations.values()][0]?.paymentPlatform).toBe('erc20-hoodi-tglm');
      expect(paymentPlatform({}).name).toBe('erc20-mainnet-glm');
    } finally {
      delete process.env.PAYMENT_NETWORK;
      if (before === undefined) delete process.env.YAGNA_PAYMENT_NETWORK;
      else process.env.YAGNA_PAYMENT_NETWORK = before;
    }
  });

  test('no account for the driver and network is its own error', async () => {
    const { golem, daemon } = await startGolem([], { paymentDriver: 'zksync' });
    const cause = Object.assign(new Error('No payment account'), { status: 400 });
    daemon.failNext('createAllocation', new MeshError('failed-precondition', 'No payment account', { cause }));
    const started = golem.runService(Plain, quick);
    await expect(started).rejects.toBeInstanceOf(NoPaymentAccountError);
    await expect(started).rejects.toMatchObject({ requiredDriver: 'zksync', requiredNetwork: 'holesky' });
  });
});

describe('after a crash', () => {
  /** A journal as a killed process leaves it: of a process that is no more. */
  function orphan(stateDir: string): void {
    const [name = ''] = readdirSync(stateDir);
    const path = join(stateDir, name);
    const entry = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...entry, processStart: 'long ago' }));
  }

  test('the next start ends the agreements, accepts the invoices and releases the allocation', async () => {
    const stateDir = await stateFolder();
    const daemon = new FakeDaemon([{ id: 'p1' }, { id: 'p2' }]);
    const killed = await startGolem(daemon, { stateDir });
    const cluster = await killed.golem.runService(Plain, { ...quick, numInstances: 2 });
    await until(cluster, allAre('running'));
    daemon.sendInvoice(cluster.instances[0]?.agreementId ?? '', { amount: '0.002' });
    await expect.poll(() => daemon.count('acceptInvoice')).toBe(1);
    orphan(stateDir);
    const demands = [...daemon.demands.keys()];

    daemon.appSessionId = 'another';
    const next = await startGolem(daemon, { stateDir });
    const [report] = await next.golem.recovered;
    expect(report?.error).toBeUndefined();
    expect(report?.terminatedAgreements).toHaveLength(1);
    expect(report?.missingInvoices).toEqual([]);
    expect([...daemon.agreements.values()].map(({ state }) => state)).toContain('Terminated');
    expect([...daemon.invoices.values()].map(({ status }) => status)).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect(daemon.allocations.size).toBe(0);
    for (const demand of demands) expect(daemon.demands.has(demand)).toBe(false);
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test('journals of living processes, and of other daemons, are left alone', async () => {
    const stateDir = await stateFolder();
    const daemon = new FakeDaemon([{ id: 'p1' }]);
    const living = await startGolem(daemon, { stateDir });
    const cluster = await living.golem.runService(Plain, quick);
    await until(cluster, allAre('running'));
    daemon.appSessionId = 'another';
    const second = await startGolem(daemon, { stateDir });
    expect(await second.golem.recovered).toEqual([]);
    orphan(stateDir);
    const elsewhere = new FakeDaemon([]);
    Object.assign(elsewhere, { url: 'memory://elsewhere' });
    const third = await startGolem(elsewhere, { stateDir });
    expect(await third.golem.recovered).toEqual([]);
    expect(cluster.instances[0]?.state).toBe('running');
    expect(readdirSync(stateDir)).toHaveLength(1);
  });

  test('a journal that cannot be read is reported, not obeyed', async () => {
    const stateDir = await stateFolder();
    writeFileSync(join(stateDir, 'x.json'), '{"half": ');
    const warnings: string[] = [];
    const logger = { warn: (text: string) => void warnings.push(text), error: () => undefined };
    const { golem } = await startGolem([], { stateDir, logger });
    expect(await golem.recovered).toEqual([]);
    expect(warnings.join()).toMatch(/x\.json cannot be read/);
  });

  test('what is accepted after a crash stays within what was left of the budget', async () => {
    const stateDir = await stateFolder();
    const daemon = new FakeDaemon([
      { id: 'p1', amount: '0.4', prices: [1, 1, 1] },
      { id: 'p2', amount: '0.4', prices: [1, 1, 1] },
    ]);
    const killed = await startGolem(daemon, { stateDir, budget: 0.7 });
    const cluster = await killed.golem.runService(Plain, { ...quick, numInstances: 2 });
    await until(cluster, allAre('running'));
    daemon.sendInvoice(cluster.instances[0]?.agreementId ?? '');
    await expect.poll(() => daemon.count('acceptInvoice')).toBe(1);
    orphan(stateDir);
    daemon.appSessionId = 'another';
    const next = await startGolem(daemon, { stateDir });
    await next.golem.recovered;
    expect([...daemon.invoices.values()].map(({ status }) => status).sort()).toEqual(['ACCEPTED', 'REJECTED']);
    expect(daemon.allocations.size).toBe(0);
  });
});
