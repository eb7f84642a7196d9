import type { TextMessage } from './protocol.js';

export interface Counts {
  sent: number;
  dropped: number;
}

/** A viewer's interest in one channel, and what came of it. */
export interface Subscription extends Counts {
  /** The viewer's own. */
  readonly id: number;
  readonly channelId: number;
  readonly topic: string;
  readonly viewer: EventTaker;
  /** The channel's counts, over all its viewers. */
  readonly totals: Counts;
  /** Sequence of the event that was offered last. */
  last?: number;
  /** Sequence of a latched event that this viewer got ahead of the others, and that is not to come again. */
  held?: number | undefined;
}

/** The viewer, as its subscriptions see it. */
export interface EventTaker {
  /** Aborts when the viewer has gone. */
  readonly gone: AbortSignal;
  /** Sends an event, or keeps it as the channel's newest, or drops it; never waits. */
  offer(subscription: Subscription, timeNs: bigint, payload: Uint8Array): void;
  sendText(message: TextMessage): void;
  /** Forgets a subscription and what waits for it. */
  remove(subscription: Subscription): void;
}
