import type { EventLog } from './event-log.js';
import type { Faults } from './faults.js';
import { newId } from './ids.js';
import type { Bargain, Market } from './market.js';
import type { NodeEvents } from './node-events.js';
import { Notifier } from './notifier.js';
import { badRequest, gone, notFound, Problem } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { microsecondsOf, type Stamps } from './stamps.js';
import type { Timers } from './timers.js';

export type AgreementState = 'Proposal' | 'Pending' | 'Cancelled' | 'Rejected' | 'Approved' | 'Expired' | 'Terminated';

export interface Agreement extends Bargain {
  readonly id: string;
  readonly validTo: string;
  readonly timestamp: string;
  state: AgreementState;
  session: string | undefined;
  approvedDate: string | undefined;
  endedDate: string | undefined;
  readonly notifier: Notifier;
}

export type Party = 'Requestor' | 'Provider';

export interface AgreementParts {
  readonly identity: string;
  readonly market: Market;
  readonly providers: ProviderPool;
  readonly faults: Faults;
  readonly log: EventLog;
  readonly events: NodeEvents;
  readonly stamps: Stamps;
  readonly timers: Timers;
  /** A number from 0 up to 1, to decide what an unreliable provider does. */
  readonly random: () => number;
}

const mostEnded = 2000;

/** Agreements from proposal to termination. */
export class Agreements {
  readonly #parts: AgreementParts;
  readonly #agreements = new Map<string, Agreement>();
  readonly #approved: ((agreement: Agreement) => void)[] = [];
  readonly #ended: ((agreement: Agreement) => void)[] = [];

  constructor(parts: AgreementParts) {
    this.#parts = parts;
  }

  /** Calls back when a provider has approved an agreement. */
  onApprove(listener: (agreement: Agreement) => void): void {
    this.#approved.push(listener);
  }

  /** Calls back when an approved agreement has been terminated. */
  onEnd(listener: (agreement: Agreement) => void): void {
    this.#ended.push(listener);
  }

