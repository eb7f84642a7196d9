import { type Logger, MeshError } from 'furrow';
import { Golem, type GolemEvent, type TerminationReason, vm } from 'furrow/golem';
import type { GolemPlace } from './golem-place.js';
import { SimpleService, type SimpleServiceParams } from './simple-service.js';

export interface DeploymentOptions {
  /** Most that this deployment may cost, GLM. */
  readonly budget: string;
  /** A tag, or the SHA3-224 of an image in hex. */
  readonly image: string;
  readonly subnetTag?: string | undefined;
  readonly paymentDriver?: string | undefined;
  readonly paymentNetwork?: string | undefined;
  readonly onEvent: (event: GolemEvent) => void;
  readonly logger: Logger;
  /** Ends it: the instance shuts down. */
  readonly signal: AbortSignal;
}

const minStorageGib = 1;
const healthCheck = { intervalMs: 2000 };

/** Together shorter than a stopping service is given. */
const shutdownMs = 3000;
const invoiceTimeoutMs = 1500;

/**
 * One instance of the simple service on Golem, over as many providers as it takes, from its allocation to its last
 * invoice. Resolves, when nothing is left of it, to why it ended; undefined when `signal` ended it.
 * Errors: what `Golem.open` and `runService` say.
 */
export async function deploy(
  place: GolemPlace,
  params: SimpleServiceParams,
  options: DeploymentOptions,
): Promise<TerminationReason | undefined> {
  const { budget, image, subnetTag, paymentDriver, paymentNetwork, onEvent, logger, signal } = options;
  const golem = await Golem.open({
    budget,
    subnetTag,
    paymentDriver,
    paymentNetwork,
    logger,
    invoiceTimeoutMs,
    yagna: { ...place.yagna, signal },
    stateDir: place.stateDir,
    eventConsumer: onEvent,
  });
  try {
    const registry = place.registryUrl === undefined ? {} : { registryUrl: place.registryUrl };
    const name = /^[0-9a-f]{56}$/i.test(image) ? { imageHash: image } : { imageTag: image };
    const cluster = await golem.runService(SimpleService, {
      instanceParams: [params],
      payload: vm.repo({ ...name, ...registry, minStorageGib }),
      healthCheck,
    });
    const ended = cluster.instances[0]!.ended;
    return await Promise.race([ended, aborted(signal)]);
  } finally {
    await golem
      .close({ timeoutMs: shutdownMs })
      .catch((error) => logger.warn(`closing: ${MeshError.from(error).message}`));
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}
