import { MeshError } from '../base/errors.js';
import { type Amount, formatAmount } from './amount.js';
import type { GolemDaemon } from './daemon.js';
import { NoPaymentAccountError } from './errors.js';
import type { Emit } from './events.js';
import { Journal } from './journal.js';
import type { GolemLogger } from './logger.js';
import type { PaymentPlatform } from './payment-platform.js';
import { Payments } from './payments.js';
import { statusOf } from './yagna-calls.js';

export interface FundsOptions {
  readonly daemon: GolemDaemon;
  /** Own node id, whose money it is. */
  readonly identity: string;
  readonly platform: PaymentPlatform;
  readonly budget: Amount;
  readonly expires: Date;
  /** Null: no journal is kept. */
  readonly stateDir: string | null;
  readonly emit: Emit;
  readonly logger: GolemLogger;
}

/** The money of one requestor: its allocation, who pays out of it, and what is on disk about it. */
export interface Funds {
  readonly payments: Payments;
  readonly journal: Journal | undefined;
  readonly expiresMs: number;
}

/** Allocates the budget. Errors: NoPaymentAccountError, and what the daemon says. */
export async function openFunds(options: FundsOptions): Promise<Funds> {
  const { daemon, identity, platform, expires, stateDir, emit, logger } = options;
  const budget = formatAmount(options.budget);
  const allocation = await daemon.payment
    .createAllocation({ totalAmount: budget, paymentPlatform: platform.name, address: identity, expires })
    .catch((error: unknown) => {
      const status = statusOf(error) ?? 0;
      const isAboutAccount = error instanceof MeshError && /account|platform|driver/i.test(error.message);
      if (status < 400 || status >= 500 || !isAboutAccount) throw error;
      throw new NoPaymentAccountError(platform.driver, platform.network, { cause: error });
    });
  const { allocationId } = allocation;
  const { url: daemonUrl, appSessionId } = daemon;
  const journal =
    stateDir === null ? undefined : new Journal(stateDir, { daemonUrl, identity, appSessionId, allocationId, budget });
  const payments = new Payments({
    daemon,
    allocation,
    emit,
    logger,
    budget: options.budget,
    onAccepted: (agreementId, amount, settled) => {
      journal?.accepted(agreementId, amount);
      if (settled) journal?.settled(agreementId);
    },
  });
  return { payments, journal, expiresMs: expires.getTime() };
}
