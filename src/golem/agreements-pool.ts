import { MeshError } from '../base/errors.js';
import type { AgreementRecord, GolemDaemon } from './daemon.js';
import type { Emit } from './events.js';
import { type OfferProposal, type ProviderInfo, providerName } from './offer.js';
import { abortError, backoffMs, type Deferred, deferred } from './signals.js';
import type { MarketStrategy } from './strategy.js';
import { whileAway } from './while-away.js';

/** A confirmed agreement, and what is known about it here. */
export interface BufferedAgreement {
  readonly agreementId: string;
  readonly provider: ProviderInfo;
  readonly record: AgreementRecord;
  /** Aborts, with the reason, when either side has terminated the agreement. */
  readonly terminated: AbortSignal;
}

export type AgreementFate = 'created' | 'rejected' | 'left';

export interface AcquireOptions {
  readonly signal: AbortSignal;
  /** Providers that are taken only when nobody else is there for `patienceMs`. */
  readonly avoid?: ReadonlySet<string>;
  /** Default 10,000. */
  readonly patienceMs?: number;
}

export interface AgreementsPoolOptions {
  readonly daemon: GolemDaemon;
  readonly emit: Emit;
  readonly strategy: MarketStrategy;
  readonly validTo: Date;
  /** How long a provider may take to approve. Default 60,000. */
  readonly approvalTimeoutMs?: number;
  /** Told before anything can be owed, when it came to nothing, and when it is left to somebody else. */
  readonly onAgreement?: (agreementId: string, state: AgreementFate) => void;
  /** Proposals kept, the best ones. Default 200. */
  readonly mostProposals?: number;
}

interface Held {
  readonly agreement: BufferedAgreement;
  readonly ending: AbortController;
  inUse: boolean;
}

/** Proposals by their score, and the agreements made of them. */
export class AgreementsPool {
  readonly #options: AgreementsPoolOptions;
  readonly #proposals = new Map<string, { readonly score: number; readonly proposal: OfferProposal }>();
  readonly #agreements = new Map<string, Held>();
  #news: Deferred<void> = deferred();
  #failure: MeshError | undefined;
  #waiting = 0;

  constructor(options: AgreementsPoolOptions) {
    this.#options = options;
  }

  /** Callers of acquire that have no provider yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Proposals that an agreement could be made of. */
  get buffered(): number {
    return this.#proposals.size;
  }

