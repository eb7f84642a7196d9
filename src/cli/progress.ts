import { createLogUpdate } from 'log-update';
import { showBytes, showSeconds } from './units.js';

const drawMs = 100;
const barColumns = 24;

/** How far a long command has come, on one line of standard error. */
export interface ProgressBar {
  /** Draws at most ten times a second. `done` and `total` are bytes, or what `show` makes of them. */
  update(done: number, total: number): void;
  /** Takes the line away. Can be called twice. */
  done(): void;
}

export interface ProgressOptions {
  /** How an amount is written. Default: bytes. */
  readonly show?: (amount: number) => string;
  /** Default: standard error. */
  readonly stream?: NodeJS.WriteStream;
}

/** A progress bar with the rest of the time; nothing at all where standard error is no terminal. */
export function progressBar(label: string, options: ProgressOptions = {}): ProgressBar {
  const { show = showBytes, stream = process.stderr } = options;
  if (stream.isTTY !== true) return { update: () => undefined, done: () => undefined };
  // A cursor that is hidden stays hidden after a kill.
  const draw = createLogUpdate(stream, { showCursor: true });
  const startMs = performance.now();
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update: (done, total) => {
      const nowMs = performance.now();
      if (nowMs - drawnMs < drawMs) return;
      drawnMs = nowMs;
      draw(progressLine(label, { done, total, elapsedS: (nowMs - startMs) / 1000, show }));
    },
    done: () => draw.clear(),
  };
}

/** `indexing  ███████▌        31 %  620 MB of 2.00 GB  3.1 s left`. */
export function progressLine(
  label: string,
  at: {
    readonly done: number;
    readonly total: number;
    readonly elapsedS: number;
    readonly show: (amount: number) => string;
  },
): string {
  const { done, total, elapsedS, show } = at;
  const part = total > 0 ? Math.min(done / total, 1) : 1;
  const filled = Math.round(part * barColumns);
  const bar = '█'.repeat(filled) + '░'.repeat(barColumns - filled);
  const left = part > 0 && elapsedS >= 1 ? `  ${showSeconds((elapsedS * (1 - part)) / part)} left` : '';
  return `${label}  ${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${show(done)} of ${show(total)}${left}`;
}
