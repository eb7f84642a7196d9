import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import type { AgreementsPool, BufferedAgreement } from './agreements-pool.js';
import type { GolemDaemon } from './daemon.js';
import type { Emit } from './events.js';
import { type HealthCheckOptions, watchHealth } from './health-check.js';
import { runPhase, type WorkOptions } from './instance-work.js';
import { isActive, type ServiceSignal } from './life-cycle.js';
import type { GolemLogger } from './logger.js';
import type { Network } from './network.js';
import type { Payments } from './payments.js';
import type { LiveInstance } from './service-instance.js';
import { backoffMs } from './signals.js';
import type { TerminationReason } from './termination.js';

/** What an instance lives on. */
export interface InstanceSurroundings {
  readonly daemon: GolemDaemon;
  readonly pool: AgreementsPool;
  readonly payments: Payments;
  readonly emit: Emit;
  readonly logger: GolemLogger;
  readonly network: Network | undefined;
  /** Null: none. */
  readonly healthCheck: HealthCheckOptions | null;
  /** Unix time, ms. */
  readonly expirationMs: number;
  readonly graceMs: number;
  /** Whether another provider may be tried at all. */
  readonly mayRespawn: () => boolean;
  /** Pauses before another provider is tried: growing from this to 30 s. */
  readonly respawnPauseMs: number;
  readonly otherProviderWaitMs: number;
  readonly awayMs?: number | undefined;
}

/** An activity to go on with, instead of a new one. */
export interface Adopted {
  readonly agreement: BufferedAgreement;
  readonly activityId: string;
}

interface AttemptEnd {
  readonly reason: TerminationReason;
  /** What leads to the terminated state from where it is. */
  readonly signal: ServiceSignal;
  readonly hasRun: boolean;
  readonly cleanUp: () => Promise<void>;
}

/** Leads an instance from pending to terminated, over as many providers as it takes. Never fails. */
export async function live(instance: LiveInstance, around: InstanceSurroundings, adopted?: Adopted): Promise<void> {
  const avoid = new Set<string>();
  let given = adopted;
  for (let attempt = 0; ; attempt += 1) {
    const end = await tryOnce(instance, around, avoid, given);
    given = undefined;
    const { reason, hasRun } = end;
    const isStopped = instance.stopReason !== undefined;
    if (!isStopped && around.mayRespawn() && (await wantsRestart(instance, reason, hasRun, around.logger))) {
      if (instance.provider) avoid.add(instance.provider.id);
      if (instance.state !== 'pending') instance.apply('respawn', reason.message);
      await end.cleanUp();
      const stopped = instance.control.until(() => instance.stopReason !== undefined);
      const timer = new AbortController();
      await Promise.race([pause(backoffMs(attempt, around.respawnPauseMs, 30_000), timer.signal), stopped.promise]);
      timer.abort();
      stopped.cancel();
      continue;
    }
    if (reason.kind !== 'detached') {
      instance.apply(end.signal, reason.message);
      await end.cleanUp();
    }
    await finish(instance, reason, around);
    return;
  }
}

async function finish(instance: LiveInstance, reason: TerminationReason, { emit, logger }: InstanceSurroundings) {
  try {
    if (reason.kind !== 'detached') await instance.service.terminated(reason);
  } catch (error) {
    logger.error(`${instance.name}: its terminated hook failed: ${MeshError.from(error).message}`);
  }
  const { id: instanceId, name: instanceName } = instance;
  emit('ServiceFinished', { instanceId, instanceName, reason: reason.kind, error: reason.error });
  instance.finish(reason);
}

async function wantsRestart(
  instance: LiveInstance,
  reason: TerminationReason,
  hasRun: boolean,
  logger: GolemLogger,
): Promise<boolean> {
  try {
    return instance.service.restartCondition(reason, { hasRun });
  } catch (error) {
    logger.error(`${instance.name}: its restart condition failed: ${MeshError.from(error).message}`);
    return false;
  }
}

