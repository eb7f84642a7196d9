import { anyPath } from '../messages/uri.js';
import type { Positions } from './protocol.js';

/** Events of one path that a subscriber asked for and will not get. */
export interface Gap {
  readonly service: string;
  readonly path: string;
  /** First and last sequence that are gone. */
  readonly from: number;
  readonly to: number;
  /** How many of those the subscription asked for (`everyN`). */
  readonly count: number;
  /**
   * `dropped`: lost in a queue while connected. `reconnect`: published while the link was down and no longer held.
   * `restart`: published by a restarted service before the link was back; what it published and lost before its
   * end cannot be known.
   */
  readonly reason: 'dropped' | 'reconnect' | 'restart';
}

interface Position {
  /** The sequence expected next. */
  next: number;
  /** Why an event before the next one would be missing. */
  reason: Gap['reason'];
  /** Sequences below this were published before the subscription began: nobody misses them. */
  readonly begin: number;
  /** The event received last, of a service without epochs. */
  last?: Buffer;
}

// A publisher with more paths than this loses the oldest position, and with it only the notice of a gap.
const maxPaths = 10_000;

/** Follows the sequences of one subscription over drops, reconnects and restarts. */
export class SequenceTracker {
  private readonly service: string;
  private readonly everyN: number;
  private readonly positions = new Map<string, Position>();
  /** By path, the first sequence of this subscription; what is below was published before. */
  readonly begins = new Map<string, number>();
  /** Whether a path that is not in `positions` is one that nothing was published on; undefined before the first stream. */
  private complete: boolean | undefined;
  private lastPath: string | undefined;
  private lastPosition: Position | undefined;

  constructor(service: string, everyN: number) {
    this.service = service;
    this.everyN = Math.max(1, everyN);
  }

  /** What a client that comes back asks for. */
  get next(): Positions {
    const next = new Map(Array.from(this.positions, ([path, { next, begin }]) => [path, Math.max(next, begin)]));
    // A path that is published for the first time while the link is down is wanted from its beginning.
    return this.complete ? next.set(anyPath, 0) : next;
  }

  /**
   * A stream began. `first` is, of each path, the first sequence it can bring (of a path that is new here: the first
   * that is live); empty from a farm-ng service, which does not say. Gives the gaps that are certain already.
   */
  connected(first: Positions, restarted: boolean): Gap[] {
    const gaps: Gap[] = [];
    const reason = restarted ? 'restart' : 'reconnect';
    const knewAll = this.complete ?? false;
    this.complete = (this.complete ?? true) && first.has(anyPath);
    this.lastPosition = undefined;
    for (const [path, position] of this.positions) {
      if (restarted) this.positions.set(path, { next: 0, reason, begin: 0 });
      else position.reason = reason;
    }
    for (const [path, sequence] of first) {
      if (path === anyPath) continue;
      if (!this.positions.has(path) && !knewAll) {
        this.add(path, { next: 0, reason: 'dropped', begin: sequence });
        continue;
      }
      const position = this.positions.get(path) ?? this.add(path, { next: 0, reason, begin: 0 });
      if (sequence > position.next) gaps.push(...this.gap(path, position, sequence - 1, reason));
      position.next = Math.max(position.next, sequence);
      position.reason = 'dropped';
    }
    return gaps;
  }

  /**
   * Whether an event is the one expected next on its path, which is the rule; then that is all there is to it, and to
   * those of the `count` that come behind it one by one. Otherwise nothing has changed, and `received` is to be told.
   */
  follows(path: string, sequence: number, count: number): boolean {
    const position = this.position(path);
    if (position === undefined || sequence !== position.next || position.reason !== 'dropped') return false;
    position.next = sequence + count;
    return true;
  }

  /** The sequence expected next on a path; undefined: it has none yet. */
  expected(path: string): number | undefined {
    return this.position(path)?.next;
  }

  /**
   * An event came. Undefined: it is one that came before. Else the gap before it, if there is one.
   * A sequence that goes back is, with an epoch, a recording that is played again, and nothing is lost. Of a service
   * without epochs, `eventBytes` are needed: the very event that came last is a repetition, any other one a restart.
   */
  received(path: string, sequence: number, eventBytes?: Buffer): Gap[] | undefined {
    const position = this.positions.get(path) ?? this.add(path, { next: sequence, reason: 'dropped', begin: sequence });
    const { next, reason } = position;
    position.reason = 'dropped';
    // A copy, because the bytes lie in a larger buffer.
    const last = eventBytes === undefined ? {} : { last: Buffer.from(eventBytes) };
    if (sequence < next) {
      // The latched event, sent again to everybody who comes back.
      const isRepeated = eventBytes === undefined || position.last?.equals(eventBytes);
      if (reason !== 'dropped' && isRepeated) return undefined;
      this.lastPosition = undefined;
      this.positions.set(path, { next: sequence + 1, reason: 'dropped', begin: 0, ...last });
      if (eventBytes === undefined) return [];
      return this.gap(path, { next: 0, begin: 0 }, sequence - 1, 'restart');
    }
    const gaps = this.gap(path, position, sequence - 1, reason);
    position.next = sequence + 1;
    Object.assign(position, last);
    return gaps;
  }

  /** What came before is another recording, or another part of one: nothing of it says what is missing here. */
  forget(): void {
    this.positions.clear();
    this.lastPosition = undefined;
    this.begins.clear();
    this.complete = undefined;
  }

  private position(path: string): Position | undefined {
    if (path !== this.lastPath || this.lastPosition === undefined) {
      this.lastPosition = this.positions.get(path);
      this.lastPath = path;
    }
    return this.lastPosition;
  }

  private add(path: string, position: Position): Position {
    this.positions.set(path, position);
    if (!this.begins.has(path)) this.begins.set(path, position.begin);
    if (this.positions.size > maxPaths) {
      this.lastPosition = undefined;
      const oldest = this.positions.keys().next().value!;
      this.positions.delete(oldest);
      this.begins.delete(oldest);
      this.complete = false;
    }
    return position;
  }

  private gap(
    path: string,
    { next, begin }: Pick<Position, 'next' | 'begin'>,
    to: number,
    reason: Gap['reason'],
  ): Gap[] {
    const from = Math.max(next, begin);
    if (to < from) return [];
    const count = Math.floor(to / this.everyN) - Math.ceil(from / this.everyN) + 1;
    return count > 0 ? [{ service: this.service, path, from, to, count, reason }] : [];
  }
}
