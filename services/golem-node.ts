import { arg, type MeshError, serviceMain } from 'furrow';
import { ConnectionFile } from './golem-node/connection-file.js';
import { readNodeOptions } from './golem-node/node-options.js';
import { startGolemNode } from './golem-node/start-golem-node.js';
import { simpleServiceImage } from './simple-service/local-image.js';

const kinds = {
  '/market': 'market',
  '/agreements': 'agreement',
  '/activities': 'activity',
  '/payments': 'payment',
} as const;

/*
 * The local node as a service of the mesh: a stand-in for a Golem daemon, whose providers run the simple service on
 * this machine. It publishes what happens on /market, /agreements, /activities and /payments. The proxies find it by
 * a file that it writes. With YAGNA_APPKEY set they talk to the real daemon, and the node stays idle.
 */
await serviceMain({
  args: {
    http_port: arg.integer({
      min: 0,
      max: 65_535,
      default: 0,
      description: 'port of its REST interface; 0 is any free one',
    }),
    folder: arg.string({ optional: true, description: 'where the folders of activities are made' }),
    isolation: arg.string({
      choices: ['namespaces', 'paths'],
      optional: true,
      description: 'the first where it works',
    }),
    options: arg.string({ optional: true, description: 'JSON file with providers, images, faults and limits' }),
  },

  async run({ service, config, args, logger, signal }) {
    if (process.env.YAGNA_APPKEY) {
      logger.info('idle: YAGNA_APPKEY is set, so services talk to the real daemon');
      await service.start();
      return;
    }
    const file = new ConnectionFile(config.port!);
    const given = args.options === undefined ? {} : readNodeOptions(args.options);
    const { http_port: port, folder, isolation } = args;
    const node = await startGolemNode({
      port,
      ...(folder === undefined ? {} : { folder }),
      ...(isolation === undefined ? {} : { isolation }),
      ...given,
      images: [simpleServiceImage(), ...(given.images ?? [])],
    });
    try {
      logger.info(`${node.url}: ${node.notice}`);
      node.events$.subscribe(({ topic, kind, atMs, provider = '', details }) => {
        // Details come from JSON bodies; whatever JSON cannot hold is left out.
        const event = {
          kind: kinds[topic],
          type: kind,
          provider,
          time: new Date(atMs),
          details: JSON.parse(JSON.stringify(details)) as object,
        };
        service.publish(topic, event).catch((error: MeshError) => {
          if (!signal.aborted) logger.error(error.message);
        });
      });
      // Before it answers: whoever meets the service finds the file of this start.
      file.write(node);
      await service.start();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    } finally {
      file.remove();
      await node.close();
    }
  },
});
