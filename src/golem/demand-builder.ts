import { formatConstraint, parseConstraint } from './constraint.js';
import type { DemandSpec, Properties } from './properties.js';
import type { ModelInstance } from './property-model.js';

/** Gathers the properties and constraints of a demand from models, payload and strategy. */
export class DemandBuilder {
  readonly #properties: Record<string, unknown> = {};
  readonly #constraints: string[] = [];

  get properties(): Properties {
    return this.#properties;
  }

  /** All constraints as one expression; `(&)` when there are none. */
  get constraints(): string {
    if (this.#constraints.length === 1) return this.#constraints[0] as string;
    return `(&${this.#constraints.join('')})`;
  }

  /** Adds the properties of a model: `add(NodeInfo.of({ name: 'a node' }))`. Later ones win. */
  add(model: ModelInstance): this {
    Object.assign(this.#properties, model.properties);
    return this;
  }

  /** Adds one property by its key. */
  set(key: string, value: unknown): this {
    this.#properties[key] = value;
    return this;
  }

  /** Adds a constraint: `ensure('(golem.inf.mem.gib>=0.5)')`. Errors: `invalid-argument` when it cannot be read. */
  ensure(constraint: string): this {
    const normal = formatConstraint(parseConstraint(constraint));
    if (normal !== '(&)' && !this.#constraints.includes(normal)) this.#constraints.push(normal);
    return this;
  }

  build(): DemandSpec {
    return { properties: { ...this.#properties }, constraints: this.constraints };
  }

  toString(): string {
    return JSON.stringify(this.build());
  }
}
