import type { Command } from 'commander';
import { Argument } from 'commander';
import { Deadline } from '../base/deadline.js';
import { MeshError } from '../base/errors.js';
import { listNames } from '../base/suggest.js';
import { findService } from '../config/service.js';
import type { ServiceConfig } from '../config/types.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { exitCodeOf, exitCodes } from '../program/exit-codes.js';
import { colors } from './colors.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import { printable } from './print-value.js';
import { textTable } from './table.js';

interface GolemOptions {
  readonly timeoutMs: number;
  readonly count?: number;
}

/** `furrow.LifeCycleEvent`. */
interface LifeCycle {
  readonly state: string;
  readonly provider: string;
  readonly reason: string;
  readonly time?: Date;
}

/** `furrow.GolemEvent`. */
interface GolemEvent {
  readonly kind: string;
  readonly type: string;
  readonly provider: string;
  readonly time?: Date;
  readonly details?: object;
}

const lifeCycleType = 'furrow.LifeCycleEvent';
const eventType = 'furrow.GolemEvent';

/** `furrow golem`: what runs on Golem. */
export function golemCommand(): Command {
  const command = furrowCommand(
    'golem',
    'Look at what the mesh runs on Golem: services that publish furrow.LifeCycleEvent, and the local node.\n' +
      'status counts the instances by state and says whether the local node is there; exits with 3 when an instance does not run.\n' +
      'instances lists them; market and payments show the last of what happened there and follow what comes; stop stops them until their /restart is asked.\n' +
      'With --json: status {instances, states, nodes: [{name, live}]}; instances {service, state, provider, reason, time} or {service, error, message} a line; market and payments {service, kind, type, provider, time, details} a line; stop {service, stopped} a line.',
    'furrow golem status',
    'furrow golem instances --json',
    'furrow golem payments --count 5',
    'furrow golem stop simple-service-1',
  )
    .addArgument(
      new Argument('<what>', 'what to look at').choices(['status', 'market', 'payments', 'instances', 'stop']),
    )
    .argument('[service...]', 'only these (default: all)')
    .option('--count <n>', 'market, payments: end after so many events', wholeNumber({ min: 1 }))
    .option('--timeout-ms <ms>', 'how long a service may take to answer', wholeNumber({ min: 1 }), 10_000);
  return act<GolemOptions>(command, async (context, [what = '', ...names]) => {
    if (what === 'market') return follow(context, names, ['market', 'agreement']);
    if (what === 'payments') return follow(context, names, ['payment']);
    if (what === 'stop') return stop(context, names);
    return what === 'instances' ? instances(context, names) : status(context, names);
  });
}

/** The services that publish the type, by the configuration; those of `names`, if there are any. */
function publishersOf({ config }: CommandContext<GolemOptions>, type: string, names: readonly string[]) {
  const named = names.length === 0 ? config.services : names.map((name) => findService(config, name));
  const found = named.flatMap((service) => {
    const paths = service.published.filter((declared) => declared.type === type).map(({ path }) => path);
    return paths.length === 0 ? [] : [{ service, paths }];
  });
  if (found.length === 0) {
    const asked = listNames(named.map(({ name }) => name));
    throw new MeshError('not-found', `none of ${asked} publishes ${type} in ${config.file}`);
  }
  return found;
}

interface Instance {
  readonly service: ServiceConfig;
  readonly event?: LifeCycle;
  readonly error?: MeshError;
}

/** What each instance's latched event says. */
async function survey(context: CommandContext<GolemOptions>, names: readonly string[]): Promise<readonly Instance[]> {
  const { mesh, options, signal } = context;
  return Promise.all(
    publishersOf(context, lifeCycleType, names).map(async ({ service, paths }) => {
      using deadline = new Deadline(options.timeoutMs, signal);
      const client = mesh.client(service.name);
      const events = client.events({ path: paths[0]!, overflow: 'latest' }, { signal: deadline.signal });
      for await (const { message } of events) return { service, event: message as LifeCycle };
      const { reason = 'nothing came' } = client.state as { reason?: string };
      return { service, error: new MeshError('unavailable', `${service.name}: ${reason}`) };
    }),
  );
}