  list(): Agreement[] {
    return [...this.#agreements.values()];
  }

  get(id: string): Agreement {
    const agreement = this.#agreements.get(id);
    if (agreement === undefined) throw notFound('agreement', id);
    return agreement;
  }

  create(proposalId: string, validTo: string): string {
    const ends = microsecondsOf(validTo);
    if (ends === undefined) throw badRequest(`validTo ${JSON.stringify(validTo)} is no time`);
    const bargain = this.#parts.market.promote(proposalId);
    const agreement: Agreement = {
      ...bargain,
      id: newId(),
      validTo,
      timestamp: this.#parts.stamps.next(),
      state: 'Proposal',
      session: undefined,
      approvedDate: undefined,
      endedDate: undefined,
      notifier: new Notifier(),
    };
    this.#agreements.set(agreement.id, agreement);
    this.#forgetOldest();
    this.#parts.timers.after(Number(ends / 1000n) - Date.now(), () => this.#expire(agreement));
    this.#tell(agreement, 'agreement-created', {});
    return agreement.id;
  }

  /** Sends the agreement to its provider, whose answer {@link wait} waits for. */
  confirm(id: string, session: string | undefined): void {
    const agreement = this.get(id);
    if (agreement.state !== 'Proposal') throw gone(`agreement ${id} is ${agreement.state}, not Proposal`);
    const { provider } = agreement;
    const { faults, timers } = this.#parts;
    this.#parts.providers.assertPresent(provider.name);
    agreement.session = session;
    this.#become(agreement, 'Pending');
    if (faults.take('ignore-agreement', { provider: provider.name }) !== undefined) return;
    const slow = faults.take('slow-approval', { provider: provider.name });
    const delayMs = provider.negotiationMs + (slow === undefined ? 0 : (slow.delayMs ?? 1000));
    timers.after(delayMs, () => this.#decide(agreement));
  }

  /** Resolves when the provider approved. 408 when it did not answer in time, 410 when it will not. */
  async wait(id: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const agreement = this.get(id);
    if (agreement.state === 'Proposal') throw new Problem(409, `agreement ${id} has not been confirmed`);
    const decided = () => (agreement.state === 'Pending' ? undefined : agreement.state);
    const state = await agreement.notifier.until(decided, timeoutMs, signal);
    if (state === undefined) throw new Problem(408, `agreement ${id} was not approved in time`);
    if (state !== 'Approved') throw gone(`agreement ${id} is ${state}`);
  }

  cancel(id: string): void {
    const agreement = this.get(id);
    if (agreement.state !== 'Proposal' && agreement.state !== 'Pending') {
      throw gone(`agreement ${id} is ${agreement.state}`);
    }
    this.#close(agreement, 'Cancelled', { eventType: 'AgreementCancelledEvent' });
  }

  terminate(id: string, by: Party, reason: Record<string, unknown>): void {
    const agreement = this.get(id);
    if (agreement.state !== 'Approved') throw gone(`agreement ${id} is ${agreement.state}, not Approved`);
    agreement.endedDate = this.#parts.stamps.next();
    this.#become(agreement, 'Terminated');
    this.#append(agreement, {
      eventType: 'AgreementTerminatedEvent',
      terminator: by,
      signature: 'NoSignature',
      reason,
    });
    this.#tell(agreement, 'agreement-terminated', { by, reason });
    for (const listener of this.#ended) listener(agreement);
    this.#parts.providers.giveBack(agreement.provider.name);
  }

  /** The agreement as the interface shows it. */
  view(agreement: Agreement): object {
    const { identity } = this.#parts;
    const { id, validTo, timestamp, state, session, approvedDate, demand, offer, provider } = agreement;
    return {
      agreementId: id,
      demand: { ...demand, requestorId: identity },
      offer: { ...offer, providerId: provider.id },
      validTo,
      approvedDate,
      state,
      timestamp,
      appSessionId: session,
      proposedSignature: 'NoSignature',
      approvedSignature: approvedDate === undefined ? undefined : 'NoSignature',
      committedSignature: approvedDate === undefined ? undefined : 'NoSignature',
    };
  }

  #decide(agreement: Agreement): void {
    const { provider } = agreement;
    const { providers, faults, market, random } = this.#parts;
    if (agreement.state !== 'Pending' || !providers.isPresent(provider.name)) return;
    const ordered = faults.take('reject-agreement', { provider: provider.name }) !== undefined;
    if (ordered || !providers.hasRoom(provider.name) || random() >= provider.reliability) {
      const message = providers.hasRoom(provider.name) ? 'the provider changed its mind' : 'the provider is busy';
      this.#close(agreement, 'Rejected', { eventType: 'AgreementRejectedEvent', reason: { message } });
    } else {
      providers.take(provider.name);
      agreement.approvedDate = this.#parts.stamps.next();
      this.#become(agreement, 'Approved');
      this.#append(agreement, { eventType: 'AgreementApprovedEvent' });
      this.#tell(agreement, 'agreement-approved', {});
      this.#endInTime(agreement);
      for (const listener of this.#approved) listener(agreement);
      market.reoffer(provider);
    }
  }

  /** The demand says how long it wants the provider for; after that the provider ends it. */
  #endInTime(agreement: Agreement): void {
    const expiration = Number(agreement.demand.properties['golem.srv.comp.expiration']);
    if (!Number.isFinite(expiration)) return;
    this.#parts.timers.after(expiration - Date.now(), () => {
      if (agreement.state !== 'Approved') return;
      this.terminate(agreement.id, 'Provider', { message: 'the time of the agreement is over' });
    });
  }

  #expire(agreement: Agreement): void {
    if (agreement.state !== 'Proposal' && agreement.state !== 'Pending') return;
    this.#close(agreement, 'Expired', {
      eventType: 'AgreementRejectedEvent',
      reason: { message: 'the agreement expired before it was approved' },
    });
  }

  #close(agreement: Agreement, state: 'Cancelled' | 'Rejected' | 'Expired', event: object): void {
    agreement.endedDate = this.#parts.stamps.next();
    this.#become(agreement, state);
    this.#append(agreement, event);
    this.#tell(agreement, `agreement-${state.toLowerCase()}`, {});
    this.#parts.market.reoffer(agreement.provider);
  }

  #become(agreement: Agreement, state: AgreementState): void {
    agreement.state = state;
    agreement.notifier.notify();
  }

  #append(agreement: Agreement, event: object): void {
    this.#parts.log.append(agreement.session, { agreementId: agreement.id, ...event });
  }

  #tell({ id, provider }: Agreement, kind: string, details: object): void {
    this.#parts.events.emit('/agreements', kind, { agreementId: id, ...details }, provider.name);
  }

  #forgetOldest(): void {
    if (this.#agreements.size <= mostEnded) return;
    const oldest = this.list().find(({ endedDate }) => endedDate !== undefined);
    if (oldest !== undefined) this.#agreements.delete(oldest.id);
  }

  close(): void {
    for (const { notifier } of this.#agreements.values()) notifier.close();
  }
}
