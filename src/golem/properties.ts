/** Properties of a demand or an offer, flat, by golem's keys: `golem.node.id.name`. */
export type Properties = Readonly<Record<string, unknown>>;

/** What a demand asks: own properties, and a constraint expression over the offer's. */
export interface DemandSpec {
  readonly properties: Properties;
  readonly constraints: string;
}
