import type { Activities } from './activities.js';
import type { Activity } from './activity.js';
import type { Agreement, Agreements } from './agreements.js';
import type { Allocations } from './allocations.js';
import { type Amount, formatAmount, parseAmount, priceOf, toAmount } from './amount.js';
import type { EventLog } from './event-log.js';
import { isRecord } from './exe-script.js';
import type { Fault, Faults } from './faults.js';
import { newId } from './ids.js';
import type { NodeEvents } from './node-events.js';
import { badRequest, notFound } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { coefficients } from './providers.js';
import type { Stamps } from './stamps.js';
import type { Timers } from './timers.js';

type Status = 'RECEIVED' | 'ACCEPTED' | 'REJECTED';

/** A debit note (of one activity, while it runs) or an invoice (of a whole agreement, at its end). */
export interface Bill {
  readonly id: string;
  readonly kind: 'debit note' | 'invoice';
  readonly agreement: Agreement;
  readonly activity: Activity | undefined;
  readonly amount: Amount;
  readonly timestamp: string;
  readonly previousId: string | undefined;
  readonly usage: readonly number[];
  readonly activityIds: readonly string[];
  status: Status;
}

export interface BillingParts {
  readonly identity: string;
  readonly platforms: readonly string[];
  readonly allocations: Allocations;
  readonly providers: ProviderPool;
  readonly faults: Faults;
  readonly debitNoteLog: EventLog;
  readonly invoiceLog: EventLog;
  readonly events: NodeEvents;
  readonly stamps: Stamps;
  readonly timers: Timers;
  /** Between two debit notes of an activity, where the demand does not ask for another interval. */
  readonly debitNoteIntervalMs: number;
}

const mostBills = 10_000;
const dueMs = 24 * 3_600_000;

/** What providers ask for, and what the requestor agreed to. Nothing is ever transferred. */
export class Billing {
  readonly #parts: BillingParts;
  readonly #agreements: Agreements;
  readonly #activities: Activities;
  readonly #bills = new Map<string, Bill>();
  /** The last debit note of each activity: what it cost. */
  readonly #lastNotes = new Map<Activity, Bill>();
  /** What was accepted so far, for each agreement. Debit notes count up, and the invoice includes them. */
  readonly #accepted = new Map<string, Amount>();

  constructor(agreements: Agreements, activities: Activities, parts: BillingParts) {
    this.#agreements = agreements;
    this.#activities = activities;
    this.#parts = parts;
    activities.onCreate((activity) => this.#scheduleNote(activity));
    agreements.onEnd((agreement) => this.#finish(agreement));
  }

  list(kind: Bill['kind']): Bill[] {
    return [...this.#bills.values()].filter((bill) => bill.kind === kind);
  }

  get(kind: Bill['kind'], id: string): Bill {
    const bill = this.#bills.get(id);
    if (bill?.kind !== kind) throw notFound(kind, id);
    return bill;
  }

  /** Throws a 400 when the amount is another one, or more than the allocation has left. */
  accept(bill: Bill, acceptance: unknown): void {
    const { totalAmountAccepted, allocationId } = isRecord(acceptance) ? acceptance : {};
    const amount = parseAmount(String(totalAmountAccepted ?? ''));
    if (amount !== bill.amount) {
      throw badRequest(`${bill.kind} ${bill.id} is about ${formatAmount(bill.amount)} GLM, not ${totalAmountAccepted}`);
    }
    if (bill.status === 'ACCEPTED') return;
    const key = bill.activity?.id ?? bill.agreement.id;
    const before = this.#acceptedBefore(bill);
    const more = amount > before ? amount - before : 0n;
    this.#parts.allocations.spend(String(allocationId), more);
    this.#accepted.set(key, before + more);
    if (this.#accepted.size > mostBills) this.#accepted.delete(this.#accepted.keys().next().value!);
    bill.status = 'ACCEPTED';
    this.#tell(bill, 'accepted');
  }

  reject(bill: Bill, reason: unknown): void {
    if (bill.status === 'ACCEPTED') throw badRequest(`${bill.kind} ${bill.id} was accepted already`);
    bill.status = 'REJECTED';
    this.#tell(bill, 'rejected', { reason });
  }

  /** The bill as the interface shows it. */
  view(bill: Bill): object {
    const { provider, demand } = bill.agreement;
    const chosen = demand.properties['golem.com.payment.chosen-platform'];
    const common = {
      issuerId: provider.id,
      recipientId: this.#parts.identity,
      payeeAddr: provider.id,
      payerAddr: this.#parts.identity,
      paymentPlatform: typeof chosen === 'string' ? chosen : this.#parts.platforms[0],
      timestamp: bill.timestamp,
      agreementId: bill.agreement.id,
      paymentDueDate: new Date(Date.parse(bill.timestamp) + dueMs).toISOString(),
      status: bill.status,
    };
    if (bill.kind === 'invoice') {
      return { invoiceId: bill.id, ...common, activityIds: bill.activityIds, amount: formatAmount(bill.amount) };
    }
    return {
      debitNoteId: bill.id,
      ...common,
      previousDebitNoteId: bill.previousId,
      activityId: bill.activity?.id,
      totalAmountDue: formatAmount(bill.amount),
      usageCounterVector: bill.usage,
    };
  }

  #acceptedBefore(bill: Bill): Amount {
    if (bill.activity !== undefined) return this.#accepted.get(bill.activity.id) ?? 0n;
    return bill.activityIds.reduce((sum, id) => sum + (this.#accepted.get(id) ?? 0n), 0n);
  }

  #scheduleNote(activity: Activity): void {
    const { timers, providers } = this.#parts;
    timers.after(this.#intervalMs(activity.agreement), () => {
      if (activity.state === 'Terminated' || !providers.isPresent(activity.provider.name)) return;
      this.#issueNote(activity);
      this.#scheduleNote(activity);
    });
  }

  #intervalMs({ demand }: Agreement): number {
    const seconds = Number(demand.properties['golem.com.scheme.payu.debit-note.interval-sec?']);
    return Number.isFinite(seconds) && seconds >= 1 ? seconds * 1000 : this.#parts.debitNoteIntervalMs;
  }

  #issueNote(activity: Activity): Bill | undefined {
    const { faults, debitNoteLog, timers } = this.#parts;
    const { agreement, provider } = activity;
    if (faults.take('skip-debit-note', { provider: provider.name }) !== undefined) return undefined;
    const { durationMs, busyMs } = activity.usage;
    const [perSecond, perBusySecond, start] = coefficients(provider);
    const cost = toAmount(start!) + priceOf(perSecond!, durationMs) + priceOf(perBusySecond!, busyMs);
    const raised = faults.take('raise-debit-note', { provider: provider.name });
    const note = this.#add({
      kind: 'debit note',
      agreement,
      activity,
      amount: raisedBy(raised, cost),
      previousId: this.#lastNotes.get(activity)?.id,
      usage: [durationMs / 1000, busyMs / 1000],
      activityIds: [activity.id],
    });
    this.#lastNotes.set(activity, note);
    debitNoteLog.append(agreement.session, { eventType: 'DebitNoteReceivedEvent', debitNoteId: note.id });
    const patienceSeconds = Number(agreement.demand.properties['golem.com.payment.debit-notes.accept-timeout?']);
    if (patienceSeconds > 0) timers.after(patienceSeconds * 1000, () => this.#losePatience(note));
    return note;
  }

