import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import { type Amount, formatAmount, parseAmount } from './amount.js';
import type { AgreementRecord, AllocationRecord, GolemDaemon, PaymentDocument } from './daemon.js';
import type { Emit } from './events.js';
import { mostFairAmount } from './fair-price.js';
import type { GolemLogger } from './logger.js';
import { type ProviderInfo, providerName } from './offer.js';
import { backoffMs, type Deferred, deferred } from './signals.js';

export interface PaymentsOptions {
  readonly daemon: GolemDaemon;
  readonly allocation: AllocationRecord;
  /** The most that is accepted in all. */
  readonly budget: Amount;
  readonly emit: Emit;
  readonly logger: GolemLogger;
  /** Told of what was accepted for an agreement so far, and when its invoice is settled. */
  readonly onAccepted?: (agreementId: string, amount: string, settled: boolean) => void;
  /** Already accepted by an earlier process, by agreement. */
  readonly accepted?: ReadonlyMap<string, Amount>;
  /** How often a document that could not be accepted is tried again. Default 5. */
  readonly attempts?: number;
  readonly firstBackoffMs?: number;
}

interface Account {
  readonly agreement: AgreementRecord;
  readonly provider: ProviderInfo;
  readonly startMs: number;
  /** Debit notes: the running total of each activity. */
  readonly activities: Map<string, Amount>;
  accepted: Amount;
  /** An invoice is expected, since something has run. */
  payable: boolean;
  readonly settled: Deferred<void>;
  isSettled: boolean;
  /** Left to somebody else. */
  isLeft: boolean;
}

/**
 * Pays for the agreements it is told of, out of one allocation: accepts their debit notes and invoices, each once,
 * and never more in all than the budget, nor more than an agreement can have cost by its own prices.
 */
export class Payments {
  readonly #options: PaymentsOptions;
  readonly #accounts = new Map<string, Account>();
  readonly #handled = new Set<string>();
  /** One document after the other: the budget must not be spent twice. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: PaymentsOptions) {
    this.#options = options;
  }

  get allocationId(): string {
    return this.#options.allocation.allocationId;
  }

  /** Accepted so far, GLM as a decimal. */
  get spent(): string {
    return formatAmount(this.#spent());
  }

  /** From here on the agreement's documents are accepted. `startMs`: Unix time since when it may cost. */
  watch(agreement: AgreementRecord, startMs = Date.now()): void {
    const { agreementId, offer, providerId } = agreement;
    if (this.#accounts.has(agreementId)) return;
    this.#accounts.set(agreementId, {
      agreement,
      startMs,
      provider: { id: providerId, name: providerName(offer.properties, providerId) },
      activities: new Map(),
      accepted: this.#options.accepted?.get(agreementId) ?? 0n,
      payable: false,
      settled: deferred(),
      isSettled: false,
      isLeft: false,
    });
  }

  /** Something has run: an invoice will come, and is waited for by `settle`. */
  markPayable(agreementId: string): void {
    const account = this.#accounts.get(agreementId);
    if (account) account.payable = true;
  }

  /** Somebody else pays from here on. What was accepted here still counts. */
  unwatch(agreementId: string): void {
    const account = this.#accounts.get(agreementId);
    if (!account) return;
    account.payable = false;
    account.isLeft = true;
  }

