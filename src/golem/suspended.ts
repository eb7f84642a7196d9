import { z } from 'zod';
import { MeshError } from '../base/errors.js';
import type { BufferedAgreement } from './agreements-pool.js';
import type { GolemDaemon } from './daemon.js';
import { activeStates } from './life-cycle.js';
import { providerName } from './offer.js';

const suspendedSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** The state it was suspended in. */
  phase: z.enum(activeStates),
  agreementId: z.string(),
  activityId: z.string(),
  address: z.string().optional(),
});

/** What is needed to go on with a suspended instance. Plain data, to be kept as JSON. */
export type SuspendedInstance = z.infer<typeof suspendedSchema>;

export interface FoundInstance {
  readonly instance: SuspendedInstance;
  readonly agreement: Omit<BufferedAgreement, 'terminated'>;
}

/**
 * Reads suspended instances and looks up their agreements. Errors: `invalid-argument` for data that is none,
 * `failed-precondition` when an agreement is over.
 */
export async function findSuspended(
  daemon: GolemDaemon,
  suspended: readonly SuspendedInstance[],
): Promise<readonly FoundInstance[]> {
  return Promise.all(
    suspended.map(async (data, i) => {
      const { data: instance, error } = suspendedSchema.safeParse(data);
      if (!instance) {
        throw new MeshError('invalid-argument', `Suspended instance ${i} is none: ${z.prettifyError(error)}`);
      }
      const record = await daemon.market.agreement(instance.agreementId);
      const { agreementId, providerId, state, offer } = record;
      if (state !== 'Approved') throw new MeshError('failed-precondition', `Agreement ${agreementId} is ${state}`);
      const provider = { id: providerId, name: providerName(offer.properties, providerId) };
      return { instance, agreement: { agreementId, provider, record } };
    }),
  );
}
