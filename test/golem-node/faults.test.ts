import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeEvent } from '../../services/golem-node/node-events.js';
import { type TestNode, testNode } from './node.js';
import { shell } from './requestor.js';

let fixture: TestNode;

beforeEach(async () => {
  fixture = await testNode();
});

afterEach(() => fixture[Symbol.asyncDispose]());

const wait = (agreement: string, seconds: number) =>
  fixture.requestor.call('POST', `/market-api/v1/agreements/${agreement}/wait?timeout=${seconds}`);

async function confirmed(): Promise<string> {
  const { requestor } = fixture;
  return requestor.confirm(await requestor.draft(await requestor.subscribe()));
}

describe('faults of the market', () => {
  it('reject-proposal turns a counter-proposal down, and tells it', async () => {
    fixture.node.faults.arm({ kind: 'reject-proposal' });
    const { requestor } = fixture;
    await expect(requestor.draft(await requestor.subscribe())).rejects.toThrow('rejected: not today');
  });

  it('reject-agreement is permanent for the agreement, and the provider offers anew', async () => {
    fixture.node.faults.arm({ kind: 'reject-agreement' });
    const { requestor } = fixture;
    const demand = await requestor.subscribe();
    const id = await requestor.confirm(await requestor.draft(demand));
    expect(await wait(id, 5)).toMatchObject({ status: 410, body: { message: expect.stringContaining('Rejected') } });
    expect(await requestor.agreementEvents()).toMatchObject([
      { eventType: 'AgreementRejectedEvent', reason: { message: 'the provider changed its mind' } },
    ]);
    const second = await requestor.confirm(await requestor.draft(demand));
    expect((await wait(second, 5)).status).toBe(204);
  });

  it('ignore-agreement never answers', async () => {
    fixture.node.faults.arm({ kind: 'ignore-agreement' });
    const id = await confirmed();
    expect((await wait(id, 0.05)).status).toBe(408);
    await fixture.requestor.expect(204, 'POST', `/market-api/v1/agreements/${id}/cancel`);
    expect((await wait(id, 5)).status).toBe(410);
  });

  it('slow-approval answers in the end', async () => {
    fixture.node.faults.arm({ kind: 'slow-approval', delayMs: 300 });
    const id = await confirmed();
    expect((await wait(id, 0.01)).status).toBe(408);
    expect((await wait(id, 5)).status).toBe(204);
  });

  it('an unreliable provider changes its mind by chance', async () => {
    const draws = [0.9, 0.1];
    await using node = await testNode({
      providers: [{ name: 'fickle', reliability: 0.5, negotiationMs: 0 }],
      random: () => draws.shift() ?? 0,
    });
    const demand = await node.requestor.subscribe();
    const first = await node.requestor.confirm(await node.requestor.draft(demand));
    const second = await node.requestor.confirm(await node.requestor.draft(demand));
    const status = async (id: string) =>
      (await node.requestor.call('POST', `/market-api/v1/agreements/${id}/wait?timeout=5`)).status;
    expect([await status(first), await status(second)]).toEqual([410, 204]);
  });
});

