import { parseConstraint } from './constraints.js';
import type { NodeEvents } from './node-events.js';
import { badRequest, notFound, unreachable } from './problem.js';
import { type Provider, type ProviderConfig, provider } from './providers.js';

interface Member {
  readonly provider: Provider;
  agreements: number;
  present: boolean;
}

type Listener = (provider: Provider) => void;

/** The providers with what changes about them: how busy they are and whether they are there at all. */
export class ProviderPool {
  readonly #members: Map<string, Member>;
  readonly #events: NodeEvents;
  readonly #vanished: Listener[] = [];
  readonly #available: Listener[] = [];

  constructor(configs: readonly ProviderConfig[], events: NodeEvents) {
    for (const config of configs) assertSound(config, configs);
    this.#members = new Map(
      configs.map((config) => [config.name, { provider: provider(config), agreements: 0, present: true }]),
    );
    this.#events = events;
  }

  list(): { provider: Provider; agreements: number; present: boolean }[] {
    return [...this.#members.values()].map((member) => ({ ...member }));
  }

  /** Calls back when a provider is gone. */
  onVanish(listener: Listener): void {
    this.#vanished.push(listener);
  }

  /** Calls back when a provider can take an agreement again. */
  onAvailable(listener: Listener): void {
    this.#available.push(listener);
  }

  isPresent(name: string): boolean {
    return this.#member(name).present;
  }

  hasRoom(name: string): boolean {
    const { present, agreements, provider } = this.#member(name);
    return present && agreements < provider.maxAgreements;
  }

  /** Throws what the daemon says about a provider that does not answer. */
  assertPresent(name: string): void {
    if (!this.isPresent(name)) throw unreachable(name);
  }

  take(name: string): void {
    this.#member(name).agreements += 1;
  }

  giveBack(name: string): void {
    const member = this.#member(name);
    member.agreements -= 1;
    if (member.present) for (const listener of this.#available) listener(member.provider);
  }

  /** The provider is gone at once: its machines, its offers, its answers. */
  vanish(name: string): void {
    const member = this.#member(name);
    if (!member.present) return;
    member.present = false;
    this.#events.emit('/market', 'provider-vanished', {}, name);
    for (const listener of this.#vanished) listener(member.provider);
  }

  /** A vanished provider offers again; what it ran before is lost. */
  comeBack(name: string): void {
    const member = this.#member(name);
    if (member.present) return;
    member.present = true;
    this.#events.emit('/market', 'provider-returned', {}, name);
    for (const listener of this.#available) listener(member.provider);
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw notFound('provider', name);
    return member;
  }
}

function assertSound(config: ProviderConfig, all: readonly ProviderConfig[]): void {
  const { name } = config;
  if (typeof name !== 'string' || name === '') throw badRequest('every provider needs a name');
  if (all.filter((other) => other.name === name).length > 1) throw badRequest(`two providers are called "${name}"`);
  for (const [key, value] of Object.entries(config)) {
    if (typeof value === 'number' && !(Number.isFinite(value) && value >= 0)) {
      throw badRequest(`provider "${name}": ${key} must be 0 or more, not ${value}`);
    }
  }
  parseConstraint(config.constraints ?? '');
}
