import { badRequest } from './problem.js';

/** What can be made to go wrong, and where it takes effect. */
const faultKinds = [
  /** A counter-proposal is turned down. */
  'reject-proposal',
  /** An agreement is turned down. */
  'reject-agreement',
  /** An agreement is never answered. */
  'ignore-agreement',
  /** An agreement is approved `delayMs` later. */
  'slow-approval',
  /** An activity is not created. */
  'fail-activity',
  /** A `run` command never ends by itself. */
  'hang-command',
  /** A command fails without having run, and the batch with it. */
  'break-batch',
  /** The provider is gone as a command begins: it answers nothing, bills nothing, and offers nothing. */
  'vanish-provider',
  /** The provider terminates the agreement as a command begins. */
  'terminate-agreement',
  /** No debit note is sent. */
  'skip-debit-note',
  /** A debit note is `factor` times too high. */
  'raise-debit-note',
  /** No invoice is sent. */
  'skip-invoice',
  /** The invoice is `factor` times too high. */
  'raise-invoice',
  /** A request is answered with `status`. */
  'fail-request',
  /** From a request on, all connections are cut for `durationMs`. */
  'go-away',
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** One failure on demand. */
export interface Fault {
  readonly kind: FaultKind;
  /** Only this provider; any without one. */
  readonly provider?: string;
  /** Only where the command line, or `METHOD /path` of a request, contains this. */
  readonly match?: string;
  /** Occasions that are let through first. Default 0. */
  readonly skip?: number;
  /** Occasions that fail. Default 1; 0 is all. */
  readonly times?: number;
  /** `slow-approval`. Default 1000. */
  readonly delayMs?: number;
  /** `go-away`. Default 1000. */
  readonly durationMs?: number;
  /** `raise-invoice` and `raise-debit-note`. Default 10. */
  readonly factor?: number;
  /** `fail-request`. Default 500. */
  readonly status?: number;
}

interface Armed {
  readonly id: number;
  readonly fault: Fault;
  skipped: number;
  used: number;
}

const mostFaults = 1000;

/** The failures that wait for their occasion. */
export class Faults {
  #armed: Armed[] = [];
  #lastId = 0;

  /** Makes a failure happen at its next occasion. Gives back its number, for {@link disarm}. */
  arm(fault: Fault): number {
    if (!faultKinds.includes(fault.kind)) {
      throw badRequest(`fault kind ${JSON.stringify(fault.kind)} is none of ${faultKinds.join(', ')}`);
    }
    for (const key of ['skip', 'times', 'delayMs', 'durationMs', 'factor', 'status'] as const) {
      const value = fault[key];
      if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
        throw badRequest(`fault ${key} must be a number of 0 or more, not ${JSON.stringify(value)}`);
      }
    }
    for (const key of ['provider', 'match'] as const) {
      if (fault[key] !== undefined && typeof fault[key] !== 'string') throw badRequest(`fault ${key} must be a text`);
    }
    if (this.#armed.length >= mostFaults) throw badRequest(`more than ${mostFaults} faults wait already`);
    this.#lastId += 1;
    this.#armed.push({ id: this.#lastId, fault, skipped: 0, used: 0 });
    return this.#lastId;
  }

  disarm(id: number): boolean {
    const before = this.#armed.length;
    this.#armed = this.#armed.filter((armed) => armed.id !== id);
    return this.#armed.length < before;
  }

  clear(): void {
    this.#armed = [];
  }

  /** What waits, with how often it happened. */
  list(): { id: number; fault: Fault; used: number }[] {
    return this.#armed.map(({ id, fault, used }) => ({ id, fault, used }));
  }

  /** The failure for this occasion, if one is due; it is used up by that. */
  take(kind: FaultKind, occasion: { provider?: string; text?: string } = {}): Fault | undefined {
    for (const armed of this.#armed) {
      const { fault } = armed;
      if (fault.kind !== kind) continue;
      if (fault.provider !== undefined && fault.provider !== occasion.provider) continue;
      if (fault.match !== undefined && !occasion.text?.includes(fault.match)) continue;
      if (armed.skipped < (fault.skip ?? 0)) {
        armed.skipped += 1;
        continue;
      }
      armed.used += 1;
      const times = fault.times ?? 1;
      if (times !== 0 && armed.used >= times) this.disarm(armed.id);
      return fault;
    }
    return undefined;
  }
}