describe('faults of activities', () => {
  it('fail-activity creates none', async () => {
    fixture.node.faults.arm({ kind: 'fail-activity' });
    const agreementId = await fixture.requestor.agree();
    expect(await fixture.requestor.call('POST', '/activity-api/v1/activity', { agreementId })).toMatchObject({
      status: 500,
      body: { message: 'provider alder could not create an activity' },
    });
    expect(await fixture.requestor.activity(agreementId)).toMatch(/^[0-9a-f]{32}$/);
  });

  it('hang-command never ends by itself', async () => {
    const { requestor, node } = fixture;
    const { activityId } = await requestor.ready();
    node.faults.arm({ kind: 'hang-command', match: 'echo two' });
    const batch = await requestor.exec(activityId, shell('echo one'), shell('echo two'));
    const path = `/activity-api/v1/activity/${activityId}/exec/${batch}`;
    expect(await requestor.expect(200, 'GET', `${path}?timeout=5&commandIndex=0`)).toHaveLength(1);
    expect(await requestor.expect(200, 'GET', `${path}?timeout=0.05`)).toHaveLength(1);
    await requestor.expect(204, 'DELETE', `/activity-api/v1/activity/${activityId}`);
    expect((await requestor.results(activityId, batch)).at(-1)).toMatchObject({ index: 1, result: 'Error' });
  });

  it('break-batch fails a command, also while it is deployed', async () => {
    const { requestor, node } = fixture;
    const { activityId } = await requestor.ready();
    node.faults.arm({ kind: 'break-batch', skip: 1 });
    const batch = await requestor.exec(activityId, shell('echo one'), shell('echo two'), shell('echo three'));
    expect(await requestor.results(activityId, batch)).toMatchObject([
      { result: 'Ok' },
      { result: 'Error', message: 'the provider failed', isBatchFinished: true },
    ]);
    node.faults.arm({ kind: 'break-batch', match: 'deploy' });
    await expect(requestor.ready()).rejects.toThrow('the provider failed');
  });

  it('vanish-provider takes everything along, without a word', async () => {
    const { requestor, node, folders } = fixture;
    const { agreementId, activityId } = await requestor.ready();
    node.faults.arm({ kind: 'vanish-provider', match: 'echo now' });
    const batch = await requestor.exec(activityId, shell('echo now'));
    const path = `/activity-api/v1/activity/${activityId}`;
    while ((await requestor.state(activityId)).status === 200);
    for (const [method, url, body] of [
      ['GET', `${path}/state`, undefined],
      ['GET', `${path}/exec/${batch}?timeout=5`, undefined],
      ['POST', `${path}/exec`, { text: '[{"start":{}}]' }],
      ['POST', '/activity-api/v1/activity', { agreementId }],
    ] as const) {
      expect(await requestor.call(method, url, body)).toMatchObject({
        status: 500,
        body: { message: 'no answer from provider alder' },
      });
    }
    while (folders().length > 0) await requestor.call('GET', '/me');
    // Nothing says that the agreement is over: the requestor has to find out and end it.
    expect((await requestor.expect(200, 'GET', `/market-api/v1/agreements/${agreementId}`)).state).toBe('Approved');
    await requestor.end(agreementId);
    expect(await requestor.invoices()).toEqual([]);
  });

  it('a provider that comes back offers again', async () => {
    const { requestor, node } = fixture;
    node.vanish('alder');
    const demand = await requestor.subscribe();
    expect(await requestor.expect(200, 'GET', `/market-api/v1/demands/${demand}/events?timeout=0.05`)).toEqual([]);
    await requestor.expect(204, 'POST', '/local-node/v1/providers/alder/return');
    expect(await requestor.draft(demand)).toMatch(/^[0-9a-f]{32}$/);
    expect(await requestor.call('POST', '/local-node/v1/providers/birch/vanish')).toMatchObject({ status: 404 });
  });

  it('terminate-agreement comes from the provider, and ends the activity', async () => {
    const { requestor, node } = fixture;
    const { agreementId, activityId } = await requestor.ready();
    node.faults.arm({ kind: 'terminate-agreement', match: 'echo' });
    const batch = await requestor.exec(activityId, shell('echo'));
    expect((await requestor.results(activityId, batch)).at(-1)?.result).toBe('Error');
    expect((await requestor.state(activityId)).body.state[0]).toBe('Terminated');
    const ended = (await requestor.agreementEvents()).at(-1);
    expect(ended).toMatchObject({ eventType: 'AgreementTerminatedEvent', agreementId, terminator: 'Provider' });
    expect(await requestor.invoices()).toHaveLength(1);
  });

  it('an agreement can be terminated at any time, by request', async () => {
    const { requestor } = fixture;
    const { agreementId } = await requestor.ready();
    await requestor.expect(204, 'POST', `/local-node/v1/agreements/${agreementId}/terminate`, {
      message: 'a power cut',
    });
    expect((await requestor.agreementEvents()).at(-1)).toMatchObject({ reason: { message: 'a power cut' } });
  });
});

describe('faults of payments', () => {
  it('skip-invoice sends none', async () => {
    const { requestor, node } = fixture;
    node.faults.arm({ kind: 'skip-invoice' });
    await requestor.end(await requestor.agree());
    expect(await requestor.invoices()).toEqual([]);
    expect(await requestor.expect(200, 'GET', '/payment-api/v1/invoiceEvents?timeout=0')).toEqual([]);
  });

  it('raise-invoice and raise-debit-note ask for too much', async () => {
    const { requestor, node } = fixture;
    const { agreementId } = await requestor.ready();
    node.faults.arm({ kind: 'raise-debit-note', factor: 3 });
    node.faults.arm({ kind: 'raise-invoice', factor: 100 });
    await requestor.end(agreementId);
    const [note] = await requestor.debitNotes();
    const [invoice] = await requestor.invoices();
    expect(Number(invoice.amount) / Number(note.totalAmountDue)).toBeCloseTo(100, 6);
    const [duration, busy] = note.usageCounterVector;
    const cost = (duration * 0.02 + busy * 0.1) / 3600;
    expect(Number(note.totalAmountDue) / cost).toBeGreaterThan(2.5);
  });
});

