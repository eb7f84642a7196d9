import type { Allocations } from './allocations.js';
import type { Bill, Billing } from './billing.js';
import type { EventLog } from './event-log.js';
import { isRecord } from './exe-script.js';
import { collect } from './market-routes.js';
import { badRequest } from './problem.js';
import { type Call, created, noContent, ok, type Route } from './router.js';
import { microsecondsOf } from './stamps.js';

const base = '/payment-api/v1';

export interface PaymentRouteParts {
  readonly identity: string;
  readonly platforms: readonly string[];
  readonly allocations: Allocations;
  readonly billing: Billing;
  readonly debitNoteLog: EventLog;
  readonly invoiceLog: EventLog;
}

/** The part of the interface that is about money. */
export function paymentRoutes(parts: PaymentRouteParts): Route[] {
  const { allocations, billing, debitNoteLog, invoiceLog } = parts;
  return [
    { pattern: `GET ${base}/requestorAccounts`, handler: () => ok(accounts(parts)) },
    { pattern: `GET ${base}/allocations`, handler: () => ok(allocations.list()) },
    {
      pattern: `POST ${base}/allocations`,
      handler: ({ body }) => {
        if (!isRecord(body)) throw badRequest('an allocation needs a totalAmount');
        return created(allocations.create(body));
      },
    },
    { pattern: `GET ${base}/allocations/:id`, handler: ({ params }) => ok(allocations.get(params.id!)) },
    {
      pattern: `DELETE ${base}/allocations/:id`,
      handler: ({ params }) => {
        allocations.release(params.id!);
        return noContent;
      },
    },
    {
      pattern: `GET ${base}/demandDecorations`,
      handler: ({ query }) => {
        const ids = query.getAll('allocationIds').flatMap((value) => value.split(','));
        return ok(allocations.decorations(ids.filter((id) => id !== '')));
      },
    },
    ...billRoutes(billing, 'debit note', `${base}/debitNotes`),
    ...billRoutes(billing, 'invoice', `${base}/invoices`),
    {
      pattern: `POST ${base}/invoices/:id/reject`,
      handler: ({ params, body }) => {
        billing.reject(billing.get('invoice', params.id!), isRecord(body) ? body.message : undefined);
        return noContent;
      },
    },
    // As in the daemon, which does not do it either.
    {
      pattern: `POST ${base}/debitNotes/:id/reject`,
      handler: () => ({ status: 501, body: { message: 'Not Implemented' } }),
    },
    { pattern: `GET ${base}/debitNoteEvents`, handler: async (call) => ok(await collect(debitNoteLog, call)) },
    { pattern: `GET ${base}/invoiceEvents`, handler: async (call) => ok(await collect(invoiceLog, call)) },
    { pattern: `GET ${base}/payments`, handler: () => ok([]) },
  ];
}

function billRoutes(billing: Billing, kind: Bill['kind'], path: string): Route[] {
  return [
    {
      pattern: `GET ${path}`,
      handler: (call) => ok(page(billing.list(kind), call).map((bill) => billing.view(bill))),
    },
    { pattern: `GET ${path}/:id`, handler: ({ params }) => ok(billing.view(billing.get(kind, params.id!))) },
    {
      pattern: `POST ${path}/:id/accept`,
      handler: ({ params, body }) => {
        billing.accept(billing.get(kind, params.id!), body);
        return noContent;
      },
    },
  ];
}

function page(bills: readonly Bill[], { query }: Call): Bill[] {
  const after = microsecondsOf(query.get('afterTimestamp') ?? '') ?? 0n;
  const most = Number(query.get('maxItems') ?? 10);
  return bills.filter(({ timestamp }) => (microsecondsOf(timestamp) ?? 0n) > after).slice(0, most);
}

function accounts({ platforms, identity }: PaymentRouteParts): object[] {
  return platforms.map((platform) => {
    const [driver, network, token] = platform.split('-');
    return { platform, address: identity, driver, network, token, send: true, receive: false };
  });
}
