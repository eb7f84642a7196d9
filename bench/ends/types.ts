import type { Workload } from '../workload.js';

/** Takes one event of a subscription; `stampMs` only where the workload looks at the publisher's stamp. */
export type Take = (subscription: number, sequence: number, stampMs: number) => void;

/** The publishing (and answering) end of a subject, in a process of its own. */
export interface PublisherEnd {
  /** Where the subscriber's end finds it. */
  readonly port: number;
  /** Sequence of the newest event; -1 before the first. */
  readonly last: number;
  /** Resolves when so many subscriptions have arrived. */
  subscribed(count: number): Promise<void>;
  /**
   * Publishes the next event. A promise is awaited before the next one: it is how the subject holds a publisher that
   * is too fast. `stampMs` goes into the payload where the workload looks at it.
   */
  publish(stampMs: number): Promise<unknown> | undefined;
  close(): Promise<void>;
}

/** The subscribing (and asking) end of a subject, in a process of its own. */
export interface SubscriberEnd {
  /** Starts `count` separate subscriptions; a `stalled` one reads its first event and no more. */
  subscribe(count: number, take: Take, options: { readonly stalled: boolean }): Promise<void>;
  /** One request and its reply. */
  request(): Promise<unknown>;
  close(): Promise<void>;
}

/** What every subject's module exports. */
export interface Ends {
  openPublisher(workload: Workload, port: number): Promise<PublisherEnd>;
  openSubscriber(workload: Workload, port: number): Promise<SubscriberEnd>;
}

/** Milliseconds of the clock that both processes share. */
export function nowMs(): number {
  // performance.now counts from each process's own start; hrtime is CLOCK_MONOTONIC.
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