async function tryOnce(
  instance: LiveInstance,
  around: InstanceSurroundings,
  avoid: ReadonlySet<string>,
  adopted: Adopted | undefined,
): Promise<AttemptEnd> {
  const control = instance.renewControl();
  const nothing = async () => undefined;
  instance.address = undefined;
  let agreement: BufferedAgreement;
  let activityId: string | undefined = adopted?.activityId;
  const wanted = new AbortController();
  const unwatch = control.watch(() => {
    if (control.stopReason || control.abortReason) wanted.abort(control.abortReason?.error);
  });
  if (control.stopReason || control.abortReason) wanted.abort();
  try {
    agreement =
      adopted?.agreement ??
      (await around.pool.acquire({ signal: wanted.signal, avoid, patienceMs: around.otherProviderWaitMs }));
  } catch (error) {
    const cause = MeshError.from(error);
    const why: TerminationReason = { kind: 'not-started', message: `No provider: ${cause.message}`, error: cause };
    const reason = control.abortReason ?? control.stopReason ?? why;
    return { reason, signal: giveUp(instance), hasRun: false, cleanUp: nothing };
  } finally {
    unwatch();
  }

  const { agreementId, provider } = agreement;
  instance.provider = provider;
  instance.agreementId = agreementId;
  around.payments.watch(agreement.record);
  const onTerminated = () => {
    const error = MeshError.from(agreement.terminated.reason);
    control.abort({ kind: 'agreement-terminated', message: error.message, error });
  };
  if (agreement.terminated.aborted) onTerminated();
  agreement.terminated.addEventListener('abort', onTerminated, { once: true });
  const { gone } = around.daemon;
  const onGone = () => {
    const error = new MeshError('aborted', 'The golem daemon is gone, and all it held');
    control.abort({ kind: 'activity-gone', message: error.message, error });
  };
  if (gone?.aborted) onGone();
  gone?.addEventListener('abort', onGone, { once: true });
  const health = new AbortController();
  const cleanUp = async (reason: string) => {
    health.abort();
    gone?.removeEventListener('abort', onGone);
    agreement.terminated.removeEventListener('abort', onTerminated);
    await leave({ instance, around, agreement, activityId, reason });
  };

  try {
    if (activityId === undefined) {
      activityId = await around.daemon.activity.createActivity(agreementId, { signal: control.abortSignal });
    }
    instance.activityId = activityId;
    around.payments.markPayable(agreementId);
    around.emit('ActivityCreated', { agreementId, activityId, provider });
    const ip = instance.wantedAddress;
    instance.address = await around.network?.addNode(provider.id, ip === undefined ? {} : { ip });
  } catch (error) {
    const cause = MeshError.from(error);
    if (activityId === undefined) around.emit('ActivityCreateFailed', { agreementId, provider, error: cause });
    const message = `Provider ${provider.name} could not start it: ${cause.message}`;
    const reason = control.abortReason ?? control.stopReason ?? { kind: 'not-started' as const, message, error: cause };
    return { reason, signal: giveUp(instance), hasRun: false, cleanUp: () => cleanUp(message) };
  }

  instance.apply(adopted ? 'resume' : 'assigned');
  const { daemon, network, emit, graceMs, expirationMs, awayMs, healthCheck } = around;
  if (healthCheck)
    void watchHealth({ ...healthCheck, daemon, activityId, signal: health.signal, ...onHealth(instance) });
  const work: WorkOptions = {
    instance,
    control,
    daemon,
    agreement,
    activityId,
    network,
    emit,
    graceMs,
    expirationMs,
    awayMs,
  };
  const end = await throughPhases(instance, work);
  health.abort();
  return { ...end, cleanUp: () => cleanUp(end.reason.message) };
}

function giveUp({ state }: LiveInstance): ServiceSignal {
  return state === 'pending' ? 'cancel' : 'abort';
}

