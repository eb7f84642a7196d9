import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { type Batch, PollingBatch, StreamingBatch } from './batch.js';
import type { Command, CommandResult } from './command.js';
import type { ExeResult, GolemDaemon } from './daemon.js';
import { CommandExecutionError } from './errors.js';
import type { Emit } from './events.js';
import type { ProviderInfo } from './offer.js';
import type { Script } from './script.js';
import { abortError, raceAbort } from './signals.js';

/** Where a script runs. */
export interface ScriptTarget {
  readonly daemon: GolemDaemon;
  readonly activityId: string;
  readonly agreementId: string;
  readonly provider: ProviderInfo;
  readonly emit: Emit;
  /** Unix time, ms: batches end by then. */
  readonly deadlineMs: number;
  /** Ends the waiting; the provider is not told. */
  readonly signal: AbortSignal;
  /** How long the daemon may be away in the middle of a batch. */
  readonly awayMs?: number;
}

/**
 * Runs a script as one batch, and gives the results of its commands in order.
 * Errors: CommandExecutionError for the first command that fails, BatchTimeoutError, and what the daemon says.
 * Whatever happens, every command's own promise is settled and every transfer closed.
 */
export async function runScript(script: Script, target: ScriptTarget): Promise<readonly CommandResult[]> {
  script.markSent();
  if (script.commands.length === 0) return [];
  const { daemon } = target;
  try {
    return await send(script, target);
  } catch (error) {
    const known = target.signal.aborted ? abortError(target.signal, 'The batch') : MeshError.from(error);
    script.abandon(known);
    throw known;
  } finally {
    await Promise.all(script.commands.map((command) => command.cleanUp(daemon.storage))).catch(() => undefined);
  }
}

async function send(script: Script, target: ScriptTarget): Promise<readonly CommandResult[]> {
  const { daemon, activityId, emit, signal } = target;
  const { streaming = false } = script.options;
  const { commands } = script;
  const ids = { activityId, agreementId: target.agreementId, provider: target.provider };
  const wire = [];
  for (const command of commands) wire.push(await command.prepare(daemon.storage, streaming));
  const batchId = await daemon.activity.exec(activityId, wire, { signal });
  const batchIds = { ...ids, batchId };
  emit('ScriptSent', { ...batchIds, commands: commands.map(({ title }) => title) });
  for (const { downloads } of commands) if (downloads) emit('DownloadStarted', { ...ids, path: downloads });

  const timeoutMs = Math.min(script.options.timeoutMs ?? Number.POSITIVE_INFINITY, target.deadlineMs - Date.now());
  const options = {
    daemon,
    activityId,
    batchId,
    timeoutMs,
    signal,
    size: commands.length,
    ...(target.awayMs === undefined ? {} : { awayMs: target.awayMs }),
  };
  const batch = streaming ? new StreamingBatch(options) : new PollingBatch(options);
  emit('GettingResults', batchIds);
  try {
    const results = await collect(batch, commands, { ...target, batchId });
    emit('ScriptFinished', batchIds);
    return results;
  } catch (error) {
    emit('ScriptFinished', { ...batchIds, error: MeshError.from(error) });
    throw error;
  }
}

async function collect(
  batch: Batch,
  commands: readonly Command[],
  target: ScriptTarget & { readonly batchId: string },
): Promise<readonly CommandResult[]> {
  const { emit, activityId, agreementId, provider, batchId } = target;
  const results: CommandResult[] = [];
  const of = (commandIndex: number) => ({ activityId, agreementId, provider, batchId, commandIndex });
  const finish = async (result: ExeResult): Promise<void> => {
    const command = commands[result.index];
    if (!command) return;
    const { index, stdout, stderr, message } = result;
    const executed = { ...of(index), command: command.title, stdout, stderr };
    if (!result.ok) {
      const cause = command.localFailure;
      const why = cause?.message ?? message;
      const error = new CommandExecutionError(command.title, { index, stdout, stderr, message: why, cause });
      emit('CommandExecuted', { ...executed, error });
      throw error;
    }
    emit('CommandExecuted', executed);
    // A file arrives beside the results; it may be late, but not for ever.
    using deadline = new Deadline(30_000, target.signal);
    await raceAbort(command.succeed(result), deadline.signal, command.title);
    if (command.downloads !== undefined) {
      const file = await command.result;
      const bytes = file instanceof Uint8Array ? file.byteLength : undefined;
      emit('DownloadFinished', { activityId, agreementId, provider, path: command.downloads, bytes });
    }
    results.push({ index, stdout, stderr, message });
  };
  try {
    for await (const event of batch) {
      if (event.kind === 'result') await finish(event.result);
      else if (event.kind === 'started') {
        emit('CommandStarted', { ...of(event.index), command: commands[event.index]?.title ?? '' });
      } else if (event.kind === 'progress') {
        emit('CommandProgress', { ...of(event.index), progress: event.progress });
      } else {
        const type = event.kind === 'stdout' ? 'CommandStdOut' : 'CommandStdErr';
        emit(type, { ...of(event.index), output: event.text });
      }
    }
  } catch (error) {
    // An activity that was told to terminate may be gone before it has said so.
    const last = commands.at(-1) as Command;
    const gone = error instanceof MeshError && error.code === 'not-found';
    if (!(gone && last.name === 'terminate' && results.length === commands.length - 1)) throw error;
    const index = commands.length - 1;
    const date = new Date().toISOString();
    await finish({ index, date, ok: true, stdout: '', stderr: '', message: '', isBatchFinished: true });
  }
  if (results.length < commands.length) {
    throw new MeshError('aborted', `Batch ${batchId} ended after ${results.length} of ${commands.length} commands`);
  }
  return results;
}
