import type { AllocationRecord, DaemonPayment, PaymentDocument, PaymentEvent } from './daemon.js';
import { callYagna } from './yagna-calls.js';
import type { YagnaApi } from './yagna-sdk.js';

type Api = YagnaApi['payment'];
type RawInvoice = Awaited<ReturnType<Api['getInvoice']>>;
type RawDebitNote = Awaited<ReturnType<Api['getDebitNote']>>;
type RawAllocation = Awaited<ReturnType<Api['getAllocation']>>;

/** The payment half of the daemon over the SDK's REST client. */
export function yagnaPayment(api: Api, appSessionId: string): DaemonPayment {
  return {
    createAllocation: async ({ totalAmount, paymentPlatform, address, expires }, call) => {
      // The SDK's type wants the fields that only the daemon can fill.
      const body = {
        totalAmount,
        paymentPlatform,
        address,
        timeout: expires.toISOString(),
        timestamp: new Date().toISOString(),
        makeDeposit: false,
        allocationId: '',
        spentAmount: '',
        remainingAmount: '',
      };
      return allocationRecord(await callYagna('create allocation', call, () => api.createAllocation(body)));
    },
    allocation: async (id, call) =>
      allocationRecord(await callYagna(`allocation ${id}`, call, () => api.getAllocation(id))),
    listAllocations: async (call) => {
      const all = await callYagna('list allocations', call, () => api.getAllocations());
      return all.map(allocationRecord);
    },
    releaseAllocation: async (id, call) => {
      await callYagna(`release allocation ${id}`, call, () => api.releaseAllocation(id));
    },
    demandDecorations: async (allocationId, call) => {
      const raw = await callYagna('demand decorations', call, () => api.getDemandDecorations([allocationId]));
      return {
        properties: Object.fromEntries(raw.properties.map(({ key, value }) => [key, value])),
        constraints: raw.constraints,
      };
    },
    debitNote: async (id, call) => debitNote(await callYagna(`debit note ${id}`, call, () => api.getDebitNote(id))),
    invoice: async (id, call) => invoice(await callYagna(`invoice ${id}`, call, () => api.getInvoice(id))),
    listInvoices: async (call) => (await callYagna('list invoices', call, () => api.getInvoices())).map(invoice),
    acceptDebitNote: async (id, totalAmountAccepted, allocationId, call) => {
      await callYagna(`accept debit note ${id}`, call, () =>
        api.acceptDebitNote(id, { totalAmountAccepted, allocationId }),
      );
    },
    acceptInvoice: async (id, totalAmountAccepted, allocationId, call) => {
      await callYagna(`accept invoice ${id}`, call, () => api.acceptInvoice(id, { totalAmountAccepted, allocationId }));
    },
    rejectInvoice: async (id, message, call) => {
      const body = { rejectionReason: 'INCORRECT_AMOUNT' as const, totalAmountAccepted: '0', message };
      await callYagna(`reject invoice ${id}`, call, () => api.rejectInvoice(id, body));
    },
    debitNoteEvents: async ({ after, waitSeconds, maxEvents = 100, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      const raw = await callYagna('debit note events', { ...call, timeoutMs }, () =>
        api.getDebitNoteEvents(waitSeconds, after, maxEvents, appSessionId),
      );
      return raw.map((event) => paymentEvent(event, event.debitNoteId));
    },
    invoiceEvents: async ({ after, waitSeconds, maxEvents = 100, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      const raw = await callYagna('invoice events', { ...call, timeoutMs }, () =>
        api.getInvoiceEvents(waitSeconds, after, maxEvents, appSessionId),
      );
      return raw.map((event) => paymentEvent(event, event.invoiceId));
    },
  };
}

function allocationRecord(raw: RawAllocation): AllocationRecord {
  const { allocationId, totalAmount, spentAmount, remainingAmount, paymentPlatform = '', address = '', timeout } = raw;
  return { allocationId, totalAmount, spentAmount, remainingAmount, paymentPlatform, address, timeout };
}

function invoice({ invoiceId, agreementId, issuerId, amount, status }: RawInvoice): PaymentDocument {
  return { id: invoiceId, agreementId, issuerId, amount, status };
}

function debitNote(raw: RawDebitNote): PaymentDocument {
  const { debitNoteId, agreementId, issuerId, activityId, totalAmountDue, status } = raw;
  return { id: debitNoteId, agreementId, issuerId, activityId, amount: totalAmountDue, status };
}

function paymentEvent(raw: { eventType?: string; eventDate: string }, id: string): PaymentEvent {
  const type = raw.eventType ?? (raw as { eventtype?: string }).eventtype ?? '';
  return { type, id, date: raw.eventDate };
}