function onHealth(instance: LiveInstance) {
  return {
    onLost: (why: string) => {
      if (isActive(instance.state)) instance.apply('lost', why);
    },
    onRecovered: () => {
      if (instance.state === 'unresponsive') instance.apply('recover');
    },
    onDead: (reason: TerminationReason) => {
      // A shutdown handler ends its activity itself.
      if (reason.kind === 'activity-gone' && instance.phase === 'stopping') return;
      instance.control.abort(reason);
    },
  };
}

type PhasesEnd = Omit<AttemptEnd, 'cleanUp'>;

async function throughPhases(instance: LiveInstance, work: WorkOptions): Promise<PhasesEnd> {
  const { control } = work;
  const aborted = (hasRun: boolean): PhasesEnd => ({
    reason: control.abortReason as TerminationReason,
    signal: 'abort',
    hasRun,
  });
  if (instance.phase === 'starting') {
    const started = await runPhase('start', work);
    if (started.kind === 'abort') return aborted(false);
    if (started.kind === 'stop') return { reason: stopReason(work), signal: 'stop', hasRun: false };
    if (started.kind === 'fail') {
      return { reason: failure('start-failed', 'Its start failed', started.error), signal: 'fail', hasRun: false };
    }
    instance.apply('done');
  }

  let reason: TerminationReason = { kind: 'finished', message: 'Its run handler came to its end' };
  if (instance.phase === 'running') {
    const ran = await runPhase('run', work);
    if (ran.kind === 'abort') return aborted(true);
    if (ran.kind === 'stop') reason = stopReason(work);
    if (ran.kind === 'fail') reason = failure('failed', 'Its run handler failed', ran.error);
    instance.apply(ran.kind === 'fail' || ran.kind === 'stop' ? ran.kind : 'done', reason.message);
  }

  const stopped = await runPhase('shutdown', work);
  // The work was done; that the provider left before its shutdown was through changes nothing about that, but is said.
  if (stopped.kind === 'abort') return aborted(true);
  if (stopped.kind !== 'fail') return { reason, signal: 'done', hasRun: true };
  const failed = failure('failed', 'Its shutdown failed', stopped.error);
  const kept = reason.kind === 'finished' ? failed : { ...reason, error: reason.error ?? failed.error };
  return { reason: kept, signal: 'fail', hasRun: true };
}

function stopReason({ control }: WorkOptions): TerminationReason {
  return control.stopReason ?? { kind: 'stopped', message: 'It was told to stop' };
}

function failure(kind: 'start-failed' | 'failed', what: string, error: unknown): TerminationReason {
  const known = MeshError.from(error);
  return { kind, message: `${what}: ${known.message}`, error: known };
}

interface Leaving {
  readonly instance: LiveInstance;
  readonly around: InstanceSurroundings;
  readonly agreement: BufferedAgreement;
  readonly activityId: string | undefined;
  readonly reason: string;
}

/** Leaves the network, destroys the activity and terminates the agreement; its invoice stays awaited. */
async function leave({ instance, around, agreement, activityId, reason }: Leaving): Promise<void> {
  const { network, daemon, pool, logger } = around;
  const { agreementId, provider } = agreement;
  const keepAddress = instance.wantedAddress !== undefined;
  const ignore = (what: string) => (error: unknown) => {
    const isGone = error instanceof MeshError && error.code !== 'unavailable';
    if (!isGone) logger.warn(`${instance.name}: ${what}: ${MeshError.from(error).message}`);
  };
  // Only what it joined itself: another instance may have the same provider.
  if (instance.address !== undefined) {
    await network?.removeNode(provider.id, { keepAddress }).catch(ignore('leaving the network'));
  }
  // Before the agreement ends, which would end it too, but less orderly.
  if (activityId !== undefined) {
    await daemon.activity
      .destroyActivity(activityId, { timeoutMs: 10_000 })
      .catch(ignore(`destroying activity ${activityId}`));
  }
  await pool.release(agreementId, { reuse: false, reason });
}
