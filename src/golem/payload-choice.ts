import { isDeepStrictEqual } from 'node:util';
import { MeshError } from '../base/errors.js';
import { DemandBuilder } from './demand-builder.js';
import { isPayload, type Payload } from './payload.js';
import type { ServiceClass } from './service.js';

/**
 * The payload of a service: what its class gives, or what was given beside it.
 * Errors: `invalid-argument` when there is none, when it is none, or when both are there and ask for different things.
 */
export async function choosePayload(serviceClass: ServiceClass<never>, given: unknown): Promise<Payload> {
  const own: unknown = await serviceClass.getPayload();
  for (const [where, payload] of Object.entries({
    [`${serviceClass.name}.getPayload`]: own,
    'options.payload': given,
  })) {
    if (payload !== undefined && payload !== null && !isPayload(payload)) {
      throw new MeshError(
        'invalid-argument',
        `${where} gives no payload: it has no decorateDemand(demand); vm.repo makes one`,
      );
    }
  }
  if (isPayload(own) && isPayload(given) && own !== given) {
    const [one, other] = await Promise.all([own, given].map(demandOf));
    if (!isDeepStrictEqual(one, other)) {
      throw new MeshError(
        'invalid-argument',
        `options.payload and ${serviceClass.name}.getPayload ask for different things; give only one of them`,
      );
    }
  }
  const payload = own ?? given;
  if (isPayload(payload)) return payload;
  throw new MeshError(
    'invalid-argument',
    `${serviceClass.name}.getPayload gives no payload, and options.payload is missing`,
  );
}

async function demandOf(payload: Payload) {
  const builder = new DemandBuilder();
  await payload.decorateDemand(builder);
  return builder.build();
}