async function status(context: CommandContext<GolemOptions>, names: readonly string[]): Promise<number> {
  const { config, mesh, options, out, signal } = context;
  const nodes = config.services.filter(
    ({ published }) =>
      published.some(({ path, type }) => path === '/agreements' && type === eventType) &&
      !published.some(({ type }) => type === lifeCycleType),
  );
  const [found, live] = await Promise.all([
    survey(context, names),
    Promise.all(
      nodes.map(async ({ name }) => {
        using deadline = new Deadline(options.timeoutMs, signal);
        for await (const _ of mesh.client(name).events({ path: '/health' }, { signal: deadline.signal }))
          return { name, live: true };
        return { name, live: false };
      }),
    ),
  ]);
  const states: Record<string, number> = {};
  for (const { event } of found) states[event?.state ?? 'away'] = (states[event?.state ?? 'away'] ?? 0) + 1;
  if (out.json) await out.value({ instances: found.length, states, nodes: live });
  else {
    const counted = Object.entries(states).map(([state, count]) => `${count} ${colored(state)}`);
    await out.line(`${found.length} instances: ${counted.join(', ')}`);
    for (const node of live) await out.line(`${node.name}: ${node.live ? colors.green('live') : colors.red('away')}`);
  }
  return found.every(({ event }) => event?.state === 'running') ? exitCodes.ok : exitCodes.away;
}

async function instances(context: CommandContext<GolemOptions>, names: readonly string[]): Promise<number> {
  const { out } = context;
  const found = await survey(context, names);
  if (out.json) {
    for (const { service, event, error } of found) {
      const { state, provider, reason, time } = event ?? {};
      const told =
        error === undefined ? { state, provider, reason, time } : { error: error.code, message: error.message };
      await out.value({ service: service.name, ...told });
    }
  } else {
    const rows = found.map(({ service, event, error }) => [
      service.name,
      colored(event?.state ?? 'away'),
      event?.provider ?? '',
      event?.reason ?? error?.message ?? '',
      event?.time === undefined ? '' : event.time.toISOString().slice(11, 19),
    ]);
    await out.line(textTable(['service', 'state', 'provider', 'why', 'since, UTC'], rows));
  }
  return found.some(({ error }) => error !== undefined) ? exitCodes.away : exitCodes.ok;
}

async function follow(
  context: CommandContext<GolemOptions>,
  names: readonly string[],
  kinds: readonly string[],
): Promise<undefined> {
  const { mesh, options, out, signal } = context;
  const end = new AbortController();
  const until = AbortSignal.any([signal, end.signal]);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  const sources = publishersOf(context, eventType, names).flatMap(({ service, paths }) =>
    paths.map((path) => mesh.client(service.name).events({ path, history: true }, { signal: until })),
  );
  await Promise.all(
    sources.map(async (events) => {
      for await (const event of events as AsyncIterable<MeshEvent<GolemEvent>>) {
        const { kind, type, provider, time, details = {} } = event.message;
        if (!kinds.includes(kind) || left === 0) continue;
        left -= 1;
        const told = printable(details) as object;
        if (out.json) await out.value({ service: event.service, kind, type, provider, time, details: told });
        else {
          const at = time === undefined ? '' : time.toISOString().slice(11, 23);
          await out.line([at, event.service, colors.bold(type), provider, JSON.stringify(told)].join('  '));
        }
        if (left === 0) end.abort();
      }
    }),
  );
  return undefined;
}

async function stop(context: CommandContext<GolemOptions>, names: readonly string[]): Promise<number> {
  const { mesh, options, out, signal } = context;
  const codes = await Promise.all(
    publishersOf(context, lifeCycleType, names).map(async ({ service: { name } }) => {
      try {
        await mesh.client(name).request('/stop', {}, { timeoutMs: options.timeoutMs, signal });
        await (out.json ? out.value({ service: name, stopped: true }) : out.line(`${name} is stopped`));
        return exitCodes.ok;
      } catch (error) {
        const { code, message } = MeshError.from(error);
        await (out.json ? out.value({ service: name, stopped: false, error: code, message }) : out.line(message));
        return exitCodeOf(MeshError.from(error));
      }
    }),
  );
  return Math.max(...codes);
}

function colored(state: string): string {
  if (state === 'running') return colors.green(state);
  return state === 'terminated' || state === 'away' ? colors.red(state) : colors.yellow(state);
}
