import type { Clock } from '../base/clock.js';
import type { GolemDaemon } from './daemon.js';
import type { EventConsumer } from './events.js';
import type { HealthCheckOptions } from './health-check.js';
import type { GolemLogger } from './logger.js';
import type { Network } from './network.js';
import type { Payload } from './payload.js';
import type { MarketStrategy } from './strategy.js';
import type { YagnaOptions } from './yagna.js';

export interface GolemOptions {
  /** The most that is paid in all, GLM: `1`, `'0.25'`. */
  readonly budget: number | string;
  /** Only providers of this subnet. Default `YAGNA_SUBNET`, else `public`. */
  readonly subnetTag?: string | undefined;
  /** Default `erc20`. */
  readonly paymentDriver?: string | undefined;
  /** Default `YAGNA_PAYMENT_NETWORK`, else `holesky`. */
  readonly paymentNetwork?: string | undefined;
  /** Default LeastExpensiveLinearPayuMS. */
  readonly strategy?: MarketStrategy | undefined;
  /** Called with every event, in order. What it throws is logged. */
  readonly eventConsumer?: EventConsumer | undefined;
  /** Default: the yagna daemon, by `yagna`. One given here is not closed. */
  readonly daemon?: GolemDaemon | undefined;
  readonly yagna?: YagnaOptions | undefined;
  /** Where it is written what a crash would leave behind. Default `defaultStateDir()`; null: nowhere, and nothing is cleaned up. */
  readonly stateDir?: string | null | undefined;
  /** How long the last invoices are waited for at the end. Default 30,000. */
  readonly invoiceTimeoutMs?: number | undefined;
  /** How long the allocation holds. Default: as long as the first service may run, and 30 minutes. */
  readonly allocationExpiryMs?: number | undefined;
  /** Default silent. */
  readonly logger?: GolemLogger | undefined;
  readonly clock?: Pick<Clock, 'system'> | undefined;
}

export interface RunServiceOptions<P> {
  /** Default: as many as instanceParams, else 1. */
  readonly numInstances?: number | undefined;
  /** What each instance's constructor gets, in order. May be endless when numInstances is given. */
  readonly instanceParams?: Iterable<P> | undefined;
  /** In place of the class's getPayload. */
  readonly payload?: Payload | undefined;
  /** When the service ends at the latest. Default in 180 minutes. */
  readonly expiration?: Date | undefined;
  readonly network?: Network | undefined;
  /** Addresses in the network; instances beyond get free ones. */
  readonly networkAddresses?: readonly string[] | undefined;
  /** Whether an instance that never ran is tried on another provider. Default true. */
  readonly respawnUnstartedInstances?: boolean | undefined;
  /** Null turns it off. Default every 10 s, 3 failures. */
  readonly healthCheck?: HealthCheckOptions | null | undefined;
  /** How long a handler may take to notice that it should end. Default 5000. */
  readonly graceMs?: number | undefined;
  /** Before another provider is tried; doubles up to 30 s. Default 1000. */
  readonly respawnPauseMs?: number | undefined;
  /** How long another provider is waited for, before one that has failed the instance is taken again. Default 10,000. */
  readonly otherProviderWaitMs?: number | undefined;
  /** How long a provider may take to approve an agreement. Default 60,000. */
  readonly approvalTimeoutMs?: number | undefined;
  /** The demand is published anew when an instance waits this long and no offer is there. Default 15,000. */
  readonly starvedMs?: number | undefined;
  /** How long the daemon may be away in the middle of a batch before that fails. Default 60,000. */
  readonly awayMs?: number | undefined;
}