describe('faults of the daemon', () => {
  it('fail-request answers with another status', async () => {
    const { requestor, node } = fixture;
    node.faults.arm({ kind: 'fail-request', match: 'GET /me', status: 503, times: 2, skip: 1 });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await requestor.call('GET', '/me')).status);
    expect(statuses).toEqual([200, 503, 503, 200]);
  });

  it('go-away cuts every connection for a time, and activities go on', async () => {
    const { requestor, node } = fixture;
    const { activityId } = await requestor.ready();
    const batch = await requestor.exec(activityId, shell('sleep 0.2; echo survived'));
    const poll = requestor.agreementEvents(new Date(Date.now() + 60_000).toISOString());
    await requestor.expect(204, 'POST', '/local-node/v1/away', { durationMs: 300 });
    await expect(poll).rejects.toThrow();
    await expect(requestor.call('GET', '/version/get')).rejects.toThrow('fetch failed');
    for (let away = true; away; )
      away = await requestor.call('GET', '/me').then(
        () => false,
        () => true,
      );
    expect((await requestor.results(activityId, batch)).at(-1)?.stdout).toBe('survived\n');
    node.faults.arm({ kind: 'go-away', match: 'GET /me', durationMs: 50 });
    await expect(requestor.call('GET', '/me')).rejects.toThrow();
  });
});

describe('arming', () => {
  it('is done by request as well, and undone', async () => {
    const { requestor } = fixture;
    const fault = { kind: 'reject-agreement', provider: 'alder', times: 0 };
    const { id } = await requestor.expect(201, 'POST', '/local-node/v1/faults', fault);
    expect((await wait(await confirmed(), 5)).status).toBe(410);
    expect((await wait(await confirmed(), 5)).status).toBe(410);
    expect(await requestor.expect(200, 'GET', '/local-node/v1/faults')).toEqual([{ id, fault, used: 2 }]);
    await requestor.expect(204, 'DELETE', `/local-node/v1/faults/${id}`);
    expect((await wait(await confirmed(), 5)).status).toBe(204);
    expect((await requestor.call('DELETE', `/local-node/v1/faults/${id}`)).status).toBe(404);
    expect(await requestor.call('POST', '/local-node/v1/faults', { kind: 'explode' })).toMatchObject({ status: 400 });
  });

  it('is done by the options from the start, and keeps to its provider', async () => {
    await using node = await testNode({
      faults: [{ kind: 'reject-agreement', provider: 'birch', times: 0 }],
      providers: [{ name: 'alder', negotiationMs: 0 }],
    });
    expect(await node.requestor.agree()).toMatch(/^[0-9a-f]{32}$/);
    await expect(testNode({ faults: [{ kind: 'explode' as never }] })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });
});

describe('events$', () => {
  it('tells the whole story, topic by topic', async () => {
    const seen: NodeEvent[] = [];
    fixture.node.events$.subscribe((event) => seen.push(event));
    const { requestor } = fixture;
    await requestor.allocate();
    const { agreementId, activityId } = await requestor.ready();
    await requestor.run(activityId, shell('echo'));
    await requestor.end(agreementId);
    const kinds = (topic: string) => seen.filter((event) => event.topic === topic).map(({ kind }) => kind);
    expect(kinds('/market')).toEqual(
      expect.arrayContaining(['demand-subscribed', 'proposal-sent', 'demand-unsubscribed']),
    );
    expect(kinds('/agreements')).toEqual(['agreement-created', 'agreement-approved', 'agreement-terminated']);
    expect(kinds('/activities')).toEqual(
      expect.arrayContaining([
        'activity-created',
        'activity-deployed',
        'activity-ready',
        'command-finished',
        'activity-ended',
      ]),
    );
    expect(kinds('/payments')).toEqual(['allocation-created', 'debit-note-sent', 'invoice-sent']);
    expect(JSON.parse(JSON.stringify(seen))).toEqual(seen);
  });
});
