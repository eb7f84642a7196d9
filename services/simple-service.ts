import { arg, MeshError, serviceMain } from 'furrow';
import type { GolemEvent } from 'furrow/golem';
import { deploy } from './simple-service/deployment.js';
import { Desk } from './simple-service/desk.js';
import { golemMessage } from './simple-service/golem-message.js';
import { golemPlace } from './simple-service/golem-place.js';
import { Seat } from './simple-service/seat.js';
import type { Requested, SimpleServiceParams } from './simple-service/simple-service.js';

const plotKinds: readonly string[] = ['', 'time', 'dist'];
/** More would be too large for one message of a farm-ng program. */
const mostRows = 10_000;

/*
 * A simple service on Golem as a service of the mesh. It deploys one instance on a provider and publishes what that
 * observes on /sample, as an agent does. When the provider vanishes it stays, says so on /lifecycle and deploys again.
 */
await serviceMain({
  args: {
    rate: arg.number({ min: 0.001, max: 1000, default: 1, unit: 'Hz', description: 'observations a second' }),
    sample_s: arg.number({ min: 2, default: 2, unit: 's', description: 'between two questions for observations' }),
    stats_s: arg.number({ min: 1, default: 10, unit: 's', description: 'between two statistics' }),
    plot_s: arg.number({ min: 0, default: 60, unit: 's', description: 'between two plots; 0 is only when asked' }),
    redeploy: arg.boolean({ default: true, description: 'deploy again when a provider fails' }),
    budget: arg.number({ min: 0, default: 1, unit: 'GLM', description: 'most that one deployment may cost' }),
    image: arg.string({ default: 'furrow/simple-service:latest', description: 'tag, or hash, of the image' }),
    node: arg.string({ default: 'golem-node', description: 'the local node, where YAGNA_APPKEY is not set' }),
    subnet: arg.string({ optional: true, description: 'only providers of this subnet' }),
    driver: arg.string({ optional: true, description: 'payment driver' }),
    network: arg.string({ optional: true, description: 'payment network' }),
  },

  async run({ service, mesh, config, args, logger, signal }) {
    const desk = new Desk<Requested>();
    let residual = Number.POSITIVE_INFINITY;
    let state = '';
    const publish = (path: string, message: unknown): Promise<unknown> =>
      service.publish(path, message).catch((error: MeshError) => logger.error(error.message));
    const lifecycle = (change: { state: string; provider?: string; reason: string; instance_id?: string }): void => {
      const { provider = '', instance_id = '', reason } = change;
      logger.info([change.state, provider, reason].filter(Boolean).join(': '));
      void publish('/lifecycle', { ...change, previous: state, provider, instance_id, time: new Date() });
      state = change.state;
    };
    const onEvent = (event: GolemEvent): void => {
      if (event.type === 'ServiceStateChanged') {
        const { provider, why = '', instanceId } = event;
        lifecycle({ state: event.state, provider: provider?.name ?? '', reason: why, instance_id: instanceId });
        return;
      }
      const message = golemMessage(event);
      if (message !== undefined) void publish('/golem', message);
    };
    const params: SimpleServiceParams = {
      instanceName: config.name,
      desk,
      rateHz: args.rate,
      sampleMs: args.sample_s * 1000,
      statsMs: args.stats_s * 1000,
      plotMs: args.plot_s === 0 ? Number.POSITIVE_INFINITY : args.plot_s * 1000,
      redeploys: args.redeploy,
      wantsSamples: () => residual > 0,
      onObservation: ({ val }) => publish('/sample', { sample: val, task_id: 0 }),
      onStatistics: (statistics) => publish('/stats', statistics),
      onPlot: (plot) => publish('/plot', plot),
      onTrouble: (message) => logger.warn(message),
    };
    const { image, subnet: subnetTag, driver: paymentDriver, network: paymentNetwork } = args;
    const options = { budget: String(args.budget), image, subnetTag, paymentDriver, paymentNetwork, onEvent, logger };
    const seat = new Seat({
      place$: golemPlace(mesh, args.node, config.name),
      deploy: (place, end) => {
        lifecycle({ state: 'pending', reason: 'looking for a provider' });
        return deploy(place, params, { ...options, signal: end });
      },
      onIdle: (idle, reason) => lifecycle({ state: idle, reason }),
      redeploys: args.redeploy,
      logger,
      signal,
    });

    service.onRequest('/add', async (value: number) => {
      if (!Number.isFinite(value)) throw new MeshError('invalid-argument', `/add takes a finite number, not ${value}`);
      await desk.ask((instance) => instance.add(value));
    });
    service.onRequest('/stats', () => desk.ask((instance) => instance.statistics()));
    service.onRequest('/dump', async ({ since, limit }: { since: number; limit: number }) => {
      const rows = await desk.ask((instance) => instance.dump(since));
      return { observations: rows.slice(0, Math.min(limit || mostRows, mostRows)) };
    });
    service.onRequest('/plot', async ({ kind }: { kind: string }) => {
      if (!plotKinds.includes(kind)) throw new MeshError('invalid-argument', `/plot takes time or dist, not "${kind}"`);
      const plot = await desk.ask((instance) => instance.plot(kind || 'time'));
      await publish('/plot', plot);
      return plot;
    });
    service.onRequest('/stop', () => seat.stop());
    service.onRequest('/restart', () => seat.restart());
    service.onRequest('/update_residual', (value: number) => {
      if (value > 0 !== residual > 0) logger.info(value > 0 ? 'goes on' : 'paused: nothing remains');
      residual = value;
      desk.wake();
    });
    await service.start();
    await seat.run();
  },
});
