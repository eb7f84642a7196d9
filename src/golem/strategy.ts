import type { DemandBuilder } from './demand-builder.js';
import { Com } from './models.js';
import { counters, linearPrices, type OfferProposal } from './offer.js';

export const scoreNeutral = 0;
export const scoreRejected = -1;
export const scoreTrusted = 100;

/** Which offers are taken, by two hooks. Own strategies implement this. */
export interface MarketStrategy {
  /** Adds constraints or properties to a demand before it is published. */
  decorateDemand(demand: DemandBuilder): void | Promise<void>;
  /** Scores an offer. The highest is taken first; below 0 it is rejected. */
  scoreOffer(offer: OfferProposal): number | Promise<number>;
  /** Told how asking a provider for an agreement ended. */
  onAgreement?(providerId: string, outcome: 'confirmed' | 'rejected'): void;
}

/** The highest prices to pay, in GLM. */
export interface MaximumPrices {
  /** For one unit of a counter: `{ 'golem.usage.cpu_sec': 0.0001 }`. A counter not named has no maximum. */
  readonly perCounter?: Readonly<Record<string, number>>;
  /** For starting. Default: no maximum. */
  readonly fixed?: number;
}

/** Takes any offer of the linear price model whose prices do not exceed their maximum. */
export class DummyMS implements MarketStrategy {
  readonly #most: MaximumPrices;

  /** Without `most` every price is taken. */
  constructor(most: MaximumPrices = {}) {
    this.#most = most;
  }

  decorateDemand(demand: DemandBuilder): void {
    demand.ensure(`(${Com.keys.priceModel}=linear)`);
  }

  scoreOffer(offer: OfferProposal): number {
    return withinMaximum(offer, this.#most) ? scoreNeutral : scoreRejected;
  }
}

export interface LeastExpensiveOptions extends MaximumPrices {
  /** Seconds that the work is expected to take. Default 60. */
  readonly expectedTimeSecs?: number;
}

/** Scores linear offers by their cost for an expected time: the cheapest first. */
export class LeastExpensiveLinearPayuMS implements MarketStrategy {
  readonly #options: LeastExpensiveOptions;

  constructor(options: LeastExpensiveOptions = {}) {
    this.#options = options;
  }

  decorateDemand(demand: DemandBuilder): void {
    demand.ensure(`(${Com.keys.priceModel}=linear)`);
  }

  scoreOffer(offer: OfferProposal): number {
    const prices = linearPrices(offer.properties);
    if (!prices || !withinMaximum(offer, this.#options)) return scoreRejected;
    // A counter other than these two cannot be foretold, so a price on it cannot be compared.
    const known: readonly string[] = Object.values(counters);
    for (const [counter, price] of prices.perCounter) if (!known.includes(counter) && price > 0) return scoreRejected;
    const expectedTimeSecs = this.#options.expectedTimeSecs ?? 60;
    let cost = prices.fixed;
    for (const price of prices.perCounter.values()) cost += price * expectedTimeSecs;
    // Between 0 and 100, falling with the cost.
    return scoreTrusted / (cost + 1.01);
  }
}

/** Puts a penalty on providers that did not confirm an agreement, over another strategy. */
export class DecreaseScoreForUnconfirmedAgreement implements MarketStrategy {
  readonly #base: MarketStrategy;
  readonly #factor: number;
  readonly #unconfirmed = new Set<string>();

  /** `factor`: what the score is multiplied by, 0 to 1. */
  constructor(base: MarketStrategy, factor = 0.5) {
    this.#base = base;
    this.#factor = factor;
  }

  decorateDemand(demand: DemandBuilder): void | Promise<void> {
    return this.#base.decorateDemand(demand);
  }

  async scoreOffer(offer: OfferProposal): Promise<number> {
    const score = await this.#base.scoreOffer(offer);
    return score > 0 && this.#unconfirmed.has(offer.provider.id) ? score * this.#factor : score;
  }

  onAgreement(providerId: string, outcome: 'confirmed' | 'rejected'): void {
    if (outcome === 'rejected') this.#unconfirmed.add(providerId);
    else this.#unconfirmed.delete(providerId);
    this.#base.onAgreement?.(providerId, outcome);
  }
}

function withinMaximum(offer: OfferProposal, most: MaximumPrices): boolean {
  const prices = linearPrices(offer.properties);
  if (!prices || prices.fixed < 0 || prices.fixed > (most.fixed ?? Number.POSITIVE_INFINITY)) return false;
  return [...prices.perCounter].every(
    ([counter, price]) => price >= 0 && price <= (most.perCounter?.[counter] ?? Number.POSITIVE_INFINITY),
  );
}
