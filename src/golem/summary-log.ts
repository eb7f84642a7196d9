import { type Amount, formatAmount, parseAmount } from './amount.js';
import type { LineWriter } from './event-log.js';
import type { EventConsumer, GolemEvent } from './events.js';

interface Tally {
  readonly name: string;
  agreements: number;
  activities: number;
  scripts: number;
  failures: number;
  cost: Map<string, Amount>;
}

/** What one consumer of events has seen so far. */
export interface Summary {
  readonly offers: number;
  readonly confirmedAgreements: number;
  readonly rejectedAgreements: number;
  readonly providers: readonly {
    readonly name: string;
    readonly agreements: number;
    readonly scripts: number;
    readonly failures: number;
    /** Accepted invoices, GLM. */
    readonly cost: string;
  }[];
  readonly totalCost: string;
}

/** Adds events up to a summary, and says in a line what changes the picture. */
export class SummaryLogger {
  readonly #write: LineWriter;
  readonly #wrapped: EventConsumer | undefined;
  readonly #providers = new Map<string, Tally>();
  #offers = 0;
  #confirmed = 0;
  #rejected = 0;

  constructor(options: { readonly wrapped?: EventConsumer | undefined; readonly write?: LineWriter | undefined } = {}) {
    this.#wrapped = options.wrapped;
    this.#write = options.write ?? ((line) => void process.stderr.write(`${line}\n`));
  }

  /** Takes an event; the wrapped consumer gets it first. */
  log(event: GolemEvent): void {
    this.#wrapped?.(event);
    switch (event.type) {
      case 'ProposalReceived':
        this.#offers += 1;
        break;
      case 'NoProposalsConfirmed':
        this.#write(
          `No provider could be found for ${Math.round(event.waitedMs / 1000)} s; ${event.offers} offers seen`,
        );
        break;
      case 'AgreementConfirmed':
        this.#confirmed += 1;
        this.#tally(event).agreements += 1;
        this.#write(`Agreement confirmed by provider ${event.provider.name}`);
        break;
      case 'AgreementRejected':
        this.#rejected += 1;
        this.#write(`Agreement rejected by provider ${event.provider.name}: ${event.reason}`);
        break;
      case 'AgreementTerminated':
        if (event.by === 'provider')
          this.#write(`Provider ${event.provider.name} ended its agreement: ${event.reason}`);
        break;
      case 'ActivityCreated':
        this.#tally(event).activities += 1;
        break;
      case 'ScriptFinished':
        this.#tally(event)[event.error ? 'failures' : 'scripts'] += 1;
        break;
      case 'InvoiceAccepted':
        this.#tally(event).cost.set(event.agreementId, parseAmount(event.amount));
        this.#write(`Invoice of ${event.amount} GLM by provider ${event.provider.name} accepted`);
        break;
      case 'PaymentFailed':
        this.#write(`Payment to provider ${event.provider.name} failed: ${event.error.message}`);
        break;
      case 'ServiceStateChanged':
        this.#write(`${event.instanceName} is ${event.state}${event.why ? `: ${event.why}` : ''}`);
        break;
      case 'ShutdownFinished':
        this.#write(event.error ? `Shutdown failed: ${event.error.message}` : 'Shutdown finished');
        for (const line of this.#lines()) this.#write(line);
        break;
    }
  }

  get summary(): Summary {
    let total = 0n;
    const providers = [...this.#providers.values()].map(({ name, agreements, scripts, failures, cost }) => {
      const sum = [...cost.values()].reduce((all, one) => all + one, 0n);
      total += sum;
      return { name, agreements, scripts, failures, cost: formatAmount(sum) };
    });
    return {
      offers: this.#offers,
      confirmedAgreements: this.#confirmed,
      rejectedAgreements: this.#rejected,
      providers,
      totalCost: formatAmount(total),
    };
  }

  #lines(): string[] {
    const { providers, totalCost, confirmedAgreements } = this.summary;
    const each = providers.map(
      ({ name, agreements, scripts, failures, cost }) =>
        `  ${name}: ${agreements} agreements, ${scripts} scripts, ${failures} failed, ${cost} GLM`,
    );
    return [`${confirmedAgreements} agreements with ${providers.length} providers, ${totalCost} GLM`, ...each];
  }

  #tally({ provider }: { readonly provider: { readonly id: string; readonly name: string } }): Tally {
    const { id, name } = provider;
    const found = this.#providers.get(id) ?? {
      name,
      agreements: 0,
      activities: 0,
      scripts: 0,
      failures: 0,
      cost: new Map<string, Amount>(),
    };
    this.#providers.set(id, found);
    return found;
  }
}

/** An event consumer that writes a summary; `wrapped` gets each event first: `logSummary(logEventRepr)`. */
export function logSummary(wrapped?: EventConsumer, options: { readonly write?: LineWriter } = {}): EventConsumer {
  const logger = new SummaryLogger({ wrapped, ...options });
  return (event) => logger.log(event);
}
