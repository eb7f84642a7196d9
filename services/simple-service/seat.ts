import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, MeshError } from 'furrow';
import { isCallersFault, type TerminationReason } from 'furrow/golem';
import type { Observable } from 'rxjs';
import type { GolemPlace, NoPlace } from './golem-place.js';

export interface SeatOptions {
  readonly place$: Observable<GolemPlace | NoPlace>;
  /** Runs one deployment to its end; undefined when `signal` ended it. */
  readonly deploy: (place: GolemPlace, signal: AbortSignal) => Promise<TerminationReason | undefined>;
  /** Told when nothing is deployed, and why: pending will be as soon as it can, terminated stays so. */
  readonly onIdle: (state: 'pending' | 'terminated', reason: string) => void;
  readonly redeploys: boolean;
  /** Before another deployment, after one that failed; doubles up to 30 s. Default 1000. */
  readonly pauseMs?: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const longestPauseMs = 30_000;

/** Keeps one deployment going: where the daemon is, for as long as one is wanted, and again after it has ended. */
export class Seat {
  readonly #options: SeatOptions;
  #place: GolemPlace | NoPlace = { away: 'looking for the Golem daemon' };
  #isWanted = true;
  /** Why none is wanted. */
  #why = '';
  #deployed: { readonly id: string; readonly end: AbortController; readonly ended: Promise<void> } | undefined;
  #changed: () => void = () => undefined;

  constructor(options: SeatOptions) {
    this.#options = options;
  }

  /** Deploys until the signal aborts. */
  async run(): Promise<void> {
    const { place$, signal, onIdle, pauseMs: shortestPauseMs = 1000 } = this.#options;
    const places = place$.subscribe((place) => {
      this.#place = place;
      // What a restarted node does not know of any more is over.
      if ('id' in place && this.#deployed !== undefined && place.id !== this.#deployed.id) this.#deployed.end.abort();
      this.#changed();
    });
    signal.addEventListener('abort', () => this.#changed(), { once: true });
    let pauseMs = shortestPauseMs;
    let told = '';
    while (!signal.aborted) {
      const place = this.#place;
      if (!this.#isWanted || 'away' in place) {
        const waits = 'away' in place && this.#isWanted;
        const reason = waits ? place.away : `${this.#why}; /restart deploys it again`;
        if (reason !== told) onIdle(waits ? 'pending' : 'terminated', reason);
        told = reason;
        await new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
        continue;
      }
      told = '';
      const startedAt = performance.now();
      const failed = await this.#deploy(place);
      if (!failed || signal.aborted) continue;
      if (performance.now() - startedAt > longestPauseMs) pauseMs = shortestPauseMs;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    }
    places.unsubscribe();
  }

  /** Ends the deployment, and makes none until `restart`. Resolves when nothing is left of it. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#why = 'it was told to stop';
    await this.#end();
  }

  /** Ends the deployment, if there is one, and makes another. Resolves when nothing is left of the former. */
  async restart(): Promise<void> {
    await this.#end();
    this.#isWanted = true;
    this.#changed();
  }

  async #end(): Promise<void> {
    const deployed = this.#deployed;
    deployed?.end.abort();
    await deployed?.ended;
  }

  /** Whether it ended by itself. */
  async #deploy(place: GolemPlace): Promise<boolean> {
    const { deploy, logger, redeploys, signal } = this.#options;
    const end = new AbortController();
    let done: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#deployed = { id: place.id, end, ended };
    let isHopeless = false;
    try {
      const reason = await deploy(place, AbortSignal.any([signal, end.signal]));
      if (reason === undefined) return false;
      logger.warn(`ended: ${reason.message}`);
      isHopeless = isCallersFault(reason);
      this.#why = reason.message;
      return true;
    } catch (error) {
      const failure = MeshError.from(error);
      if (end.signal.aborted || signal.aborted) return false;
      logger.error(`not deployed: ${failure.message}`);
      this.#why = failure.message;
      isHopeless = isCallersFault({ kind: 'not-started', message: failure.message, error: failure });
      return true;
    } finally {
      if (!end.signal.aborted && (isHopeless || !redeploys)) this.#isWanted = false;
      this.#deployed = undefined;
      done();
    }
  }
}
