import { MeshError } from '../base/errors.js';
import type { BufferedAgreement } from './agreements-pool.js';
import type { CommandResult } from './command.js';
import type { Control, ControlSignal } from './control.js';
import type { GolemDaemon } from './daemon.js';
import type { Emit } from './events.js';
import { type HandlerEnd, runHandler } from './handler-run.js';
import type { Network } from './network.js';
import { costOfUsage } from './offer.js';
import { type DeployArgs, Script, type ScriptOptions } from './script.js';
import { runScript } from './script-runner.js';
import { callHandler, type WorkContext } from './service.js';
import type { LiveInstance } from './service-instance.js';

export interface WorkOptions {
  readonly instance: LiveInstance;
  readonly control: Control;
  readonly daemon: GolemDaemon;
  readonly agreement: BufferedAgreement;
  readonly activityId: string;
  readonly network: Network | undefined;
  readonly emit: Emit;
  readonly graceMs: number;
  readonly expirationMs: number;
  readonly awayMs?: number | undefined;
}

const everySignal: readonly ControlSignal[] = ['stop', 'suspend'];

/** Runs one handler of an instance on its activity, through suspensions, to its end. */
export async function runPhase(name: 'start' | 'run' | 'shutdown', options: WorkOptions): Promise<HandlerEnd> {
  const { instance, control } = options;
  const heeds = name === 'shutdown' ? (['suspend'] as const) : everySignal;
  for (;;) {
    const end = await runOnce(name, heeds, options);
    if (end.kind !== 'suspend') return end;
    instance.apply('suspend');
    const goesOn = control.until(
      () => !control.isSuspended || control.pending(heeds) === 'stop' || control.abortReason !== undefined,
    );
    await goesOn.promise;
    goesOn.cancel();
    if (control.abortReason) return { kind: 'abort' };
    instance.apply('resume');
  }
}

async function runOnce(
  name: 'start' | 'run' | 'shutdown',
  heeds: readonly ControlSignal[],
  options: WorkOptions,
): Promise<HandlerEnd> {
  const { instance, control, graceMs } = options;
  const abort = new AbortController();
  const scripts = new Set<Script>();
  const work = workContext(options, abort.signal, scripts);
  const full = `${instance.service.constructor.name}.${name}`;
  try {
    const handler = callHandler(instance.service, name, work);
    const execute = (script: Script) => execute_(script, options);
    return await runHandler(handler, { name: full, control, heeds, abort, graceMs, execute });
  } catch (error) {
    return { kind: 'fail', error };
  } finally {
    const over = new MeshError('cancelled', `${full} has ended; its script was not run`);
    if (!abort.signal.aborted) abort.abort(over);
    for (const script of scripts) script.abandon(over);
  }
}

async function execute_(script: Script, options: WorkOptions): Promise<readonly CommandResult[]> {
  const { daemon, agreement, activityId, emit, control, expirationMs, awayMs } = options;
  const { agreementId, provider } = agreement;
  try {
    return await runScript(script, {
      daemon,
      activityId,
      agreementId,
      provider,
      emit,
      deadlineMs: expirationMs,
      signal: control.abortSignal,
      ...(awayMs === undefined ? {} : { awayMs }),
    });
  } catch (error) {
    if (error instanceof MeshError && error.code === 'not-found') {
      control.abort({ kind: 'activity-gone', message: `Activity ${activityId} is gone: ${error.message}`, error });
    }
    throw error;
  }
}

function workContext(options: WorkOptions, signal: AbortSignal, scripts: Set<Script>): WorkContext {
  const { instance, agreement, activityId, network } = options;
  const deployArgs = (): DeployArgs => (network ? network.deployArgs(agreement.provider.id) : {});
  return {
    instanceId: instance.id,
    instanceName: instance.name,
    provider: agreement.provider,
    agreementId: agreement.agreementId,
    activityId,
    address: instance.address,
    signal,
    newScript: (scriptOptions: ScriptOptions = {}) => {
      const script = new Script({ ...scriptOptions, deployArgs: deployArgs() });
      scripts.add(script);
      return script;
    },
    usage: async () => {
      const values = await options.daemon.activity.usage(activityId, { signal });
      return costOfUsage(agreement.record.offer.properties, values);
    },
    receive: () => instance.mailbox.take(signal),
    tryReceive: () => instance.mailbox.tryTake(),
    post: (message) => instance.outbox.next(message),
  };
}