  /** As real providers do: who does not accept what was used so far gets no more of it. */
  #losePatience(note: Bill): void {
    if (note.status !== 'RECEIVED' || note.agreement.state !== 'Approved') return;
    if (note !== this.#lastNotes.get(note.activity!)) return;
    const reason = { message: `debit note ${note.id} was not accepted in time` };
    this.#agreements.terminate(note.agreement.id, 'Provider', reason);
  }

  #finish(agreement: Agreement): void {
    const { faults, invoiceLog, providers } = this.#parts;
    const { name } = agreement.provider;
    if (!providers.isPresent(name)) return;
    const activities = this.#activities.of(agreement);
    const notes = activities.map((activity) => this.#issueNote(activity) ?? this.#lastNotes.get(activity));
    for (const activity of activities) this.#lastNotes.delete(activity);
    if (faults.take('skip-invoice', { provider: name }) !== undefined) return;
    const raised = faults.take('raise-invoice', { provider: name });
    const sum = notes.reduce((total, note) => total + (note?.amount ?? 0n), 0n);
    const invoice = this.#add({
      kind: 'invoice',
      agreement,
      activity: undefined,
      amount: raisedBy(raised, sum),
      previousId: undefined,
      usage: [],
      activityIds: activities.map(({ id }) => id),
    });
    invoiceLog.append(agreement.session, { eventType: 'InvoiceReceivedEvent', invoiceId: invoice.id });
  }

  #add(parts: Omit<Bill, 'id' | 'timestamp' | 'status'>): Bill {
    const bill: Bill = { id: newId(), timestamp: this.#parts.stamps.next(), status: 'RECEIVED', ...parts };
    this.#bills.set(bill.id, bill);
    if (this.#bills.size > mostBills) this.#bills.delete(this.#bills.keys().next().value!);
    this.#tell(bill, 'sent');
    return bill;
  }

  #tell(bill: Bill, what: string, more: object = {}): void {
    const { agreement, activity, amount, id } = bill;
    const details = { id, agreementId: agreement.id, activityId: activity?.id, amount: formatAmount(amount), ...more };
    this.#parts.events.emit('/payments', `${bill.kind.replace(' ', '-')}-${what}`, details, agreement.provider.name);
  }
}

function raisedBy(fault: Fault | undefined, amount: Amount): Amount {
  if (fault === undefined) return amount;
  const raised = (amount * BigInt(Math.round((fault.factor ?? 10) * 1000))) / 1000n;
  // Even a price of nothing can be too high.
  return raised > amount ? raised : amount + toAmount(1);
}
