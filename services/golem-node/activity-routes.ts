import type { ServerResponse } from 'node:http';
import type { Activities } from './activities.js';
import type { Batch } from './batch.js';
import { isRecord, parseScript } from './exe-script.js';
import { badRequest, unreachable } from './problem.js';
import type { ProviderPool } from './provider-pool.js';
import { type Call, created, noContent, ok, type Reply, type Route, streamed, timeoutMs } from './router.js';

const base = '/activity-api/v1/activity';
/** Something to read for a client that would otherwise take a quiet stream for a dead one. */
const quietMs = 15_000;

/** The part of the interface that is about activities and their batches. */
export function activityRoutes(activities: Activities, providers: ProviderPool): Route[] {
  return [
    {
      pattern: `POST ${base}`,
      handler: async ({ body }) => {
        const { agreementId } = isRecord(body) ? body : {};
        if (typeof agreementId !== 'string') throw badRequest('an activity needs an agreementId');
        return created({ activityId: await activities.create(agreementId) });
      },
    },
    { pattern: `GET ${base}/:id/agreement`, handler: ({ params }) => ok(activities.get(params.id!).agreement.id) },
    {
      pattern: `GET ${base}/:id/state`,
      handler: ({ params }) => {
        const { state, reason } = activities.reach(params.id!);
        return ok({ state: [state, null], ...(reason === undefined ? {} : { reason }) });
      },
    },
    {
      pattern: `GET ${base}/:id/usage`,
      handler: ({ params }) => {
        const { durationMs, busyMs } = activities.reach(params.id!).usage;
        return ok({ currentUsage: [durationMs / 1000, busyMs / 1000], timestamp: Math.floor(Date.now() / 1000) });
      },
    },
    {
      pattern: `POST ${base}/:id/exec`,
      handler: ({ params, body }) => {
        const activity = activities.reach(params.id!);
        return ok(activity.exec(parseScript(isRecord(body) ? body.text : undefined)));
      },
    },
    {
      pattern: `GET ${base}/:id/exec/:batch`,
      handler: (call) => {
        const activity = activities.reach(call.params.id!);
        const batch = activity.batch(call.params.batch!);
        if (call.accept.includes('text/event-stream')) return stream(batch, call);
        return poll(batch, call, () => {
          // A provider that vanished while the client waited takes the results along.
          if (!providers.isPresent(activity.provider.name)) throw unreachable(activity.provider.name);
        });
      },
    },
    {
      pattern: `DELETE ${base}/:id`,
      handler: async ({ params }) => {
        await activities.destroy(params.id!);
        return noContent;
      },
    },
  ];
}

/** Waits for the batch, or for the command that `commandIndex` names, to end; gives what there is in any case. */
async function poll(batch: Batch, call: Call, check: () => void): Promise<Reply> {
  const wanted = call.query.get('commandIndex');
  const done = () => {
    const ended = wanted !== null && batch.endedCount > Number(wanted);
    return batch.finished || ended ? true : undefined;
  };
  await batch.notifier.until(done, timeoutMs(call, 5), call.signal);
  check();
  return ok(batch.results());
}

/** Sends every event of the batch, from its beginning to its end. */
async function stream(batch: Batch, { response, signal }: Call): Promise<Reply> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.flushHeaders();
  for (let next = 0; !signal.aborted; ) {
    const event = batch.events[next];
    if (event !== undefined) {
      next += 1;
      await write(response, `event: runtime\ndata: ${JSON.stringify(event)}\n\n`, signal);
    } else if (batch.finished) {
      break;
    } else {
      await batch.notifier.wait(quietMs, signal);
      if (batch.events[next] === undefined) await write(response, ': still here\n\n', signal);
    }
  }
  response.end();
  return streamed;
}

async function write(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (response.write(text) || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      response.off('drain', go);
      signal.removeEventListener('abort', go);
      resolve();
    };
    response.on('drain', go);
    signal.addEventListener('abort', go);
  });
}
