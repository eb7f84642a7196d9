import { MeshError } from '../base/errors.js';
import type { Network } from './network.js';

export interface InstanceCounts<P> {
  readonly numInstances?: number | undefined;
  readonly instanceParams?: Iterable<P> | undefined;
  readonly network?: Network | undefined;
  readonly networkAddresses?: readonly string[] | undefined;
}

/** One instance to start. */
export interface InstancePlan<P> {
  readonly params: P | undefined;
  /** Absent: the next free one. */
  readonly address?: string | undefined;
}

export interface InstancePlans<P> {
  readonly plans: readonly InstancePlan<P>[];
  /** Fewer parameters than instances: how many instances cannot be started. */
  readonly missing: number;
}

/** A list of parameters without a count must end. */
const mostInstances = 10_000;

/**
 * How many instances are to start, and with what: by count alone, by parameters alone (their number and order), or
 * by both: the count holds, and fewer parameters than that are `missing`. Neither means one instance.
 * Errors: `invalid-argument` for a count that is none, and for addresses without a network or outside it.
 */
export function planInstances<P>(counts: InstanceCounts<P>): InstancePlans<P> {
  const { numInstances, instanceParams, network, networkAddresses = [] } = counts;
  if (numInstances !== undefined && (!Number.isInteger(numInstances) || numInstances < 0)) {
    throw new MeshError('invalid-argument', `numInstances is ${numInstances}; expected a whole number of 0 or more`);
  }
  if (networkAddresses.length > 0 && !network) {
    throw new MeshError('invalid-argument', 'networkAddresses need a network; create one by golem.createNetwork');
  }
  for (const address of networkAddresses) network?.check(address);

  const wanted = numInstances ?? (instanceParams ? mostInstances : 1);
  const params = instanceParams ? takeFirst(instanceParams, wanted + (numInstances === undefined ? 1 : 0)) : undefined;
  if (params && numInstances === undefined && params.length > mostInstances) {
    throw new MeshError(
      'invalid-argument',
      `instanceParams gives more than ${mostInstances}; give numInstances with an endless iterable`,
    );
  }
  const available = params?.length ?? wanted;
  const plans = Array.from({ length: available }, (_, i) => ({ params: params?.[i], address: networkAddresses[i] }));
  return { plans, missing: numInstances === undefined ? 0 : numInstances - available };
}

function takeFirst<P>(items: Iterable<P>, most: number): P[] {
  const taken: P[] = [];
  if (most === 0) return taken;
  for (const item of items) {
    taken.push(item);
    // Leaving here, not at the next turn: an endless iterable must not be asked for one more.
    if (taken.length >= most) break;
  }
  return taken;
}
