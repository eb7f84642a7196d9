import { pause } from '../base/pause.js';
import type { CommandResult } from './command.js';
import type { Control, ControlSignal } from './control.js';
import type { Script } from './script.js';
import { assertScript, type ServiceHandler } from './service.js';

export type HandlerEnd =
  | { readonly kind: 'done' | 'stop' | 'suspend' | 'abort' }
  | { readonly kind: 'fail'; readonly error: unknown };

export interface HandlerOptions {
  /** For messages: `SimpleService.run`. */
  readonly name: string;
  readonly control: Control;
  /** The shutdown handler heeds no stop. */
  readonly heeds: readonly ControlSignal[];
  /** The handler's own signal. */
  readonly abort: AbortController;
  /** How long a handler that waits for something else may take to notice its signal. */
  readonly graceMs: number;
  readonly execute: (script: Script) => Promise<readonly CommandResult[]>;
}

type Step = { readonly ok: IteratorResult<Script, void> } | { readonly error: unknown };

/**
 * Drives one handler to its end: runs each script it yields and hands the results back, or throws the failure in at
 * the `yield`. A stop takes effect between scripts; a handler parked elsewhere is told by its signal, and abandoned
 * after the grace time. An abort abandons it at once.
 */
export async function runHandler(handler: ServiceHandler, options: HandlerOptions): Promise<HandlerEnd> {
  const { control, abort, heeds, name } = options;
  const pending = () => control.pending(heeds);
  const wanted = () => control.abortReason !== undefined || pending() !== undefined;
  const onChange = () => {
    if (!abort.signal.aborted && wanted()) abort.abort(control.abortReason?.error ?? control.stopReason?.error);
  };
  const unwatch = control.watch(onChange);
  onChange();
  // Results go in by next(), failures by throw().
  let input: { readonly results: readonly CommandResult[] } | { readonly error: unknown } = { results: [] };
  try {
    for (;;) {
      if (wanted()) return await leave(handler, options, pending());
      const step = 'error' in input ? handler.throw(input.error) : handler.next(input.results);
      const outcome = await settle(step, options, wanted);
      if (outcome === 'abandoned') {
        // Parked on something that never comes: its return() would queue behind that.
        void handler.return().catch(() => undefined);
        return { kind: control.abortReason ? 'abort' : (pending() ?? 'stop') };
      }
      if ('error' in outcome) {
        // A handler told to end that ends by the abort of what it waited for has done what it was told.
        const by = pending();
        if (control.abortReason) return { kind: 'abort' };
        return by ? { kind: by } : { kind: 'fail', error: outcome.error };
      }
      if (outcome.ok.done) return { kind: control.abortReason ? 'abort' : (pending() ?? 'done') };
      if (wanted()) return await leave(handler, options, pending());
      input = await run(outcome.ok.value, name, options);
    }
  } finally {
    unwatch();
  }
}

async function run(
  value: unknown,
  name: string,
  { execute }: HandlerOptions,
): Promise<{ readonly results: readonly CommandResult[] } | { readonly error: unknown }> {
  try {
    return { results: await execute(assertScript(value, name)) };
  } catch (error) {
    return { error };
  }
}

/** The handler's next step; or `abandoned`, when it is told to end and does not get there within the grace time. */
async function settle(
  promise: Promise<IteratorResult<Script, void>>,
  { control, graceMs }: HandlerOptions,
  wanted: () => boolean,
): Promise<Step | 'abandoned'> {
  const step = promise.then(
    (ok): Step => ({ ok }),
    (error: unknown): Step => ({ error }),
  );
  const told = control.until(wanted);
  const aborted = control.until(() => control.abortReason !== undefined);
  const timer = new AbortController();
  try {
    const first = await Promise.race([step, told.promise.then(() => undefined)]);
    if (first) return first;
    const grace = pause(graceMs, timer.signal).then(() => 'abandoned' as const);
    return await Promise.race([step, grace, aborted.promise.then(() => 'abandoned' as const)]);
  } finally {
    told.cancel();
    aborted.cancel();
    timer.abort();
  }
}

/** Lets the handler's `finally` run, but does not wait longer than the grace time for it; after an abort not at all. */
async function leave(
  handler: ServiceHandler,
  { control, graceMs }: HandlerOptions,
  by: ControlSignal | undefined,
): Promise<HandlerEnd> {
  const timer = new AbortController();
  const left = handler.return().then(
    () => undefined,
    () => undefined,
  );
  if (control.abortReason) return { kind: 'abort' };
  await Promise.race([left, pause(graceMs, timer.signal)]);
  timer.abort();
  return { kind: control.abortReason ? 'abort' : (by ?? 'stop') };
}
