/** What is looked at, in this order. */
export type Subject =
  | 'name'
  | 'port'
  | 'tls'
  | 'protocol'
  | 'service'
  | 'path'
  | 'type'
  | 'data'
  | 'every_n'
  | 'latched'
  | 'drops'
  | 'subscriber'
  | 'version';

/** One thing that was looked at. */
export interface Check {
  readonly subject: Subject;
  /**
   * `ok`; `note`: it works, but look; `wrong`: this is why no data comes, or why the mesh is not as written;
   * `away`: nobody is there.
   */
  readonly status: 'ok' | 'note' | 'wrong' | 'away';
  /** What was seen. */
  readonly found: string;
  /** What to do. */
  readonly advice?: string;
}

/** A path as somebody uses it. */
export interface Edge {
  /** `events`: it is published; `request`: it is asked, which doctor does not do. */
  readonly kind: 'events' | 'request';
  readonly service: string;
  readonly path: string;
  /** Who subscribes or asks; absent when doctor was asked about a path. */
  readonly subscriber?: string;
  /** 0: all. */
  readonly everyN: number;
  readonly depth?: number;
  /** Type that the subscriber expects, if it says so. */
  readonly type?: string;
}

export interface Diagnosis {
  readonly edge: Edge;
  /** The worst of the checks. */
  readonly status: 'ok' | 'wrong' | 'away';
  readonly checks: readonly Check[];
}

export function ok(subject: Subject, found: string): Check {
  return { subject, status: 'ok', found };
}

export function note(subject: Subject, found: string, advice?: string): Check {
  return { subject, status: 'note', found, ...(advice === undefined ? {} : { advice }) };
}

export function wrong(subject: Subject, found: string, advice: string): Check {
  return { subject, status: 'wrong', found, advice };
}

export function away(subject: Subject, found: string, advice: string): Check {
  return { subject, status: 'away', found, advice };
}

/** The checks of an edge as its diagnosis. */
export function diagnosis(edge: Edge, checks: readonly Check[]): Diagnosis {
  const has = (status: Check['status']): boolean => checks.some((check) => check.status === status);
  return { edge, status: has('wrong') ? 'wrong' : has('away') ? 'away' : 'ok', checks };
}
