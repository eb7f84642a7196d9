import { type Constraint, type Properties, parseConstraint } from './constraints.js';
import type { Faults } from './faults.js';
import { newId } from './ids.js';
import type { NodeEvents } from './node-events.js';
import { Notifier } from './notifier.js';
import { badRequest, gone, notFound } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { offerProperties, type Provider } from './providers.js';
import type { Stamps } from './stamps.js';
import type { Timers } from './timers.js';

export interface Terms {
  readonly properties: Properties;
  readonly constraints: string;
}

/** One step of a negotiation, by either side. */
export interface Proposal extends Terms {
  readonly proposalId: string;
  readonly issuerId: string;
  readonly state: 'Initial' | 'Draft' | 'Rejected' | 'Accepted';
  readonly timestamp: string;
  readonly prevProposalId?: string;
}

interface Demand extends Terms {
  readonly id: string;
  readonly timestamp: string;
  readonly matches: Constraint;
  readonly proposals: Map<string, { proposal: Proposal; provider: Provider }>;
  /** Providers that a negotiation goes on with, or that the requestor turned down. */
  readonly engaged: Set<string>;
  readonly events: object[];
  readonly notifier: Notifier;
}

/** What an agreement is made from. */
export interface Bargain {
  readonly provider: Provider;
  readonly demand: Terms & { readonly demandId: string; readonly timestamp: string };
  readonly offer: Terms & { readonly offerId: string; readonly timestamp: string };
}

export interface MarketParts {
  readonly identity: string;
  readonly platforms: readonly string[];
  readonly providers: ProviderPool;
  readonly faults: Faults;
  readonly events: NodeEvents;
  readonly stamps: Stamps;
  readonly timers: Timers;
}

const mostDemands = 1000;
const mostProposals = 10_000;

/** Demands of the requestor, matched with the offers of the providers, and the negotiations between them. */
export class Market {
  readonly #parts: MarketParts;
  readonly #demands = new Map<string, Demand>();

