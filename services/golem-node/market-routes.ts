import type { Agreements } from './agreements.js';
import type { EventLog } from './event-log.js';
import { isRecord } from './exe-script.js';
import type { Market, Terms } from './market.js';
import { badRequest } from './problem.js';
import { type Call, created, maxEvents, noContent, ok, type Route, timeoutMs } from './router.js';

const base = '/market-api/v1';

/** The market's part of the interface: demands, proposals, agreements. */
export function marketRoutes(market: Market, agreements: Agreements, log: EventLog): Route[] {
  return [
    { pattern: `GET ${base}/demands`, handler: () => ok(market.list()) },
    { pattern: `POST ${base}/demands`, handler: ({ body }) => created(market.subscribe(termsOf(body))) },
    {
      pattern: `DELETE ${base}/demands/:id`,
      handler: ({ params }) => {
        market.unsubscribe(params.id!);
        return noContent;
      },
    },
    {
      pattern: `GET ${base}/demands/:id/events`,
      handler: async (call) => {
        const limits = { timeoutMs: timeoutMs(call, 5), maxEvents: maxEvents(call, 10), signal: call.signal };
        return ok(await market.collect(call.params.id!, limits));
      },
    },
    {
      pattern: `GET ${base}/demands/:id/proposals/:proposal`,
      handler: ({ params }) => ok(market.proposal(params.id!, params.proposal!)),
    },
    {
      pattern: `POST ${base}/demands/:id/proposals/:proposal`,
      handler: ({ params, body }) => created(market.counter(params.id!, params.proposal!, termsOf(body))),
    },
    {
      pattern: `POST ${base}/demands/:id/proposals/:proposal/reject`,
      handler: ({ params, body }) => {
        market.reject(params.id!, params.proposal!, String(reasonOf(body).message ?? ''));
        return noContent;
      },
    },
    { pattern: `GET ${base}/agreements`, handler: (call) => ok(listed(agreements, call)) },
    {
      pattern: `POST ${base}/agreements`,
      handler: ({ body }) => {
        const { proposalId, validTo } = isRecord(body) ? body : {};
        if (typeof proposalId !== 'string') throw badRequest('an agreement needs a proposalId');
        return created(agreements.create(proposalId, String(validTo)));
      },
    },
    {
      pattern: `GET ${base}/agreements/:id`,
      handler: ({ params }) => ok(agreements.view(agreements.get(params.id!))),
    },
    {
      pattern: `POST ${base}/agreements/:id/confirm`,
      handler: ({ params, query }) => {
        agreements.confirm(params.id!, query.get('appSessionId') ?? undefined);
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/agreements/:id/wait`,
      handler: async (call) => {
        await agreements.wait(call.params.id!, timeoutMs(call, 5), call.signal);
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/agreements/:id/cancel`,
      handler: ({ params }) => {
        agreements.cancel(params.id!);
        return noContent;
      },
    },
    {
      pattern: `POST ${base}/agreements/:id/terminate`,
      handler: ({ params, body }) => {
        agreements.terminate(params.id!, 'Requestor', reasonOf(body));
        return noContent;
      },
    },
    { pattern: `GET ${base}/agreementEvents`, handler: async (call) => ok(await collect(log, call)) },
  ];
}

/** A long poll of one of the daemon's event logs. */
export function collect(log: EventLog, call: Call): Promise<object[]> {
  return log.collect({
    after: call.query.get('afterTimestamp') ?? undefined,
    session: call.query.get('appSessionId') ?? undefined,
    maxEvents: maxEvents(call, 10),
    timeoutMs: timeoutMs(call, 5),
    signal: call.signal,
  });
}

function listed(agreements: Agreements, { query }: Call): object[] {
  const session = query.get('appSessionId');
  const state = query.get('state');
  return agreements
    .list()
    .filter((one) => (session === null || one.session === session) && (state === null || one.state === state))
    .map(({ id, timestamp, approvedDate }) => ({ id, timestamp, approvedDate, role: 'requestor' }));
}

function termsOf(body: unknown): Terms {
  const { properties, constraints } = isRecord(body) ? body : {};
  if (!isRecord(properties)) throw badRequest('properties must be an object with full names as keys');
  return { properties, constraints: String(constraints ?? '') };
}

function reasonOf(body: unknown): Record<string, unknown> {
  return isRecord(body) ? body : { message: '' };
}
