import { randomUUID } from 'node:crypto';
import { BehaviorSubject, type Observable, Subject } from 'rxjs';
import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import { type AgreementFate, AgreementsPool, type BufferedAgreement } from './agreements-pool.js';
import type { GolemDaemon } from './daemon.js';
import type { Emit, GolemEvent, GolemEventFields, GolemEventType } from './events.js';
import type { HealthCheckOptions } from './health-check.js';
import { type Adopted, live } from './instance-life.js';
import { type InstanceCounts, type InstancePlan, planInstances } from './instance-params.js';
import { isActive } from './life-cycle.js';
import type { GolemLogger } from './logger.js';
import type { Network } from './network.js';
import type { Payments } from './payments.js';
import type { DemandSpec } from './properties.js';
import type { Service, ServiceClass } from './service.js';
import { LiveInstance, type ServiceInstance } from './service-instance.js';
import type { MarketStrategy } from './strategy.js';
import { negotiate } from './subscription.js';
import type { SuspendedInstance } from './suspended.js';

export interface ClusterOptions<P, S extends Service> {
  readonly serviceClass: ServiceClass<P, S>;
  readonly daemon: GolemDaemon;
  readonly payments: Payments;
  readonly strategy: MarketStrategy;
  readonly demand: DemandSpec;
  readonly paymentPlatform: string;
  readonly emit: (event: GolemEvent) => void;
  readonly logger: GolemLogger;
  readonly network: Network | undefined;
  readonly expiration: Date;
  readonly respawnUnstartedInstances: boolean;
  readonly healthCheck: HealthCheckOptions | null;
  readonly graceMs: number;
  readonly respawnPauseMs: number;
  readonly otherProviderWaitMs: number;
  readonly approvalTimeoutMs: number;
  readonly starvedMs: number;
  readonly awayMs?: number | undefined;
  readonly nowMs: () => number;
  readonly onDemand: (demandId: string, state: 'published' | 'removed') => void;
  readonly onAgreement: (agreementId: string, state: AgreementFate) => void;
}

/** Stopping begins this long before the expiration, so that shutdown can still run; a tenth of the time, if that is less. */
const mostLeadMs = 30_000;
const longestTimerMs = 2 ** 31 - 1;

/** The instances of one service that were started together. */
export class Cluster<S extends Service = Service> {
  /** Also the `jobId` of its events. */
  readonly id = randomUUID();
  readonly #options: ClusterOptions<unknown, Service>;
  readonly #pool: AgreementsPool;
  // Not by S: a cluster of a special service is to pass as a cluster of any.
  readonly #instances: LiveInstance[] = [];
  readonly #snapshot = new BehaviorSubject<readonly ServiceInstance[]>([]);
  readonly #events = new Subject<GolemEvent>();
  readonly #lives = new Set<Promise<void>>();
  /** Adds an event to the cluster's stream. */
  readonly emit: Emit;
  #market: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #respawns: boolean;
  #isClosed = false;

  constructor(options: ClusterOptions<never, S>) {
    this.#options = options as unknown as ClusterOptions<unknown, Service>;
    this.#respawns = options.respawnUnstartedInstances;
    this.emit = <T extends GolemEventType>(type: T, fields: GolemEventFields[T]) => {
      const event = { type, timeMs: options.nowMs(), jobId: this.id, ...fields } as GolemEvent;
      options.emit(event);
      this.#events.next(event);
    };
    const { daemon, strategy, expiration: validTo, approvalTimeoutMs, onAgreement } = options;
    this.#pool = new AgreementsPool({ daemon, strategy, validTo, approvalTimeoutMs, onAgreement, emit: this.emit });
  }

