import { type Amount, parseAmount } from './amount.js';
import type { AgreementRecord } from './daemon.js';
import { Inf } from './models.js';
import { counters, linearPrices } from './offer.js';

/**
 * The most that an agreement can have cost: its own linear prices, over the time it has lived, with every CPU
 * thread busy all along; a tenth and a minute on top, since clocks differ. Undefined for other price models, and
 * when a counter is priced whose usage cannot be bounded from here.
 */
export function mostFairAmount(agreement: AgreementRecord, livedMs: number): Amount | undefined {
  const prices = linearPrices(agreement.offer.properties);
  if (!prices) return undefined;
  const threads = Number(agreement.offer.properties[Inf.keys.cpuThreads] ?? 1) || 1;
  const seconds = (livedMs / 1000) * 1.1 + 60;
  let most = prices.fixed;
  for (const [counter, price] of prices.perCounter) {
    if (counter === counters.durationSec) most += price * seconds;
    else if (counter === counters.cpuSec) most += price * seconds * threads;
    else if (price > 0) return undefined;
  }
  return parseAmount(most, 'price of the agreement');
}
