import type { Agreements } from './agreements.js';
import { isRecord } from './exe-script.js';
import type { Fault, Faults } from './faults.js';
import type { Gsb } from './gsb.js';
import type { Images } from './images.js';
import type { Networks } from './networks.js';
import { badRequest, notFound } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { created, noContent, ok, type Route } from './router.js';

/** The lowest version of the daemon that the SDK takes is 0.15.2. */
const version = { version: '0.17.0', name: 'furrow local node', seen: true, releaseTs: '2025-01-01T00:00:00' };

/** Who the node is, and the registry's question which image has a tag. */
export function identityRoutes(parts: { identity: string; images: Images; url: () => string }): Route[] {
  return [
    { pattern: 'GET /version/get', open: true, handler: () => ok({ current: version }) },
    { pattern: 'GET /me', handler: () => ok({ identity: parts.identity, name: 'local-node', role: 'manager' }) },
    {
      pattern: 'GET /v1/image/info',
      open: true,
      handler: ({ query }) => {
        const tag = query.get('tag');
        const hash = query.get('hash');
        if (!tag && !hash) throw badRequest('image info needs a tag or a hash');
        const { hash: sha3 } = tag ? parts.images.byTag(tag) : parts.images.byHash(hash!);
        // There is nothing to fetch at this address; providers of this node never try.
        const address = `${parts.url()}/images/${sha3}.gvmi`;
        return ok({ sha3, http: address, https: address });
      },
    },
  ];
}

export function networkRoutes(networks: Networks): Route[] {
  const base = '/net-api/v1/net';
  return [
    { pattern: `GET ${base}`, handler: () => ok(networks.list()) },
    { pattern: `POST ${base}`, handler: ({ body }) => ok(networks.create(body)) },
    { pattern: `GET ${base}/:id`, handler: ({ params }) => ok(networks.get(params.id!)) },
    {
      pattern: `DELETE ${base}/:id`,
      handler: ({ params }) => {
        networks.remove(params.id!);
        return noContent;
      },
    },
    { pattern: `GET ${base}/:id/nodes`, handler: ({ params }) => ok(networks.nodes(params.id!)) },
    {
      pattern: `POST ${base}/:id/nodes`,
      handler: ({ params, body }) => {
        networks.addNode(params.id!, body);
        return noContent;
      },
    },
    {
      pattern: `DELETE ${base}/:id/nodes/:node`,
      handler: ({ params }) => {
        networks.removeNode(params.id!, params.node!);
        return noContent;
      },
    },
  ];
}

export function gsbRoutes(gsb: Gsb): Route[] {
  return [
    { pattern: 'POST /gsb-api/v1/services', handler: ({ body }) => created(gsb.bind(body)) },
    {
      pattern: 'DELETE /gsb-api/v1/services/:id',
      handler: ({ params }) => {
        gsb.unbind(params.id!);
        return noContent;
      },
    },
  ];
}

/** What no real daemon has: failures on demand. */
export function controlRoutes(parts: {
  faults: Faults;
  providers: ProviderPool;
  agreements: Agreements;
  goAway: (durationMs: number) => void;
}): Route[] {
  const { faults, providers, agreements, goAway } = parts;
  const base = '/local-node/v1';
  return [
    { pattern: `GET ${base}/faults`, handler: () => ok(faults.list()) },
    {
      pattern: `POST ${base}/faults`,
      handler: ({ body }) => {
        if (!isRecord(body)) throw badRequest('a fault needs a kind');
        return created({ id: faults.arm(body as unknown as Fault) });
      },
    },
    {
      pattern: `DELETE ${base}/faults`,
      handler: () => {
        faults.clear();
        return noContent;
      },
    },
    {
      pattern: `DELETE ${base}/faults/:id`,
      handler: ({ params }) => {
        if (!faults.disarm(Number(params.id))) throw notFound('fault', params.id!);
        return noContent;
      },
    },
    {
      pattern: `GET ${base}/providers`,
      handler: () =>
        ok(
          providers.list().map(({ provider, agreements, present }) => ({
            name: provider.name,
            id: provider.id,
            agreements,
            present,
          })),
        ),
    },
    {
      pattern: `POST ${base}/providers/:name/vanish`,
      handler: ({ params }) => {
        providers.vanish(params.name!);
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/providers/:name/return`,
      handler: ({ params }) => {
        providers.comeBack(params.name!);
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/agreements/:id/terminate`,
      handler: ({ params, body }) => {
        agreements.terminate(params.id!, 'Provider', isRecord(body) ? body : { message: 'the provider ended it' });
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/away`,
      handler: ({ body }) => {
        const durationMs = isRecord(body) ? Number(body.durationMs) : Number.NaN;
        if (!(durationMs >= 0)) throw badRequest('away needs a durationMs of 0 or more');
        // After the answer is out.
        setImmediate(() => goAway(durationMs));
        return noContent;
      },
    },
  ];
}