  /** Takes a debit note by its id; those of others are ignored. */
  onDebitNote(id: string): Promise<void> {
    return this.#inTurn(`debit note ${id}`, async () => {
      if (this.#handled.has(id)) return;
      const note = await this.#options.daemon.payment.debitNote(id);
      const account = this.#accounts.get(note.agreementId);
      if (account && !account.isLeft) await this.#acceptDebitNote(account, note);
      this.#handled.add(id);
    });
  }

  /** Takes an invoice by its id; those of others are ignored. */
  onInvoice(id: string): Promise<void> {
    return this.#inTurn(`invoice ${id}`, async () => {
      if (this.#handled.has(id)) return;
      await this.#takeInvoice(await this.#options.daemon.payment.invoice(id));
      this.#handled.add(id);
    });
  }

  /**
   * Waits until every payable agreement has its invoice, `timeoutMs` at most (default 30,000). The daemon's list is
   * asked as well: an event may have been missed. Gives the agreements that never sent one.
   */
  async settle(
    options: { timeoutMs?: number; pollMs?: number; signal?: AbortSignal } = {},
  ): Promise<readonly string[]> {
    const { timeoutMs = 30_000, pollMs = 2000, signal } = options;
    const { gone } = this.#options.daemon;
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const open = this.#open();
      if (open.length === 0) return [];
      await this.#readList().catch(() => undefined);
      const leftMs = endMs - performance.now();
      if (this.#open().length === 0) return [];
      if (leftMs <= 0 || signal?.aborted || gone?.aborted) {
        return this.#open().map(({ agreement }) => agreement.agreementId);
      }
      using waiting = new Deadline(Math.min(pollMs, leftMs), gone);
      const over = new Promise<void>((resolve) => waiting.signal.addEventListener('abort', () => resolve()));
      await Promise.race([Promise.all(this.#open().map(({ settled }) => settled.promise)), over]);
    }
  }

  /** Gives the rest of the money back. */
  async release(): Promise<void> {
    const { daemon, logger } = this.#options;
    await this.#turn;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await daemon.payment.releaseAllocation(this.allocationId, { timeoutMs: 10_000 });
        return;
      } catch (error) {
        if (error instanceof MeshError && error.code === 'not-found') return;
        if (attempt + 1 >= (this.#options.attempts ?? 5)) {
          logger.error(`Allocation ${this.allocationId} could not be released: ${MeshError.from(error).message}`);
          throw error;
        }
        await pause(backoffMs(attempt, this.#options.firstBackoffMs ?? 500, 5000), daemon.gone);
      }
    }
  }

  #open(): Account[] {
    return [...this.#accounts.values()].filter(({ payable, isSettled }) => payable && !isSettled);
  }

  async #readList(): Promise<void> {
    const invoices = await this.#options.daemon.payment.listInvoices({ timeoutMs: 10_000 });
    for (const invoice of invoices) {
      const account = this.#accounts.get(invoice.agreementId);
      if (account && !account.isSettled && !this.#handled.has(invoice.id)) await this.onInvoice(invoice.id);
    }
  }

  #spent(): Amount {
    let sum = 0n;
    for (const { accepted } of this.#accounts.values()) sum += accepted;
    for (const [id, amount] of this.#options.accepted ?? []) if (!this.#accounts.has(id)) sum += amount;
    return sum;
  }

  /** What speaks against accepting that an agreement costs this much in all. */
  #objection(account: Account, total: Amount): string | undefined {
    const after = this.#spent() - account.accepted + (total > account.accepted ? total : account.accepted);
    const { budget } = this.#options;
    if (after > budget) {
      return `${formatAmount(total)} GLM would make ${formatAmount(after)} in all, beyond the budget of ${formatAmount(budget)}`;
    }
    const fair = mostFairAmount(account.agreement, Date.now() - account.startMs);
    if (fair !== undefined && total > fair) {
      return `${formatAmount(total)} GLM is more than the agreement can have cost by its prices, ${formatAmount(fair)}`;
    }
    return undefined;
  }

  async #acceptDebitNote(account: Account, note: PaymentDocument): Promise<void> {
    const { daemon, emit, allocation } = this.#options;
    const fields = { ...idsOf(account), debitNoteId: note.id, amount: note.amount };
    emit('DebitNoteReceived', fields);
    if (note.status === 'ACCEPTED' || note.status === 'SETTLED') return;
    const due = parseAmount(note.amount, `amount of debit note ${note.id}`);
    const activity = note.activityId ?? '';
    let total = due;
    for (const [id, amount] of account.activities) if (id !== activity) total += amount;
    const objection = this.#objection(account, total);
    // There is nothing to reject a debit note by: a provider that gets no acceptance ends the agreement.
    if (objection) {
      emit('PaymentFailed', {
        ...idsOf(account),
        error: new MeshError('resource-exhausted', `Debit note: ${objection}`),
      });
      return;
    }
    const failure = await this.#lasting(daemon.payment.acceptDebitNote(note.id, note.amount, allocation.allocationId));
    if (failure) {
      emit('PaymentFailed', { ...idsOf(account), error: failure });
      return;
    }
    account.activities.set(activity, due);
    this.#record(account, total);
    emit('DebitNoteAccepted', fields);
  }

  async #takeInvoice(invoice: PaymentDocument): Promise<void> {
    const account = this.#accounts.get(invoice.agreementId);
    if (!account || account.isLeft) return;
    const { daemon, emit, allocation } = this.#options;
    const fields = { ...idsOf(account), invoiceId: invoice.id, amount: invoice.amount };
    const total = parseAmount(invoice.amount, `amount of invoice ${invoice.id}`);
    emit('InvoiceReceived', fields);
    const objection = this.#objection(account, total);
    if (invoice.status === 'ACCEPTED' || invoice.status === 'SETTLED') this.#record(account, total);
    else if (objection) {
      emit('PaymentFailed', { ...idsOf(account), error: new MeshError('resource-exhausted', `Invoice: ${objection}`) });
      await daemon.payment.rejectInvoice(invoice.id, objection).catch(() => undefined);
    } else {
      const failure = await this.#lasting(
        daemon.payment.acceptInvoice(invoice.id, invoice.amount, allocation.allocationId),
      );
      if (failure) emit('PaymentFailed', { ...idsOf(account), error: failure });
      else {
        this.#record(account, total);
        emit('InvoiceAccepted', fields);
      }
    }
    account.isSettled = true;
    account.settled.resolve();
    this.#options.onAccepted?.(invoice.agreementId, formatAmount(account.accepted), true);
  }

  /** The error of a call that would fail again in the same way; an error that may pass is thrown. */
  async #lasting(call: Promise<void>): Promise<MeshError | undefined> {
    try {
      await call;
      return undefined;
    } catch (error) {
      if (mayPass(error)) throw error;
      return MeshError.from(error);
    }
  }

  #record(account: Account, total: Amount): void {
    if (total > account.accepted) account.accepted = total;
    this.#options.onAccepted?.(account.agreement.agreementId, formatAmount(account.accepted), false);
  }

  #inTurn(what: string, work: () => Promise<void>): Promise<void> {
    const { logger, daemon, attempts = 5, firstBackoffMs = 500 } = this.#options;
    this.#turn = this.#turn.then(async () => {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        try {
          return await work();
        } catch (error) {
          logger.warn(`Paying ${what}: ${MeshError.from(error).message}`);
          if (!mayPass(error)) return;
          await pause(backoffMs(attempt, firstBackoffMs, 5000), daemon.gone);
        }
      }
    });
    return this.#turn;
  }
}

function mayPass(error: unknown): boolean {
  return ['unavailable', 'internal', 'deadline-exceeded', 'unknown'].includes(MeshError.from(error).code);
}

function idsOf({ agreement, provider }: Account) {
  return { agreementId: agreement.agreementId, provider };
}
