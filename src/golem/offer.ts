import type { ProposalRecord } from './daemon.js';
import { ComLinear, NodeInfo } from './models.js';
import type { Properties } from './properties.js';

export interface ProviderInfo {
  /** Node id: `0x…`. */
  readonly id: string;
  readonly name: string;
}

/** An offer under negotiation, as a strategy sees it. */
export interface OfferProposal {
  readonly proposalId: string;
  readonly provider: ProviderInfo;
  /** The provider has answered our demand: an agreement can be made of it. */
  readonly isDraft: boolean;
  readonly properties: Properties;
}

export function offerProposal({ proposalId, issuerId, state, properties }: ProposalRecord): OfferProposal {
  return {
    proposalId,
    provider: { id: issuerId, name: providerName(properties, issuerId) },
    isDraft: state === 'Draft',
    properties,
  };
}

/** The name a node gives itself, else its id. */
export function providerName(properties: Properties, id: string): string {
  const name = properties[NodeInfo.keys.name];
  return typeof name === 'string' && name !== '' ? name : id;
}

/** Counters of the linear price model. */
export const counters = { durationSec: 'golem.usage.duration_sec', cpuSec: 'golem.usage.cpu_sec' } as const;

/** Prices of an offer: GLM for one unit of each counter, and the fixed start price. */
export interface LinearPrices {
  readonly fixed: number;
  readonly perCounter: ReadonlyMap<string, number>;
}

/** Prices of a linear offer; undefined when the offer has another price model, or a broken one. */
export function linearPrices(properties: Properties): LinearPrices | undefined {
  try {
    const { linearCoeffs, usageVector } = ComLinear.fromProperties(properties);
    if (linearCoeffs.length !== usageVector.length + 1) return undefined;
    const perCounter = new Map(usageVector.map((counter, i) => [counter, linearCoeffs[i] as number]));
    return { fixed: linearCoeffs.at(-1) as number, perCounter };
  } catch {
    return undefined;
  }
}

/** Names a usage vector's values by the offer's counters, and what they cost by its prices; undefined when not linear. */
export function costOfUsage(offer: Properties, values: readonly number[]) {
  const named = offer[ComLinear.keys.usageVector];
  const names: readonly unknown[] = Array.isArray(named) ? named : [];
  const counts: Record<string, number> = Object.fromEntries(names.map((name, i) => [String(name), values[i] ?? 0]));
  const prices = linearPrices(offer);
  let cost = prices?.fixed;
  if (prices && cost !== undefined) {
    for (const [counter, price] of prices.perCounter) cost += price * (counts[counter] ?? 0);
  }
  return { counters: counts, cost };
}
