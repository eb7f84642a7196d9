import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { AgreementsPool } from './agreements-pool.js';
import { matchesConstraint, parseConstraint } from './constraint.js';
import type { GolemDaemon, OfferEvent, ProposalRecord } from './daemon.js';
import type { Emit } from './events.js';
import { type GolemLogger, TroubleLog } from './logger.js';
import { Com } from './models.js';
import { type OfferProposal, offerProposal } from './offer.js';
import type { DemandSpec } from './properties.js';
import { backoffMs } from './signals.js';
import type { MarketStrategy } from './strategy.js';
import { whileAway } from './while-away.js';

export interface SubscriptionOptions {
  readonly daemon: GolemDaemon;
  readonly demand: DemandSpec;
  /** `erc20-holesky-tglm`: providers that cannot be paid by it are turned down. */
  readonly paymentPlatform: string;
  readonly strategy: MarketStrategy;
  readonly pool: AgreementsPool;
  readonly emit: Emit;
  readonly logger: GolemLogger;
  readonly signal: AbortSignal;
  /** Told when a demand is published and when it is removed: what is left of it after a crash can be found. */
  readonly onDemand?: (demandId: string, state: 'published' | 'removed') => void;
  /** A demand is published anew when somebody waits this long and no offer is left. Default 15,000. */
  readonly starvedMs?: number;
  /** A demand is published anew after this. Default 30 min. */
  readonly refreshMs?: number;
  /** Waits after failures. Default 500 growing to 10,000. */
  readonly firstBackoffMs?: number;
  readonly mostBackoffMs?: number;
}

/**
 * Keeps a demand on the market and negotiates with whoever answers, until the signal aborts: offers are scored and
 * answered, confirmed ones go to the pool. A daemon's failure is waited out; a single broken proposal ends nothing.
 */
export async function negotiate(options: SubscriptionOptions): Promise<void> {
  const { signal, emit } = options;
  const trouble = new TroubleLog(options.logger, 'Publishing the demand');
  let failures = 0;
  while (!signal.aborted) {
    let demandId: string;
    try {
      demandId = await options.daemon.market.publishDemand(options.demand, { signal });
    } catch (error) {
      if (signal.aborted) return;
      emit('SubscriptionFailed', { error: MeshError.from(error) });
      trouble.failed(error);
      // The demand itself is at fault: the daemon would say so again for ever.
      if (error instanceof MeshError && error.code === 'invalid-argument') {
        options.pool.fail(error);
        return;
      }
      await pause(backoffMs(failures, options.firstBackoffMs ?? 500, options.mostBackoffMs ?? 10_000), signal);
      failures += 1;
      continue;
    }
    failures = 0;
    trouble.succeeded();
    options.onDemand?.(demandId, 'published');
    emit('SubscriptionCreated', { demandId });
    try {
      await collect(demandId, options);
    } finally {
      await whileAway(() => options.daemon.market.removeDemand(demandId, { timeoutMs: 5000 })).then(
        () => options.onDemand?.(demandId, 'removed'),
        () => undefined,
      );
    }
  }
}

/** Reads the offers of one demand, until it is gone or should be published anew. */
async function collect(demandId: string, options: SubscriptionOptions): Promise<void> {
  const { daemon, signal, emit, pool, starvedMs = 15_000, refreshMs = 30 * 60_000 } = options;
  const trouble = new TroubleLog(options.logger, `Collecting offers of demand ${demandId}`);
  const constraint = parseConstraint(options.demand.constraints);
  const startMs = performance.now();
  const offers = new Map<string, OfferProposal>();
  let failures = 0;
  let servedMs = startMs;
  while (!signal.aborted) {
    const nowMs = performance.now();
    if (pool.waiting === 0 || pool.buffered > 0) servedMs = nowMs;
    if (nowMs - servedMs > starvedMs) {
      emit('NoProposalsConfirmed', { offers: offers.size, waitedMs: Math.round(nowMs - servedMs) });
      return;
    }
    if (nowMs - startMs > refreshMs) return;
    try {
      const waitSeconds = Math.max(1, Math.min(5, Math.ceil(starvedMs / 1000)));
      const events = await daemon.market.collectOffers(demandId, { signal, waitSeconds });
      failures = 0;
      trouble.succeeded();
      // At the same time: one slow answer must not hold up the others.
      await Promise.all(events.map((event) => take(event, { demandId, offers, constraint, options })));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MeshError && error.code === 'not-found') return;
      emit('CollectFailed', { demandId, error: MeshError.from(error) });
      trouble.failed(error);
      await pause(backoffMs(failures, options.firstBackoffMs ?? 500, options.mostBackoffMs ?? 10_000), signal);
      failures += 1;
    }
  }
}

interface Negotiation {
  readonly demandId: string;
  readonly offers: Map<string, OfferProposal>;
  readonly constraint: ReturnType<typeof parseConstraint>;
  readonly options: SubscriptionOptions;
}

async function take(event: OfferEvent, negotiation: Negotiation): Promise<void> {
  const { emit, signal } = negotiation.options;
  if (event.type === 'rejected') {
    const offer = negotiation.offers.get(event.proposalId);
    if (offer) emit('ProposalRejected', { ...idsOf(offer), reason: `by the provider: ${event.reason}` });
    return;
  }
  const offer = offerProposal(event.proposal);
  if (negotiation.offers.size < 10_000) negotiation.offers.set(offer.proposalId, offer);
  try {
    await answer(offer, event.proposal, negotiation);
  } catch (error) {
    if (!signal.aborted) emit('ProposalFailed', { ...idsOf(offer), error: MeshError.from(error) });
  }
}

async function answer(
  offer: OfferProposal,
  record: ProposalRecord,
  { demandId, options, constraint }: Negotiation,
): Promise<void> {
  const { daemon, emit, strategy, pool, signal, demand, paymentPlatform } = options;
  emit('ProposalReceived', idsOf(offer));
  const score = await strategy.scoreOffer(offer);
  const reason = !matchesConstraint(constraint, record.properties)
    ? 'the offer does not satisfy the demand'
    : !supportsPlatform(record, paymentPlatform)
      ? `cannot be paid by ${paymentPlatform}`
      : score < 0
        ? 'score too low'
        : undefined;
  if (reason !== undefined) {
    emit('ProposalRejected', { ...idsOf(offer), reason });
    // A draft that is not taken needs no answer more than an offer does, but both free the provider at once.
    await daemon.market.rejectProposal(demandId, offer.proposalId, reason, { signal });
    return;
  }
  if (offer.isDraft) {
    emit('ProposalConfirmed', { ...idsOf(offer), score });
    pool.addProposal(score, offer);
    return;
  }
  const properties = { ...demand.properties, [Com.keys.paymentPlatform]: paymentPlatform };
  await daemon.market.counterProposal(demandId, offer.proposalId, { ...demand, properties }, { signal });
  emit('ProposalResponded', idsOf(offer));
}

function supportsPlatform({ properties }: ProposalRecord, platform: string): boolean {
  const prefix = 'golem.com.payment.platform.';
  const named = Object.keys(properties).filter((key) => key.startsWith(prefix));
  // An offer that names no platform at all leaves it to the negotiation.
  return named.length === 0 || named.some((key) => key.startsWith(`${prefix}${platform}.`));
}

function idsOf({ proposalId, provider }: OfferProposal) {
  return { proposalId, provider };
}
