import { Notifier } from './notifier.js';
import { microsecondsOf, type Stamps } from './stamps.js';

/** What a client asks a log for. */
export interface EventQuery {
  /** Only later events than this time; all without one. */
  readonly after?: string | undefined;
  /** Only events of this session; of all sessions without one. */
  readonly session?: string | undefined;
  readonly maxEvents: number;
  /** How long to wait for the first one. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

interface Entry {
  readonly atUs: bigint;
  readonly session: string | undefined;
  readonly event: object & { readonly eventDate: string };
}

/** Clients poll every few seconds; who is further behind than this lost the events. */
const mostEvents = 10_000;

/** Events of one kind that clients collect by long polls, each with a time that is later than all before it. */
export class EventLog {
  readonly #stamps: Stamps;
  readonly #entries: Entry[] = [];
  readonly #notifier = new Notifier();

  constructor(stamps: Stamps) {
    this.#stamps = stamps;
  }

  append(session: string | undefined, event: object): void {
    const eventDate = this.#stamps.next();
    this.#entries.push({ atUs: microsecondsOf(eventDate)!, session, event: { ...event, eventDate } });
    if (this.#entries.length > mostEvents) this.#entries.shift();
    this.#notifier.notify();
  }

  async collect({ after, session, maxEvents, timeoutMs, signal }: EventQuery): Promise<object[]> {
    const afterUs = after === undefined ? undefined : (microsecondsOf(after) ?? 0n);
    const find = () => {
      const found = this.#entries.filter(
        (entry) =>
          (afterUs === undefined || entry.atUs > afterUs) && (session === undefined || entry.session === session),
      );
      return found.length === 0 ? undefined : found.slice(0, maxEvents).map(({ event }) => event);
    };
    return (await this.#notifier.until(find, timeoutMs, signal)) ?? [];
  }

  close(): void {
    this.#notifier.close();
  }
}