  /** Adds a confirmed proposal; a provider's newest replaces its older one. */
  addProposal(score: number, proposal: OfferProposal): void {
    this.#proposals.delete(proposal.provider.id);
    this.#proposals.set(proposal.provider.id, { score, proposal });
    if (this.#proposals.size > (this.#options.mostProposals ?? 200)) {
      const worst = [...this.#proposals].reduce((low, entry) => (entry[1].score < low[1].score ? entry : low));
      this.#proposals.delete(worst[0]);
    }
    this.#tell();
  }

  /** Nothing will come any more: every acquire fails with this error. */
  fail(error: MeshError): void {
    this.#failure = error;
    this.#tell();
  }

  /**
   * Gives an agreement to use alone: one that was released for reuse, else a new one with the best proposal.
   * Providers that reject or ignore it are asked again only when nobody else is there, ever more slowly.
   * Waits for proposals until the signal aborts.
   */
  async acquire(options: AcquireOptions): Promise<BufferedAgreement> {
    const { signal, avoid, patienceMs = 10_000 } = options;
    const sinceMs = performance.now();
    const refused = new Set<string>();
    let refusals = 0;
    let restsUntilMs = sinceMs;
    this.#waiting += 1;
    try {
      for (;;) {
        if (signal.aborted) throw abortError(signal, 'Waiting for a provider');
        if (this.#failure) throw this.#failure;
        const nowMs = performance.now();
        const patient = nowMs - sinceMs < patienceMs;
        const reusable = [...this.#agreements.values()].find(({ inUse }) => !inUse);
        if (reusable) {
          reusable.inUse = true;
          return reusable.agreement;
        }
        const avoided = (id: string) => patient && avoid?.has(id) === true;
        // Who refuses may offer anew at once, and be the cheapest for ever.
        const best =
          this.#best((id) => avoided(id) || refused.has(id)) ??
          (nowMs < restsUntilMs ? undefined : this.#best(avoided));
        if (best) {
          this.#proposals.delete(best.provider.id);
          const agreement = await this.#propose(best, signal);
          if (agreement) return agreement;
          refused.add(best.provider.id);
          restsUntilMs = performance.now() + backoffMs(refusals, 20, 2000);
          refusals += 1;
        } else {
          const deadlines = [patient ? sinceMs + patienceMs : 0, restsUntilMs].filter((ms) => ms > nowMs);
          await this.#nextNews(signal, deadlines.length === 0 ? undefined : Math.min(...deadlines) - nowMs);
        }
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Acquires, calls, and releases for reuse afterwards; after an error the agreement is terminated. */
  async useAgreement<T>(callback: (agreement: BufferedAgreement) => Promise<T>, options: AcquireOptions): Promise<T> {
    const agreement = await this.acquire(options);
    try {
      const result = await callback(agreement);
      await this.release(agreement.agreementId, { reuse: true });
      return result;
    } catch (error) {
      await this.release(agreement.agreementId, { reuse: false, reason: MeshError.from(error).message });
      throw error;
    }
  }

  /** Gives an agreement back: to be used again, or to be terminated with a reason. */
  async release(agreementId: string, options: { reuse: boolean; reason?: string }): Promise<void> {
    const held = this.#agreements.get(agreementId);
    if (!held) return;
    if (options.reuse && !held.ending.signal.aborted) {
      held.inUse = false;
      this.#tell();
      return;
    }
    await this.#terminate(held, options.reason ?? 'Work is done');
  }

  /** Takes over an agreement that was made elsewhere. Its `terminated` signal is replaced by the pool's own. */
  adopt(agreement: Omit<BufferedAgreement, 'terminated'>): BufferedAgreement {
    const ending = new AbortController();
    const adopted = { ...agreement, terminated: ending.signal };
    this.#agreements.set(agreement.agreementId, { agreement: adopted, ending, inUse: true });
    return adopted;
  }

  /** Leaves an agreement to somebody else: it is neither terminated nor used again here. */
  forget(agreementId: string): void {
    if (this.#agreements.delete(agreementId)) this.#options.onAgreement?.(agreementId, 'left');
  }

  /** Terminates every agreement. */
  async terminate(reason: string): Promise<void> {
    this.#proposals.clear();
    await Promise.all([...this.#agreements.values()].map((held) => this.#terminate(held, reason)));
  }

  /** Reacts to a termination that came from the provider. Unknown agreements are ignored. */
  onAgreementTerminated(agreementId: string, reason: string): void {
    const held = this.#agreements.get(agreementId);
    if (!held) return;
    this.#forget(held, { by: 'provider', reason });
  }

  async #terminate(held: Held, reason: string): Promise<void> {
    const { agreementId } = held.agreement;
    if (!this.#agreements.has(agreementId)) return;
    this.#forget(held, { by: 'requestor', reason });
    const { market } = this.#options.daemon;
    // Gone already, or the daemon stays away; then the agreement ends by its validTo at the latest.
    await whileAway(() => market.terminateAgreement(agreementId, reason, { timeoutMs: 10_000 })).catch(() => undefined);
  }

  #forget(held: Held, { by, reason }: { by: 'requestor' | 'provider'; reason: string }): void {
    const { agreementId, provider } = held.agreement;
    this.#agreements.delete(agreementId);
    this.#options.emit('AgreementTerminated', { agreementId, provider, by, reason });
    held.ending.abort(new MeshError('aborted', `Agreement ${agreementId} was terminated by the ${by}: ${reason}`));
  }

  #best(isPassedOver: (providerId: string) => boolean): OfferProposal | undefined {
    let best: { readonly score: number; readonly proposal: OfferProposal } | undefined;
    for (const entry of this.#proposals.values()) {
      if (isPassedOver(entry.proposal.provider.id)) continue;
      if (!best || entry.score > best.score) best = entry;
    }
    return best?.proposal;
  }

  async #propose(proposal: OfferProposal, signal: AbortSignal): Promise<BufferedAgreement | undefined> {
    const { daemon, emit, strategy, validTo, approvalTimeoutMs = 60_000 } = this.#options;
    const { provider } = proposal;
    let agreementId: string | undefined;
    let confirmed = false;
    try {
      agreementId = await daemon.market.createAgreement(proposal.proposalId, validTo, { signal });
      this.#options.onAgreement?.(agreementId, 'created');
      emit('AgreementCreated', { agreementId, provider, validToMs: validTo.getTime() });
      await daemon.market.confirmAgreement(agreementId, { signal });
      const record = await this.#decision(agreementId, signal, approvalTimeoutMs);
      confirmed = record.state === 'Approved';
      if (!confirmed) throw new MeshError('aborted', `it is ${record.state}`);
      const named = { id: provider.id, name: providerName(record.offer.properties, provider.id) };
      const ending = new AbortController();
      const agreement = { agreementId, provider: named, record, terminated: ending.signal };
      this.#agreements.set(agreementId, { agreement, ending, inUse: true });
      emit('AgreementConfirmed', { agreementId, provider: named });
      return agreement;
    } catch (error) {
      if (agreementId !== undefined) {
        emit('AgreementRejected', { agreementId, provider, reason: MeshError.from(error).message });
        await this.#withdraw(agreementId);
        this.#options.onAgreement?.(agreementId, 'rejected');
      }
      if (signal.aborted) throw abortError(signal, 'Waiting for a provider');
      return undefined;
    } finally {
      if (!signal.aborted) strategy.onAgreement?.(provider.id, confirmed ? 'confirmed' : 'rejected');
    }
  }

  /** What is not decided on might be approved later, and then cost money; what was approved meanwhile costs it now. */
  async #withdraw(agreementId: string): Promise<void> {
    const { market } = this.#options.daemon;
    const reason = 'Not approved in time';
    await whileAway(() => market.cancelAgreement(agreementId, reason, { timeoutMs: 5000 }))
      .catch(() => whileAway(() => market.terminateAgreement(agreementId, reason, { timeoutMs: 5000 })))
      .catch(() => undefined);
  }

  async #decision(agreementId: string, signal: AbortSignal, timeoutMs: number): Promise<AgreementRecord> {
    const { market } = this.#options.daemon;
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new MeshError('deadline-exceeded', `no decision within ${timeoutMs} ms`);
      const waitSeconds = Math.min(15, leftMs / 1000);
      const outcome = await market.waitForApproval(agreementId, { signal, waitSeconds });
      if (outcome === 'decided') return market.agreement(agreementId, { signal });
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = deferred();
  }

  async #nextNews(signal: AbortSignal, timeoutMs: number | undefined): Promise<void> {
    const { promise } = this.#news;
    const over = deferred<void>();
    const wake = () => over.resolve();
    signal.addEventListener('abort', wake, { once: true });
    const timer = timeoutMs === undefined ? undefined : setTimeout(wake, Math.max(0, timeoutMs));
    await Promise.race([promise, over.promise]);
    clearTimeout(timer);
    signal.removeEventListener('abort', wake);
  }
}