  /** In the order they were asked for; ended ones stay. */
  get instances(): readonly ServiceInstance<S>[] {
    return [...this.#instances] as unknown as readonly ServiceInstance<S>[];
  }

  /** All instances, now and at every change of one. */
  get instances$(): Observable<readonly ServiceInstance<S>[]> {
    return this.#snapshot.asObservable() as Observable<readonly ServiceInstance<S>[]>;
  }

  /** Everything that happens in this cluster. Hot; completes at the end. */
  get events$(): Observable<GolemEvent> {
    return this.#events.asObservable();
  }

  get expiration(): Date {
    return this.#options.expiration;
  }

  /** Resolves when every instance has ended and nothing is left of them. */
  get ended(): Promise<void> {
    return this.#allEnded();
  }

  /**
   * Starts more instances. Errors: `out-of-range` when there are fewer parameters than instances: those there are
   * have been started.
   */
  spawnInstances(counts: InstanceCounts<unknown>): void {
    if (this.#isClosed) throw new MeshError('failed-precondition', 'The cluster has been terminated');
    const { plans, missing } = planInstances({ ...counts, network: this.#options.network });
    for (const { address } of plans) if (address !== undefined) this.#options.network?.reserve(address);
    for (const plan of plans) this.#spawn(plan);
    if (missing > 0) {
      throw new MeshError(
        'out-of-range',
        `instanceParams has ${plans.length} entries for ${plans.length + missing} instances: ${missing} could not be started`,
      );
    }
  }

  /** Goes on with an instance that was suspended, perhaps by another process. */
  adopt(suspended: SuspendedInstance, params: unknown, foreign: Omit<BufferedAgreement, 'terminated'>): void {
    const { id, name, activityId } = suspended;
    const adopted = { activityId, agreement: this.#pool.adopt(foreign) };
    const instance = this.#create({ params, address: suspended.address }, { id, name });
    instance.adopt(suspended.phase);
    this.#start(instance, adopted);
  }

  /** Tells every instance to stop, and starts none again. */
  stop(): void {
    for (const instance of this.#instances) instance.stop();
  }

  /**
   * Stops every instance, waits for their shutdown for `timeoutMs` (default 30,000), ends those that are late without
   * it, and terminates the agreements.
   */
  async terminate(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#isClosed = true;
    this.#respawns = false;
    this.stop();
    const late = new AbortController();
    const ended = this.#allEnded();
    await Promise.race([ended, pause(options.timeoutMs ?? 30_000, late.signal)]);
    late.abort();
    const message = 'The cluster was terminated before its shutdown was through';
    for (const instance of this.#instances) {
      instance.kill({ kind: 'killed', message, error: new MeshError('cancelled', message) });
    }
    await ended;
    await this.#pool.terminate('The cluster was terminated');
    await this.#closeMarket();
    this.#events.complete();
    this.#snapshot.complete();
  }

  /**
   * Suspends every active instance and gives what is needed to resume it by `golem.resumeService`, in this process
   * or another: activities and agreements stay. The others are stopped. The cluster is over then.
   */
  async detach(): Promise<readonly SuspendedInstance[]> {
    this.#isClosed = true;
    this.#respawns = false;
    const kept: SuspendedInstance[] = [];
    await Promise.all(
      this.#instances.map(async (instance) => {
        if (!isActive(instance.state) && instance.state !== 'suspended') return instance.stop();
        if (isActive(instance.state)) instance.suspend();
        const { id, name, agreementId, activityId, address } = instance;
        const changed = instance.control.until(() => instance.control.abortReason !== undefined);
        await Promise.race([this.#untilState(instance), changed.promise]);
        changed.cancel();
        if (instance.state !== 'suspended' || agreementId === undefined || activityId === undefined) return;
        this.#pool.forget(agreementId);
        instance.kill({ kind: 'detached', message: 'It was left running, to be resumed' });
        kept.push({ id, name, phase: instance.phase, agreementId, activityId, address });
      }),
    );
    await this.terminate();
    return kept;
  }

  /** Reacts to the daemon's news about an agreement. */
  onAgreementTerminated(agreementId: string, reason: string): void {
    this.#pool.onAgreementTerminated(agreementId, reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  async #untilState(instance: LiveInstance): Promise<void> {
    await new Promise<void>((resolve) => {
      const subscription = this.#snapshot.subscribe(() => {
        if (!['suspended', 'terminated'].includes(instance.state)) return;
        resolve();
        queueMicrotask(() => subscription.unsubscribe());
      });
    });
  }

  #spawn(plan: InstancePlan<unknown>): void {
    this.#start(this.#create(plan, {}));
  }

  #create({ params, address }: InstancePlan<unknown>, known: { id?: string; name?: string }): LiveInstance {
    const { serviceClass } = this.#options;
    const service = new serviceClass(params);
    const given = (params as { instanceName?: unknown } | null | undefined)?.instanceName;
    const number = this.#instances.length + 1;
    const name = known.name ?? (typeof given === 'string' ? given : `${serviceClass.name}-${number}`);
    const onChange = () => this.#snapshot.next(this.instances);
    const id = known.id ?? randomUUID();
    const instance = new LiveInstance({ id, name, service, address, emit: this.emit, onChange });
    this.#instances.push(instance);
    onChange();
    return instance;
  }

  #start(instance: LiveInstance, adopted?: Adopted): void {
    this.#openMarket();
    const { daemon, payments, logger, network, healthCheck, expiration, graceMs, respawnPauseMs } = this.#options;
    const life = live(
      instance,
      {
        daemon,
        payments,
        logger,
        network,
        healthCheck,
        graceMs,
        respawnPauseMs,
        otherProviderWaitMs: this.#options.otherProviderWaitMs,
        pool: this.#pool,
        emit: this.emit,
        expirationMs: expiration.getTime(),
        mayRespawn: () => this.#respawns,
        awayMs: this.#options.awayMs,
      },
      adopted,
    ).catch((error) => logger.error(`${instance.name}: ${MeshError.from(error).message}`));
    this.#lives.add(life);
    void life.finally(() => {
      this.#lives.delete(life);
      if (this.#lives.size === 0) void this.#closeMarket();
    });
  }

  async #allEnded(): Promise<void> {
    while (this.#lives.size > 0) await Promise.all(this.#lives);
    await this.#market?.done;
  }

  #openMarket(): void {
    if (this.#market) return;
    const { daemon, demand, paymentPlatform, strategy, logger, onDemand, starvedMs, nowMs, expiration } = this.#options;
    const abort = new AbortController();
    this.emit('JobStarted', { expirationMs: expiration.getTime() });
    const done = negotiate({
      daemon,
      demand,
      paymentPlatform,
      strategy,
      logger,
      onDemand,
      starvedMs,
      pool: this.#pool,
      emit: this.emit,
      signal: abort.signal,
    }).catch((error) => this.#pool.fail(MeshError.from(error)));
    this.#market = { abort, done };
    const leftMs = expiration.getTime() - nowMs();
    const message = `The service's time was over at ${expiration.toISOString()}`;
    const expire = () => {
      this.#respawns = false;
      for (const instance of this.#instances) instance.stopFor({ kind: 'expired', message });
    };
    this.#timer = setTimeout(expire, Math.max(0, Math.min(longestTimerMs, leftMs - Math.min(mostLeadMs, leftMs / 10))));
    this.#timer.unref();
  }

  async #closeMarket(): Promise<void> {
    const market = this.#market;
    if (!market) return;
    clearTimeout(this.#timer);
    market.abort.abort();
    await market.done;
    if (this.#market !== market) return;
    this.#market = undefined;
    this.emit('JobFinished', {});
  }
}
