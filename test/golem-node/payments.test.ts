import { describe, expect, it } from 'vitest';
import { testNode } from './node.js';
import { shell } from './requestor.js';

describe('payments', () => {
  it('add up: an invoice is the sum of the last debit notes', async () => {
    await using dear = await testNode({
      providers: [{ name: 'dear', negotiationMs: 0, startPrice: 0.5, cpuPerHour: 360, envPerHour: 36 }],
    });
    const { requestor } = dear;
    const allocation = await requestor.allocate('5');
    const { agreementId, activityId } = await requestor.ready();
    const other = await requestor.activity(agreementId);
    await requestor.run(activityId, shell('sleep 0.1'));
    await requestor.expect(204, 'DELETE', `/activity-api/v1/activity/${other}`);
    await requestor.end(agreementId);
    const notes = await requestor.debitNotes();
    const [invoice] = await requestor.invoices();
    expect(new Set(invoice.activityIds)).toEqual(new Set([activityId, other]));
    const sum = notes.reduce((total, { totalAmountDue }) => total + Number(totalAmountDue), 0);
    expect(Number(invoice.amount)).toBeCloseTo(sum, 12);
    expect(Number(invoice.amount)).toBeGreaterThan(1 + 0.1 * 0.1);

    const accept = { totalAmountAccepted: invoice.amount, allocationId: allocation };
    const first = { totalAmountAccepted: notes[0].totalAmountDue, allocationId: allocation };
    await requestor.expect(204, 'POST', `/payment-api/v1/debitNotes/${notes[0].debitNoteId}/accept`, first);
    await requestor.expect(204, 'POST', `/payment-api/v1/invoices/${invoice.invoiceId}/accept`, accept);
    // What the debit note took is not taken again.
    const { spentAmount, remainingAmount } = await requestor.expect(
      200,
      'GET',
      `/payment-api/v1/allocations/${allocation}`,
    );
    expect(spentAmount).toBe(invoice.amount);
    expect(Number(remainingAmount)).toBeCloseTo(5 - Number(invoice.amount), 12);
    expect((await requestor.invoices())[0].status).toBe('ACCEPTED');
  });

  it('take no other amount, and no more than the allocation holds', async () => {
    await using dear = await testNode({ providers: [{ name: 'dear', negotiationMs: 0, startPrice: 3 }] });
    const { requestor } = dear;
    const allocationId = await requestor.allocate('2');
    const { agreementId } = await requestor.ready();
    await requestor.end(agreementId);
    const [invoice] = await requestor.invoices();
    const path = `/payment-api/v1/invoices/${invoice.invoiceId}/accept`;
    const wrong = await requestor.call('POST', path, { totalAmountAccepted: '1', allocationId });
    expect(wrong).toMatchObject({ status: 400, body: { message: expect.stringContaining('is about') } });
    const poor = await requestor.call('POST', path, { totalAmountAccepted: invoice.amount, allocationId });
    expect(poor).toMatchObject({ status: 400, body: { message: expect.stringContaining('2 GLM left') } });
    const rejection = { rejectionReason: 'INCORRECT_AMOUNT', totalAmountAccepted: '0', message: 'no' };
    await requestor.expect(204, 'POST', `/payment-api/v1/invoices/${invoice.invoiceId}/reject`, rejection);
    expect((await requestor.invoices())[0].status).toBe('REJECTED');
  });

  it('set aside no more than there is, on platforms that exist, until a time', async () => {
    await using poor = await testNode({ funds: '3' });
    const { requestor } = poor;
    const path = '/payment-api/v1/allocations';
    const id = await requestor.allocate('2');
    expect((await requestor.call('POST', path, { totalAmount: '2' })).body.message).toContain('1 are left');
    expect((await requestor.call('POST', path, { totalAmount: '-1' })).status).toBe(400);
    const unknown = { totalAmount: '1', paymentPlatform: 'erc20-moon-glm' };
    expect((await requestor.call('POST', path, unknown)).body.message).toContain('no payment account for platform');
    await requestor.expect(204, 'DELETE', `${path}/${id}`);
    expect((await requestor.call('GET', `${path}/${id}`)).status).toBe(404);
    const past = { totalAmount: '1', timeout: new Date(Date.now() - 1000).toISOString() };
    const { allocationId } = await requestor.expect(201, 'POST', path, past);
    while ((await requestor.call('GET', `${path}/${allocationId}`)).status !== 404);
    expect(await requestor.expect(200, 'GET', path)).toEqual([]);
  });

  it('tell of debit notes while an activity runs, and end what is not paid for', async () => {
    await using strict = await testNode({ debitNoteIntervalMs: 20 });
    const { requestor } = strict;
    const patience = { 'golem.com.payment.debit-notes.accept-timeout?': 0.05 };
    const { agreementId } = await requestor.ready(patience);
    const [event] = await requestor.expect(200, 'GET', '/payment-api/v1/debitNoteEvents?timeout=5');
    expect(event.eventType).toBe('DebitNoteReceivedEvent');
    const note = await requestor.expect(200, 'GET', `/payment-api/v1/debitNotes/${event.debitNoteId}`);
    expect(note).toMatchObject({ agreementId, status: 'RECEIVED' });
    strict.node.faults.arm({ kind: 'skip-debit-note', times: 0 });
    const [approved] = await requestor.agreementEvents();
    const [ended] = await requestor.agreementEvents(approved.eventDate);
    expect(ended).toMatchObject({ terminator: 'Provider', reason: { message: expect.stringContaining('debit note') } });
  });
});
