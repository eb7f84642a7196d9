import { type Observable, Subject } from 'rxjs';
import { MeshError } from '../base/errors.js';
import { type Amount, parseAmount } from './amount.js';
import { Cluster } from './cluster.js';
import type { GolemDaemon, Identity } from './daemon.js';
import { type DaemonEventHandlers, watchDaemonEvents } from './daemon-events.js';
import type { Emit, GolemEvent, GolemEventFields, GolemEventType } from './events.js';
import { type Funds, openFunds } from './funds.js';
import type { GolemOptions, RunServiceOptions } from './golem-options.js';
import { planInstances } from './instance-params.js';
import { defaultStateDir } from './journal.js';
import { type GolemLogger, silentLogger } from './logger.js';
import { Network, type NetworkOptions } from './network.js';
import { choosePayload } from './payload-choice.js';
import { type PaymentPlatform, paymentPlatform } from './payment-platform.js';
import { type RecoveryReport, recover } from './recovery.js';
import { assertHandlers, type Service, type ServiceClass } from './service.js';
import { composeDemand } from './service-demand.js';
import { LeastExpensiveLinearPayuMS, type MarketStrategy } from './strategy.js';
import { findSuspended, type SuspendedInstance } from './suspended.js';
import { connectYagna } from './yagna.js';

const minute = 60_000;

/**
 * A requestor: one budget, one event stream, any number of services. `await using golem = await Golem.open({ … })`
 * leaves nothing behind at the end of the block, and what an earlier, killed one left is cleaned up at its start.
 */
export class Golem {
  readonly #options: GolemOptions;
  readonly #daemon: GolemDaemon;
  readonly #identity: Identity;
  readonly #platform: PaymentPlatform;
  readonly #budget: Amount;
  readonly #logger: GolemLogger;
  readonly #strategy: MarketStrategy;
  readonly #clusters: Cluster[] = [];
  readonly #networks: Network[] = [];
  readonly #events = new Subject<GolemEvent>();
  readonly #polling = new AbortController();
  readonly #polled: Promise<void>;
  #funds: Promise<Funds> | undefined;
  #closing: Promise<void> | undefined;
  /** What was cleaned up after earlier requestors that were killed. */
  readonly recovered: Promise<readonly RecoveryReport[]>;

