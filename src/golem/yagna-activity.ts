import { MeshError } from '../base/errors.js';
import type { ActivityState, DaemonActivity, ExeResult, RuntimeEvent } from './daemon.js';
import { eventQueue } from './event-queue.js';
import { callYagna, whileRefused } from './yagna-calls.js';
import type { YagnaApi } from './yagna-sdk.js';

/** The activity half of the daemon over the SDK's REST client. */
export function yagnaActivity(api: YagnaApi['activity']): DaemonActivity {
  const { control, state, exec } = api;
  return {
    createActivity: async (agreementId, call) => {
      const what = `create activity for agreement ${agreementId}`;
      // The provider starts a runtime before it answers.
      const timeoutMs = call?.timeoutMs ?? 120_000;
      const raw = await callYagna(what, { ...call, timeoutMs }, () => control.createActivity({ agreementId }, 90));
      return typeof raw === 'string' ? raw : raw.activityId;
    },
    destroyActivity: async (id, call) => {
      await callYagna(`destroy activity ${id}`, call, () => control.destroyActivity(id, 20));
    },
    state: async (id, call) => {
      const raw = await callYagna(`state of activity ${id}`, call, () => state.getActivityState(id));
      return [raw.state[0] as ActivityState, (raw.state[1] ?? null) as ActivityState | null];
    },
    usage: async (id, call) => {
      const raw = await callYagna(`usage of activity ${id}`, call, () => state.getActivityUsage(id));
      return raw.currentUsage ?? [];
    },
    exec: async (id, commands, call) => {
      const body = { text: JSON.stringify(commands) };
      const send = () =>
        callYagna(`script of activity ${id}`, call, () => control.exec(id, body), { 400: 'invalid-argument' });
      return whileRefused(send, 30_000, call?.signal);
    },
    batchResults: async (id, batchId, { waitSeconds, ...call }) => {
      const timeoutMs = call.timeoutMs ?? (waitSeconds + 15) * 1000;
      const raw = await callYagna(`results of batch ${batchId}`, { ...call, timeoutMs }, () =>
        control.getExecBatchResults(id, batchId, undefined, waitSeconds),
      );
      return raw.map(exeResult);
    },
    batchEvents: (id, batchId, { signal }) => {
      const queue = eventQueue<RuntimeEvent>({ depth: 10_000, what: `events of batch ${batchId}` });
      const subscription = exec.observeBatchExecResults(id, batchId).subscribe({
        next: (event) => {
          for (const one of runtimeEvents(event as unknown as RawRuntimeEvent)) queue.push(one);
        },
        error: (error) => {
          const why = (error as { message?: string }).message ?? 'connection lost';
          queue.fail(new MeshError('unavailable', `The stream of batch ${batchId} broke: ${why}`, { cause: error }));
        },
        complete: () => queue.end(),
      });
      signal.addEventListener('abort', () => queue.end(), { once: true });
      return queue.iterate(() => subscription.unsubscribe());
    },
  };
}

function exeResult(
  raw: Awaited<ReturnType<YagnaApi['activity']['control']['getExecBatchResults']>>[number],
): ExeResult {
  return {
    index: raw.index,
    date: raw.eventDate,
    ok: raw.result === 'Ok',
    stdout: text(raw.stdout),
    stderr: text(raw.stderr),
    message: raw.message ?? '',
    isBatchFinished: raw.isBatchFinished ?? false,
  };
}

interface RawRuntimeEvent {
  readonly index: number;
  readonly timestamp: string;
  readonly kind: Readonly<Record<string, unknown>>;
}

function runtimeEvents({ index, timestamp: date, kind }: RawRuntimeEvent): RuntimeEvent[] {
  if ('started' in kind) return [{ kind: 'started', index, date, command: kind.started }];
  if ('stdout' in kind) return [{ kind: 'stdout', index, date, text: text(kind.stdout) }];
  if ('stderr' in kind) return [{ kind: 'stderr', index, date, text: text(kind.stderr) }];
  if ('progress' in kind) return [{ kind: 'progress', index, date, progress: kind.progress }];
  if ('finished' in kind) {
    const finished = kind.finished as { return_code?: number; message?: string | null };
    return [{ kind: 'finished', index, date, returnCode: finished.return_code ?? 0, message: finished.message ?? '' }];
  }
  return [];
}

// The runtime sends text, or bytes as a list of numbers when the output was captured as such.
function text(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : Buffer.from(value as readonly number[]).toString();
}
