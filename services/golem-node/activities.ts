import { Activity, type ActivityParts } from './activity.js';
import type { Agreement, Agreements } from './agreements.js';
import { badRequest, notFound, Problem } from './problem.js';

const mostEnded = 2000;

/** All activities, by their ids. */
export class Activities {
  readonly #parts: ActivityParts;
  readonly #agreements: Agreements;
  readonly #activities = new Map<string, Activity>();
  readonly #created: ((activity: Activity) => void)[] = [];
  readonly #gone: ((activity: Activity) => void)[] = [];

  constructor(agreements: Agreements, parts: ActivityParts) {
    this.#agreements = agreements;
    this.#parts = parts;
    agreements.onEnd((agreement) => {
      for (const activity of this.of(agreement)) void activity.end('its agreement was terminated');
    });
    parts.providers.onVanish(({ name }) => {
      for (const activity of this.list()) {
        if (activity.provider.name === name) void activity.end('its provider vanished');
      }
    });
  }

  /** Calls back for each new activity. */
  onCreate(listener: (activity: Activity) => void): void {
    this.#created.push(listener);
  }

  /** Calls back when an activity has ended. */
  onEnd(listener: (activity: Activity) => void): void {
    this.#gone.push(listener);
  }

  list(): Activity[] {
    return [...this.#activities.values()];
  }

  of(agreement: Agreement): Activity[] {
    return this.list().filter((activity) => activity.agreement === agreement);
  }

  /** What the daemon itself knows about it, whether or not its provider answers. */
  get(id: string): Activity {
    const activity = this.#activities.get(id);
    if (activity === undefined) throw notFound('activity', id);
    return activity;
  }

  /** For calls that the provider has to answer. */
  reach(id: string): Activity {
    const activity = this.get(id);
    this.#parts.providers.assertPresent(activity.provider.name);
    return activity;
  }

  async create(agreementId: string): Promise<string> {
    const agreement = this.#agreements.get(agreementId);
    const { providers, faults, timers, events } = this.#parts;
    const { name, latencyMs } = agreement.provider;
    if (agreement.state !== 'Approved')
      throw badRequest(`agreement ${agreementId} is ${agreement.state}, not Approved`);
    providers.assertPresent(name);
    if (faults.take('fail-activity', { provider: name }) !== undefined) {
      throw new Problem(500, `provider ${name} could not create an activity`);
    }
    await timers.pause(latencyMs);
    const activity = new Activity(agreement, this.#parts);
    this.#activities.set(activity.id, activity);
    this.#forgetOldest();
    events.emit('/activities', 'activity-created', { activityId: activity.id, agreementId }, name);
    for (const listener of this.#created) listener(activity);
    void activity.over.then(() => {
      for (const listener of this.#gone) listener(activity);
    });
    return activity.id;
  }

  async destroy(id: string): Promise<void> {
    await this.reach(id).end('it was destroyed by the requestor');
  }

  async close(): Promise<void> {
    await Promise.all(this.list().map((activity) => activity.end('the node was closed')));
  }

  #forgetOldest(): void {
    if (this.#activities.size <= mostEnded) return;
    const oldest = this.list().find(({ state }) => state === 'Terminated');
    if (oldest !== undefined) this.#activities.delete(oldest.id);
  }
}