  private constructor(options: GolemOptions, daemon: GolemDaemon, identity: Identity) {
    this.#options = options;
    this.#daemon = daemon;
    this.#identity = identity;
    this.#budget = parseAmount(options.budget, 'budget');
    this.#platform = paymentPlatform({ driver: options.paymentDriver, network: options.paymentNetwork });
    this.#logger = options.logger ?? silentLogger;
    this.#strategy = options.strategy ?? new LeastExpensiveLinearPayuMS();
    const { signal } = this.#polling;
    this.#polled = watchDaemonEvents(daemon, this.#handlers(), { signal, logger: this.#logger });
    const stateDir = this.#stateDir();
    this.recovered =
      stateDir === null
        ? Promise.resolve([])
        : recover({
            daemon,
            stateDir,
            signal,
            identity: identity.id,
            emit: this.#emit,
            logger: this.#logger,
            invoiceTimeoutMs: options.invoiceTimeoutMs,
          });
    this.recovered.catch((error) => this.#logger.error(`Cleaning up: ${MeshError.from(error).message}`));
  }

  /**
   * Connects to the daemon. Errors: `invalid-argument` for a budget that is none, `unavailable`, `unauthenticated`
   * or `failed-precondition` by what the daemon says.
   */
  static async open(options: GolemOptions): Promise<Golem> {
    parseAmount(options.budget, 'budget');
    const { logger } = options;
    const daemon = options.daemon ?? (await connectYagna({ logger, ...options.yagna }));
    try {
      return new Golem(options, daemon, await daemon.identity());
    } catch (error) {
      if (!options.daemon) await daemon.close();
      throw error;
    }
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Every cluster started here, ended ones included. */
  get clusters(): readonly Cluster[] {
    return [...this.#clusters];
  }

  /** Everything that happens. Hot; completes at the end. */
  get events$(): Observable<GolemEvent> {
    return this.#events.asObservable();
  }

  /** Accepted so far, GLM as a decimal. */
  async spent(): Promise<string> {
    return (await this.#funds)?.payments.spent ?? '0';
  }

  /**
   * Starts instances of a service. Gives their cluster at once: providers are found and instances started after that.
   * Errors: `invalid-argument` for wrong options or payload, TypeError for handlers that are no async generators,
   * `out-of-range` for fewer parameters than instances (those there are run, see `clusters`), NoPaymentAccountError.
   */
  async runService<P, S extends Service>(
    serviceClass: ServiceClass<P, S>,
    options: RunServiceOptions<NoInfer<P>> = {},
  ): Promise<Cluster<S>> {
    // Before anything costs money; the cluster asks again for what it starts.
    planInstances<P>({ ...options, instanceParams: undefined });
    const cluster = await this.#cluster(serviceClass, options);
    cluster.spawnInstances(options);
    return cluster;
  }

  /**
   * Goes on with instances that `cluster.detach` has left running, each in the state it was in: its handler begins
   * anew. `instanceParams` are theirs in order. Errors: `failed-precondition` when an agreement is over.
   */
  async resumeService<P, S extends Service>(
    serviceClass: ServiceClass<P, S>,
    suspended: readonly SuspendedInstance[],
    options: Omit<RunServiceOptions<NoInfer<P>>, 'numInstances' | 'networkAddresses'> = {},
  ): Promise<Cluster<S>> {
    const params = options.instanceParams ? [...options.instanceParams] : [];
    const found = await findSuspended(this.#daemon, suspended);
    const cluster = await this.#cluster(serviceClass, options);
    const { journal } = await (this.#funds as Promise<Funds>);
    found.forEach(({ instance, agreement }, i) => {
      journal?.agreement(agreement.agreementId);
      cluster.adopt(instance, params[i], agreement);
    });
    return cluster;
  }

  /** Creates a virtual network for instances; it is removed at the end. */
  async createNetwork(options: NetworkOptions = {}): Promise<Network> {
    const network = await Network.create(this.#daemon, this.#identity.id, options);
    this.#networks.push(network);
    return network;
  }

  /**
   * Terminates every cluster (`timeoutMs` for their shutdown, default 30,000), waits for the last invoices, accepts
   * them and releases the allocation. Can be called twice.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(options: { readonly timeoutMs?: number }): Promise<void> {
    let failure: MeshError | undefined;
    try {
      await Promise.all(this.#clusters.map((cluster) => cluster.terminate(options)));
      await Promise.all(this.#networks.map((network) => network.remove().catch(() => undefined)));
      await this.recovered.catch(() => undefined);
      const funds = await this.#funds?.catch(() => undefined);
      if (funds) {
        const { invoiceTimeoutMs: timeoutMs } = this.#options;
        const missing = await funds.payments.settle(timeoutMs === undefined ? {} : { timeoutMs });
        if (missing.length > 0) this.#logger.warn(`No invoice came for ${missing.join(', ')}`);
        await funds.payments.release();
        funds.journal?.remove();
      }
    } catch (error) {
      failure = MeshError.from(error);
    }
    this.#polling.abort();
    await this.#polled;
    if (!this.#options.daemon) await this.#daemon.close().catch(() => undefined);
    this.#emit('ShutdownFinished', { error: failure });
    this.#events.complete();
    if (failure) throw failure;
  }

  async #cluster<P, S extends Service>(
    serviceClass: ServiceClass<P, S>,
    options: RunServiceOptions<P>,
  ): Promise<Cluster<S>> {
    if (this.#closing) throw new MeshError('failed-precondition', 'This Golem is closed');
    assertHandlers(serviceClass);
    const payload = await choosePayload(serviceClass, options.payload);
    const nowMs = this.#nowMs();
    const expiration = options.expiration ?? new Date(nowMs + 180 * minute);
    if (!(expiration.getTime() > nowMs)) {
      throw new MeshError('invalid-argument', `expiration is ${String(expiration)}; expected a time to come`);
    }
    const { payments, journal } = await this.#fundsUntil(expiration);
    const demand = await composeDemand({
      payload,
      expiration,
      daemon: this.#daemon,
      allocationId: payments.allocationId,
      strategy: this.#strategy,
      subnetTag: this.#options.subnetTag ?? process.env.YAGNA_SUBNET ?? 'public',
      nodeName: this.#identity.name,
      needsNetwork: options.network !== undefined,
    });
    const cluster = new Cluster<S>({
      serviceClass,
      daemon: this.#daemon,
      payments,
      demand,
      expiration,
      strategy: this.#strategy,
      paymentPlatform: this.#platform.name,
      emit: (event) => this.#publish(event),
      logger: this.#logger,
      network: options.network,
      respawnUnstartedInstances: options.respawnUnstartedInstances ?? true,
      healthCheck: options.healthCheck === undefined ? {} : options.healthCheck,
      graceMs: options.graceMs ?? 5000,
      respawnPauseMs: options.respawnPauseMs ?? 1000,
      approvalTimeoutMs: options.approvalTimeoutMs ?? 60_000,
      starvedMs: options.starvedMs ?? 15_000,
      otherProviderWaitMs: options.otherProviderWaitMs ?? 10_000,
      awayMs: options.awayMs,
      nowMs: () => this.#nowMs(),
      onDemand: (demandId, state) => journal?.demand(demandId, state),
      onAgreement: (agreementId, state) => {
        if (state === 'created') journal?.agreement(agreementId);
        else journal?.forget(agreementId);
        if (state === 'left') payments.unwatch(agreementId);
      },
    });
    this.#clusters.push(cluster);
    return cluster;
  }

  async #fundsUntil(expiration: Date): Promise<Funds> {
    const nowMs = this.#nowMs();
    this.#funds ??= openFunds({
      daemon: this.#daemon,
      identity: this.#identity.id,
      platform: this.#platform,
      budget: this.#budget,
      expires: new Date(nowMs + (this.#options.allocationExpiryMs ?? expiration.getTime() - nowMs + 30 * minute)),
      stateDir: this.#stateDir(),
      emit: this.#emit,
      logger: this.#logger,
    }).catch((error) => {
      this.#funds = undefined;
      throw error;
    });
    const funds = await this.#funds;
    if (funds.expiresMs < expiration.getTime()) {
      throw new MeshError(
        'failed-precondition',
        `The money is allocated until ${new Date(funds.expiresMs).toISOString()} only, the service may run until ${expiration.toISOString()}; give allocationExpiryMs`,
      );
    }
    return funds;
  }

  #handlers(): DaemonEventHandlers {
    return {
      onAgreement: ({ type, agreementId, reason }) => {
        if (type !== 'terminated') return;
        for (const cluster of this.#clusters) cluster.onAgreementTerminated(agreementId, reason);
      },
      onInvoice: (id) => void this.#funds?.then(({ payments }) => payments.onInvoice(id)).catch(() => undefined),
      onDebitNote: (id) => void this.#funds?.then(({ payments }) => payments.onDebitNote(id)).catch(() => undefined),
    };
  }

  #stateDir(): string | null {
    return this.#options.stateDir === undefined ? defaultStateDir() : this.#options.stateDir;
  }

  #nowMs(): number {
    return this.#options.clock ? this.#options.clock.system() * 1000 : Date.now();
  }

  readonly #emit: Emit = <T extends GolemEventType>(type: T, fields: GolemEventFields[T]) => {
    this.#publish({ type, timeMs: this.#nowMs(), ...fields } as GolemEvent);
  };

  #publish(event: GolemEvent): void {
    try {
      this.#options.eventConsumer?.(event);
    } catch (error) {
      this.#logger.error(`The event consumer failed at ${event.type}: ${MeshError.from(error).message}`);
    }
    this.#events.next(event);
  }
}
