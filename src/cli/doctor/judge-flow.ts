import { matchesPath } from '../../messages/uri.js';
import { showRate, showSeconds } from '../units.js';
import { type Check, type Edge, note, ok, wrong } from './finding.js';
import type { Flow } from './flow.js';

/** What a flow says of its edge: whether data comes, and if not, why. */
export function judgeFlow(edge: Edge, flow: Flow, { latch }: { readonly latch: boolean }): Check[] {
  const { failure, otherService, unreadable } = flow;
  if (failure !== undefined)
    return [wrong('data', `the subscription was refused: ${failure.message}`, refusalAdvice(failure.code))];
  if (otherService !== undefined) {
    return [
      wrong(
        'service',
        `the events say that they come from "${otherService}"`,
        'another service took the port; correct the port or the name',
      ),
    ];
  }
  const broken =
    unreadable === undefined
      ? []
      : [wrong('type', unreadable, 'publisher and subscriber disagree about the message: compare their .proto files')];
  return [...broken, judgeData(edge, flow, latch), ...judgeDrops(edge, flow)];
}

function judgeData(edge: Edge, flow: Flow, latch: boolean): Check {
  const { live, latched, seconds, lastSequence, before, after } = flow;
  const rate = after !== undefined && after.rateHz > 0 ? `; published at ${showRate(after.rateHz)}` : '';
  if (live > 0) {
    return ok(
      'data',
      `${live} event${live === 1 ? '' : 's'} in ${showSeconds(seconds)}, newest #${lastSequence}${rate}`,
    );
  }
  const within = `in ${showSeconds(seconds)}`;
  if (before === undefined || after === undefined) {
    return wrong(
      'data',
      `no event ${within}, and no /health that would tell why`,
      'the service may hang: look at its log, or start it again',
    );
  }
  const sent = after.sendCount - before.sendCount;
  if (latched > 0 && sent === 0) return judgeLatched(edge, flow, latch);
  if (after.sendCount === 0) {
    return wrong(
      'data',
      `${edge.path} was never published since the service started`,
      'look at what makes the service publish: its inputs, its args, its log',
    );
  }
  if (edge.everyN > 1) {
    const period =
      after.rateHz > 0
        ? `one in ${showSeconds(edge.everyN / after.rateHz)} at ${showRate(after.rateHz)}`
        : 'none while it is silent';
    const found = `every_n=${edge.everyN} lets only every ${edge.everyN}th event through: ${period}; ${after.sendCount} were published since the start`;
    return wrong('every_n', found, 'lower every_n in the subscription');
  }
  if (sent === 0) {
    return wrong(
      'data',
      `${edge.path} is silent: ${after.sendCount} events were published before, none ${within}`,
      'the publisher is paused or waits for an input: look at what makes it publish',
    );
  }
  return wrong(
    'data',
    `${sent} events were published ${within}, and none reached us`,
    'they are lost on the way: look at drops in furrow ls, and at the load of both machines',
  );
}

function judgeLatched(edge: Edge, { lastSequence, latchedAgeS, seconds }: Flow, latch: boolean): Check {
  const age = latchedAgeS === undefined ? '' : `, sent ${showSeconds(latchedAgeS)} ago`;
  const found = `only the latched event #${lastSequence}${age}; nothing live in ${showSeconds(seconds)}`;
  if (latch) return ok('latched', found);
  return note(
    'latched',
    found,
    `${edge.path} speaks when something changes: a late subscriber sees its last value, not a flow`,
  );
}

function judgeDrops(edge: Edge, { before, after, subscribers }: Flow): Check[] {
  if (after === undefined) return [];
  const losing = subscribers.filter(
    ({ path, dropped }) => dropped > 0 && (path === edge.path || matchesPath(path, edge.path)),
  );
  const worst = losing[0];
  if (worst === undefined) {
    const dropped = after.dropped - (before?.dropped ?? 0);
    return dropped === 0 ? [] : [note('drops', `${dropped} events were dropped while we listened`, dropAdvice)];
  }
  const share = `${worst.dropped} of ${worst.dropped + worst.delivered + worst.queued}`;
  const found = `${losing.length} of ${after.clients} subscribers lost events; the worst, ${worst.peer}, ${share} (depth=${worst.depth}, overflow=${worst.overflow})`;
  return [losing.length >= after.clients ? wrong('drops', found, dropAdvice) : note('drops', found, dropAdvice)];
}

const dropAdvice =
  'the subscriber reads too slowly: give its subscription more depth, every_n, overflow=latest, or less work an event';

function refusalAdvice(code: string): string {
  if (code === 'unimplemented') return 'the two sides are of versions that do not fit: update the older one';
  if (code === 'permission-denied' || code === 'unauthenticated')
    return 'give the certificate that the service asks for (--tls-cert, --tls-key)';
  return 'correct the subscription';
}
