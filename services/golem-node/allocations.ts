import { type Amount, formatAmount, parseAmount } from './amount.js';
import { newId } from './ids.js';
import type { NodeEvents } from './node-events.js';
import { badRequest, notFound } from './problem.js';
import { microsecondsOf, type Stamps } from './stamps.js';
import type { Timers } from './timers.js';

interface Allocation {
  readonly id: string;
  readonly platform: string;
  readonly address: string;
  readonly timestamp: string;
  readonly timeout: string | undefined;
  readonly total: Amount;
  spent: Amount;
  readonly cancelTimer: () => void;
}

export interface AllocationParts {
  readonly identity: string;
  readonly platforms: readonly string[];
  readonly funds: Amount;
  readonly events: NodeEvents;
  readonly stamps: Stamps;
  readonly timers: Timers;
}

/** Money set aside for payments, out of the funds of the node. */
export class Allocations {
  readonly #parts: AllocationParts;
  readonly #allocations = new Map<string, Allocation>();
  #spent: Amount = 0n;

  constructor(parts: AllocationParts) {
    this.#parts = parts;
  }

  create(request: Readonly<Record<string, unknown>>): object {
    const { identity, platforms, stamps, timers } = this.#parts;
    const total = parseAmount(String(request.totalAmount ?? ''));
    if (total === undefined) throw badRequest(`totalAmount ${JSON.stringify(request.totalAmount)} is no amount`);
    const platform = String(request.paymentPlatform ?? platforms[0]);
    if (!platforms.includes(platform)) {
      throw badRequest(
        `no payment account for platform ${JSON.stringify(platform)}; there are ${platforms.join(', ')}`,
      );
    }
    if (total > this.available) {
      throw badRequest(`${formatAmount(total)} GLM were asked for, but ${formatAmount(this.available)} are left`);
    }
    const timeout = request.timeout === undefined ? undefined : String(request.timeout);
    const endsUs = timeout === undefined ? undefined : microsecondsOf(timeout);
    if (timeout !== undefined && endsUs === undefined)
      throw badRequest(`timeout ${JSON.stringify(timeout)} is no time`);
    const id = newId();
    const cancelTimer =
      endsUs === undefined
        ? () => {}
        : timers.after(Number(endsUs / 1000n) - Date.now(), () => this.#drop(id, 'allocation-expired'));
    const allocation: Allocation = {
      id,
      platform,
      address: String(request.address ?? identity),
      timestamp: stamps.next(),
      timeout,
      total,
      spent: 0n,
      cancelTimer,
    };
    this.#allocations.set(id, allocation);
    this.#tell('allocation-created', { allocationId: id, amount: formatAmount(total), platform });
    return this.#view(allocation);
  }

  list(): object[] {
    return [...this.#allocations.values()].map((allocation) => this.#view(allocation));
  }

  get(id: string): object {
    return this.#view(this.#find(id));
  }

  release(id: string): void {
    this.#find(id);
    this.#drop(id, 'allocation-released');
  }

  /** Funds that are neither spent nor set aside. */
  get available(): Amount {
    const aside = [...this.#allocations.values()].reduce((sum, { total, spent }) => sum + total - spent, 0n);
    return this.#parts.funds - this.#spent - aside;
  }

  /** Takes an accepted amount out of the allocation. Throws a 400 when it holds less. */
  spend(id: string, amount: Amount): void {
    const allocation = this.#find(id);
    const left = allocation.total - allocation.spent;
    if (amount > left) {
      throw badRequest(`allocation ${id} has ${formatAmount(left)} GLM left, not ${formatAmount(amount)}`);
    }
    allocation.spent += amount;
    this.#spent += amount;
  }

  /** What a demand says so that providers know how they will be paid. */
  decorations(ids: readonly string[]): object {
    const platforms = new Map(ids.map((id) => this.#find(id)).map(({ platform, address }) => [platform, address]));
    const prefix = 'golem.com.payment.platform.';
    return {
      properties: [
        { key: 'golem.com.payment.protocol.version', value: '2' },
        ...[...platforms].map(([name, address]) => ({ key: `${prefix}${name}.address`, value: address })),
      ],
      constraints: [...platforms.keys()].map((name) => `(${prefix}${name}.address=*)`),
    };
  }

  #drop(id: string, kind: string): void {
    const allocation = this.#allocations.get(id);
    if (allocation === undefined) return;
    allocation.cancelTimer();
    this.#allocations.delete(id);
    this.#tell(kind, { allocationId: id, spent: formatAmount(allocation.spent) });
  }

  #find(id: string): Allocation {
    const allocation = this.#allocations.get(id);
    if (allocation === undefined) throw notFound('allocation', id);
    return allocation;
  }

  #view({ id, address, platform, total, spent, timestamp, timeout }: Allocation): object {
    return {
      allocationId: id,
      address,
      paymentPlatform: platform,
      totalAmount: formatAmount(total),
      spentAmount: formatAmount(spent),
      remainingAmount: formatAmount(total - spent),
      timestamp,
      timeout,
      makeDeposit: false,
    };
  }

  #tell(kind: string, details: Record<string, unknown>): void {
    this.#parts.events.emit('/payments', kind, details);
  }
}
