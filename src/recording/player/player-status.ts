/** What a player has done, in all its loops. */
export interface PlayerSummary {
  readonly events: number;
  /** Events that could not be published: longer than allowed, or of another type than their path. */
  readonly skipped: number;
  /** Times it began again. */
  readonly loops: number;
  /** Seconds by which the end came later than the recording says, because somebody slowed it. */
  readonly lateS: number;
  /** How late events went out by the schedule as it then was; undefined when it was as fast as possible. */
  readonly lateP50Ms: number | undefined;
  readonly lateP99Ms: number | undefined;
}

/** How a player is. */
export interface PlayerStatus extends PlayerSummary {
  /** `waiting`: for subscribers. */
  readonly state: 'ready' | 'waiting' | 'playing' | 'paused' | 'ended';
  /** Seconds after the recording's first event, as everywhere. */
  readonly positionS: number;
  /** What is played. */
  readonly startS: number;
  readonly endS: number;
  /** 0: as fast as possible. */
  readonly rate: number;
  readonly subscribers: number;
  /** Requests that were answered for machines that are not there. */
  readonly ignoredRequests: number;
}

/** The event that a step has published. */
export interface SteppedEvent {
  readonly service: string;
  readonly path: string;
  readonly sequence: number;
  readonly positionS: number;
}
