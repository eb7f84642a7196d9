import { arg, MeshError, serviceMain } from 'furrow';

const removalPeriodMs = 100;

/*
 * The storage: takes a unit at each /update_storage while there is room and replies what remains; removes units in
 * batches; publishes what remains on /residual at every change, so that whoever was told 0 hears of room again.
 */
await serviceMain({
  args: {
    max_storage: arg.integer({ min: 1, max: 2 ** 31 - 1, description: 'units it can hold' }),
    batch_size: arg.integer({ min: 1, description: 'units removed at a time' }),
  },

  async run({ service, config, meshConfig, args, logger, signal }) {
    const { max_storage: maxStorage, batch_size: batchSize } = args;
    if (batchSize > maxStorage) {
      throw new MeshError(
        'invalid-argument',
        `${meshConfig.file}: ${config.name}: arg batch_size=${batchSize} is above max_storage=${maxStorage}, so nothing would ever be removed; ` +
          'make it smaller',
      );
    }
    let stored = 0;
    let refused = 0;

    const publishResidual = (): void => {
      service.publish('/residual', maxStorage - stored).catch((error: MeshError) => {
        if (!signal.aborted) logger.error(error.message);
      });
    };

    service.onRequest('/update_storage', () => {
      if (stored === maxStorage) {
        refused += 1;
        logger.info(`Storage: full at ${stored}/${maxStorage}, ${refused} refused so far`);
        return 0;
      }
      stored += 1;
      logger.info(`Storage: ${stored}/${maxStorage} (${maxStorage - stored} remaining)`);
      publishResidual();
      return maxStorage - stored;
    });
    await service.start();
    publishResidual();

    const removal = setInterval(() => {
      if (stored < batchSize) return;
      stored -= batchSize;
      logger.info(`Removed from storage: ${batchSize}/${maxStorage}`);
      publishResidual();
    }, removalPeriodMs);
    signal.addEventListener('abort', () => clearInterval(removal), { once: true });
  },
});