  constructor(parts: MarketParts) {
    this.#parts = parts;
    parts.providers.onAvailable((provider) => this.reoffer(provider));
    parts.providers.onVanish(({ name }) => {
      for (const { engaged } of this.#demands.values()) engaged.delete(name);
    });
  }

  /** Ids of the demands, with their terms. */
  list(): { demandId: string; requestorId: string; timestamp: string; properties: Properties; constraints: string }[] {
    return [...this.#demands.values()].map(({ id, timestamp, properties, constraints }) => ({
      demandId: id,
      requestorId: this.#parts.identity,
      timestamp,
      properties,
      constraints,
    }));
  }

  subscribe({ properties, constraints }: Terms): string {
    if (this.#demands.size >= mostDemands) throw badRequest(`more than ${mostDemands} demands are open`);
    const demand: Demand = {
      id: newId(),
      timestamp: this.#parts.stamps.next(),
      properties,
      constraints,
      matches: parseConstraint(constraints),
      proposals: new Map(),
      engaged: new Set(),
      events: [],
      notifier: new Notifier(),
    };
    this.#demands.set(demand.id, demand);
    const expiration = Number(properties['golem.srv.comp.expiration']);
    if (Number.isFinite(expiration)) {
      this.#parts.timers.after(expiration - Date.now(), () => {
        if (this.#demands.has(demand.id)) this.unsubscribe(demand.id);
      });
    }
    this.#parts.events.emit('/market', 'demand-subscribed', { demandId: demand.id, constraints });
    for (const { provider } of this.#parts.providers.list()) this.#offer(demand, provider);
    return demand.id;
  }

  unsubscribe(id: string): void {
    const demand = this.#demand(id);
    this.#demands.delete(id);
    demand.notifier.close();
    this.#parts.events.emit('/market', 'demand-unsubscribed', { demandId: id });
  }

  /** Events since the last call, at least one of them unless the time is up. A 404 when the demand is no more. */
  async collect(id: string, limits: { timeoutMs: number; maxEvents: number; signal: AbortSignal }): Promise<object[]> {
    const demand = this.#demand(id);
    const any = () => (demand.events.length > 0 ? true : undefined);
    await demand.notifier.until(any, limits.timeoutMs, limits.signal);
    if (!this.#demands.has(id)) throw notFound('demand', id);
    // Nothing is taken for a client that went away meanwhile.
    return limits.signal.aborted ? [] : demand.events.splice(0, limits.maxEvents);
  }

  proposal(demandId: string, proposalId: string): Proposal {
    return this.#step(this.#demand(demandId), proposalId).proposal;
  }

  /** The requestor answers a proposal with terms of its own. Gives back the id of that answer. */
  counter(demandId: string, proposalId: string, terms: Terms): string {
    const demand = this.#demand(demandId);
    const { proposal, provider } = this.#step(demand, proposalId);
    if (proposal.issuerId !== provider.id) throw badRequest(`proposal ${proposalId} is the requestor's own`);
    if (proposal.state === 'Rejected') throw gone(`proposal ${proposalId} was rejected`);
    this.#parts.providers.assertPresent(provider.name);
    const answer = this.#add(demand, provider, {
      ...terms,
      issuerId: this.#parts.identity,
      state: 'Draft',
      prevProposalId: proposalId,
    });
    this.#parts.timers.after(provider.negotiationMs, () => this.#respond(demand, provider, answer));
    return answer.proposalId;
  }

  reject(demandId: string, proposalId: string, reason: string): void {
    const demand = this.#demand(demandId);
    const { proposal, provider } = this.#step(demand, proposalId);
    demand.proposals.set(proposalId, { provider, proposal: { ...proposal, state: 'Rejected' } });
    this.#parts.events.emit(
      '/market',
      'proposal-rejected',
      { demandId, proposalId, by: 'requestor', reason },
      provider.name,
    );
  }

  /** Turns a provider's draft into the terms of an agreement. The provider may then offer anew. */
  promote(proposalId: string): Bargain {
    for (const demand of this.#demands.values()) {
      const found = demand.proposals.get(proposalId);
      if (found === undefined) continue;
      const { proposal, provider } = found;
      const asked = demand.proposals.get(proposal.prevProposalId ?? '')?.proposal;
      if (proposal.state !== 'Draft' || proposal.issuerId !== provider.id || asked === undefined) {
        throw badRequest(`proposal ${proposalId} is ${proposal.state}; only a provider's draft becomes an agreement`);
      }
      demand.proposals.set(proposalId, { provider, proposal: { ...proposal, state: 'Accepted' } });
      demand.engaged.delete(provider.name);
      return {
        provider,
        demand: { demandId: demand.id, timestamp: asked.timestamp, ...pickTerms(asked) },
        offer: { offerId: proposalId, timestamp: proposal.timestamp, ...pickTerms(proposal) },
      };
    }
    throw notFound('proposal', proposalId);
  }

  /** Lets the provider make new proposals where it is welcome: after it decided on an agreement, or has room again. */
  reoffer(provider: Provider): void {
    for (const demand of this.#demands.values()) this.#offer(demand, provider);
  }

  #offer(demand: Demand, provider: Provider): void {
    const { providers, platforms, timers } = this.#parts;
    if (demand.engaged.has(provider.name) || !providers.hasRoom(provider.name)) return;
    const properties = offerProperties(provider, demand.properties['golem.node.debug.subnet'], platforms);
    if (!demand.matches(properties) || !parseConstraint(provider.constraints)(demand.properties)) return;
    demand.engaged.add(provider.name);
    timers.after(provider.negotiationMs, () => {
      if (!this.#demands.has(demand.id) || !providers.isPresent(provider.name)) {
        demand.engaged.delete(provider.name);
        return;
      }
      const terms = { properties, constraints: provider.constraints };
      this.#send(demand, provider, this.#add(demand, provider, { ...terms, issuerId: provider.id, state: 'Initial' }));
    });
  }

  #respond(demand: Demand, provider: Provider, answer: Proposal): void {
    const { providers, faults, platforms } = this.#parts;
    if (!this.#demands.has(demand.id) || !providers.isPresent(provider.name)) return;
    const properties = offerProperties(provider, answer.properties['golem.node.debug.subnet'], platforms);
    const refusal = refusalOf(provider, answer, properties);
    if (refusal !== undefined || faults.take('reject-proposal', { provider: provider.name }) !== undefined) {
      this.#refuse(demand, provider, { proposalId: answer.proposalId, reason: refusal ?? 'not today' });
      return;
    }
    const draft = this.#add(demand, provider, {
      properties: { ...properties, ...negotiable(answer.properties) },
      constraints: provider.constraints,
      issuerId: provider.id,
      state: 'Draft',
      prevProposalId: answer.proposalId,
    });
    this.#send(demand, provider, draft);
  }

  #send(demand: Demand, provider: Provider, proposal: Proposal): void {
    const { proposalId, state } = proposal;
    this.#push(demand, { eventType: 'ProposalEvent', proposal });
    this.#parts.events.emit('/market', 'proposal-sent', { demandId: demand.id, proposalId, state }, provider.name);
  }

  #refuse(demand: Demand, provider: Provider, refusal: { proposalId: string; reason: string }): void {
    const { proposalId, reason } = refusal;
    this.#push(demand, { eventType: 'ProposalRejectedEvent', proposalId, reason: { message: reason } });
    const details = { demandId: demand.id, proposalId, by: 'provider', reason };
    this.#parts.events.emit('/market', 'proposal-rejected', details, provider.name);
  }

  #push(demand: Demand, event: object): void {
    demand.events.push({ ...event, eventDate: this.#parts.stamps.next() });
    demand.notifier.notify();
  }

  #add(demand: Demand, provider: Provider, step: Omit<Proposal, 'proposalId' | 'timestamp'>): Proposal {
    const proposal = { proposalId: newId(), timestamp: this.#parts.stamps.next(), ...step };
    demand.proposals.set(proposal.proposalId, { proposal, provider });
    // A demand that lives for weeks must not remember every negotiation.
    if (demand.proposals.size > mostProposals) demand.proposals.delete(demand.proposals.keys().next().value!);
    return proposal;
  }

  #demand(id: string): Demand {
    const demand = this.#demands.get(id);
    if (demand === undefined) throw notFound('demand', id);
    return demand;
  }

  #step(demand: Demand, id: string): { proposal: Proposal; provider: Provider } {
    const step = demand.proposals.get(id);
    if (step === undefined) throw notFound('proposal', id);
    return step;
  }

  close(): void {
    for (const { notifier } of this.#demands.values()) notifier.close();
    this.#demands.clear();
  }
}

function pickTerms({ properties, constraints }: Terms): Terms {
  return { properties, constraints };
}

function refusalOf(provider: Provider, answer: Terms, offered: Properties): string | undefined {
  if (!parseConstraint(answer.constraints)(offered)) return 'the offer does not satisfy the constraints';
  if (!parseConstraint(provider.constraints)(answer.properties)) return 'the demand does not satisfy the constraints';
  return undefined;
}

/** Properties that end in `?` are open to negotiation; the provider takes them as they are asked for. */
function negotiable(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([key]) => key.endsWith('?')));
}
