import { arg, serviceMain } from 'furrow';
import { FoxgloveServer } from 'furrow/foxglove';

/*
 * Shows the mesh it belongs to live in Foxglove: viewers connect to `port`, which is not the service's own. Answers
 * /status with how it and its viewers are.
 */
await serviceMain({
  args: {
    port: arg.integer({ min: 0, max: 65535, default: 8765, description: 'where viewers connect' }),
    host: arg.string({
      default: '127.0.0.1',
      description: 'address to listen on; others than loopback let anybody in',
    }),
    paths: arg.string({ default: '*', description: 'SERVICE/path patterns, separated by commas' }),
    origins: arg.string({ default: '', description: 'web sites whose pages may connect, separated by commas' }),
    max_viewers: arg.integer({ min: 1, max: 1000, default: 16, description: 'viewers at a time' }),
  },

  async run({ service, mesh, args, logger, print, signal }) {
    const { port, host, max_viewers: maxViewers } = args;
    const [paths = [], origins = []] = [args.paths, args.origins].map((text) => text.split(',').filter(Boolean));
    const server = await FoxgloveServer.start(mesh, {
      host,
      port,
      paths,
      origins,
      maxViewers,
      registry: service.registry,
      logger,
    });
    try {
      print(`Foxglove WebSocket: ${server.url}`);
      service.onRequest('/status', () => server.status, { reply: 'google.protobuf.Struct' });
      await service.start();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } finally {
      await server.close();
    }
  },
});
