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

const defaultPauseMs = 1000;
const longestPauseMs = 30_000;

interface Deployed {
  readonly id: string;
  readonly end: AbortController;
  /** Its daemon has forgotten it. */
  readonly gone: AbortController;
  readonly ended: Promise<void>;
}

/** Keeps one deployment going: where the daemon is, for as long as one is wanted, and again after it has ended. */
export class Seat {
  readonly #options: SeatOptions;
  #place: GolemPlace | NoPlace = { away: 'looking for the Golem daemon' };
  #isWanted = true;
  /** Why none is wanted. */
  #why = '';
  #deployed: Deployed | undefined;
  #pauseMs = 0;
  #changed: () => void = () => undefined;

  constructor(options: SeatOptions) {
    this.#options = options;
  }

  /** Deploys until the signal aborts. */
  async run(): Promise<void> {
    const { place$, signal, onIdle, pauseMs: shortestPauseMs = defaultPauseMs } = this.#options;
    const places = place$.subscribe((place) => {
      this.#place = place;
      const deployed = this.#deployed;
      if ('id' in place && deployed !== undefined && place.id !== deployed.id) {
        // What a restarted node does not know of any more is over: there is nothing left to be closed in order.
        deployed.end.abort();
        setImmediate(() => deployed.gone.abort());
      }
      this.#changed();
    });
    signal.addEventListener('abort', () => this.#changed(), { once: true });
    this.#pauseMs = shortestPauseMs;
    let told = '';
    while (!signal.aborted) {
      const place = this.#place;
      if (!this.#isWanted || 'away' in place) {
        const waits = 'away' in place && this.#isWanted;
        const reason = waits ? place.away : `${this.#why}; /restart deploys it again`;
        if (reason !== told) onIdle(waits ? 'pending' : 'terminated', reason);
        told = reason;
        await this.#change();
        continue;
      }
      told = '';
      const startedAt = performance.now();
      const failed = await this.#deploy(place);
      if (!failed || signal.aborted) continue;
      if (performance.now() - startedAt > longestPauseMs) this.#pauseMs = shortestPauseMs;
      if (this.#isWanted) await this.#change(this.#pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs);
    }
    places.unsubscribe();
  }

  /** Ends the deployment, and makes none until `restart`. Resolves when nothing is left of it. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    this.#why = 'it was told to stop';
    this.#changed();
    await this.#end();
  }

  /** Ends the deployment, if there is one, and makes another. Resolves when nothing is left of the former. */
  async restart(): Promise<void> {
    await this.#end();
    this.#isWanted = true;
    this.#pauseMs = this.#options.pauseMs ?? defaultPauseMs;
    this.#changed();
  }

  /** Waits until it is told something, a place comes or goes, all ends, or for so many ms. */
  #change(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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
    const gone = new AbortController();
    let done: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#deployed = { id: place.id, end, gone, ended };
    let isHopeless = false;
    try {
      const there = { ...place, yagna: { ...place.yagna, gone: gone.signal } };
      const reason = await deploy(there, AbortSignal.any([signal, end.signal]));
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
