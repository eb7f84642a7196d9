import type { AgreementEvent, GolemDaemon, PaymentEvent } from './daemon.js';
import { type PolledEvent, type PollerOptions, pollEvents } from './event-poller.js';
import { type GolemLogger, TroubleLog } from './logger.js';

export interface DaemonEventHandlers {
  readonly onAgreement: (event: AgreementEvent) => void;
  /** By the document's id. */
  readonly onInvoice: (id: string) => void;
  readonly onDebitNote: (id: string) => void;
}

/**
 * Reads the daemon's three event streams until the signal aborts: every event once, also when many come in one poll.
 * While the daemon is away its version is asked for, ever more slowly, and one line is logged, not one a try.
 */
export async function watchDaemonEvents(
  daemon: GolemDaemon,
  handlers: DaemonEventHandlers,
  options: { readonly signal: AbortSignal; readonly logger: GolemLogger; readonly startMs?: number },
): Promise<void> {
  const { signal, logger } = options;
  const trouble = new TroubleLog(logger, `Events of the golem daemon at ${daemon.url}`);
  const poll = <T extends PolledEvent>(what: Pick<PollerOptions<T>, 'fetch' | 'handle'>) =>
    pollEvents<T>({
      ...what,
      signal,
      onFailure: (error) => trouble.failed(error),
      onSuccess: () => trouble.succeeded(),
      probe: () => daemon.version({ signal }),
      ...(options.startMs === undefined ? {} : { startMs: options.startMs }),
    });
  const { market, payment } = daemon;
  await Promise.all([
    poll<AgreementEvent & PolledEvent>({
      fetch: async (after, waitSeconds) => {
        const events = await market.agreementEvents({ after, waitSeconds, signal });
        return events.map((event) => ({ ...event, key: `${event.type} ${event.agreementId} ${event.date}` }));
      },
      handle: handlers.onAgreement,
    }),
    poll<PaymentEvent & PolledEvent>({
      fetch: async (after, waitSeconds) => withKeys(await payment.invoiceEvents({ after, waitSeconds, signal })),
      handle: ({ type, id }) => {
        if (isReceived(type)) handlers.onInvoice(id);
      },
    }),
    poll<PaymentEvent & PolledEvent>({
      fetch: async (after, waitSeconds) => withKeys(await payment.debitNoteEvents({ after, waitSeconds, signal })),
      handle: ({ type, id }) => {
        if (isReceived(type)) handlers.onDebitNote(id);
      },
    }),
  ]);
}

function withKeys(events: readonly PaymentEvent[]): (PaymentEvent & PolledEvent)[] {
  return events.map((event) => ({ ...event, key: `${event.type} ${event.id}` }));
}

// The same streams say what has become of documents (accepted, settled); that is no news.
function isReceived(type: string): boolean {
  return type === '' || /received/i.test(type);
}
