import type { Command } from 'commander';
import { filter, firstValueFrom, map, takeUntil } from 'rxjs';
import { aborted } from '../base/aborted.js';
import { MeshError } from '../base/errors.js';
import { pause } from '../base/pause.js';
import { didYouMean } from '../base/suggest.js';
import { canonicalPath, healthPath } from '../config/paths.js';
import { longestName } from '../config/service.js';
import type { MeshConfig, ServiceConfig } from '../config/types.js';
import { EventService } from '../mesh/event-service.js';
import { quietGrpc } from '../wire/quiet.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { positiveNumber, wholeNumber } from './option-values.js';
import { printValue } from './print-value.js';
import { readHealth } from './read-health.js';
import { readValue } from './read-value.js';

interface PubOptions {
  readonly type?: string;
  readonly rate?: number;
  readonly count?: number;
  readonly latch: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly waitFor?: number;
  readonly insecure: boolean;
}

/** `furrow pub`: publishes from the command line. */
export function pubCommand(): Command {
  const command = furrowCommand(
    'pub',
    'Publish a message.\n' +
      'Takes the seat of a service of the configuration whose port is free, or any other name with --port. Publishes once, unless --rate or --count says more, and waits for a subscriber before that (--wait-for). With --latch the last message is kept for later subscribers until Ctrl-C.\n' +
      'With --json: one line an event, {service, path, sequence, subscribers, dropped}.',
    `furrow pub agent-1/sample '{"sample": 0.9, "task_id": 1}' --rate 10`,
    'furrow pub storage/residual 0 --latch',
    `furrow pub test/note '"hello"' --type google.protobuf.StringValue --port 6000`,
  )
    .argument('<service/path>', 'as whom, and where')
    .argument('<json>', 'the message as JSON')
    .option('--type <message>', 'full name of the message (default: what the configuration declares)')
    .option('--rate <hz>', 'publish again and again, so often a second', positiveNumber)
    .option('--count <n>', 'end after n messages', wholeNumber({ min: 1 }))
    .option('--latch', 'keep the last message for later subscribers', false)
    .option('--host <host>', 'address to listen on (default: what the configuration says, else localhost)')
    .option(
      '--port <port>',
      'port to listen on; needed for a service that the configuration does not have',
      wholeNumber({ min: 1 }),
    )
    .option(
      '--wait-for <n>',
      'begin when there are n subscribers (default: 1 without --rate and --latch, else 0)',
      wholeNumber(),
    )
    .option('--insecure', 'serve plain text to other machines, too', false);
  return act<PubOptions>(command, pub);
}

async function pub(
  context: CommandContext<PubOptions>,
  [target = '', json = '']: readonly string[],
): Promise<undefined> {
  const { registry, options, out, signal, logger, tls } = context;
  const { seat, path } = takeSeat(configOrNone(context), target, options);
  const declared = seat.published.map((entry) => entry.path);
  const type = options.type ?? seat.published.find((entry) => entry.path === path)?.type;
  if (type === undefined || type === '') {
    throw new MeshError(
      'invalid-argument',
      `the configuration states no message type for ${seat.name}${path}${didYouMean(path, declared)}; give --type`,
    );
  }
  const message = readValue(registry, type, json);
  registry.encode(type, message);
  await quietGrpc();
  const service = new EventService(withPath(seat, path, type), {
    registry,
    logger,
    allowInsecure: options.insecure,
    ...tls,
  });
  try {
    await service.start().catch((error) => {
      throw seatError(MeshError.from(error), seat);
    });
    const once = options.rate === undefined && !options.latch;
    await waitFor(context, service, path, options.waitFor ?? (once ? 1 : 0));
    const count = options.count ?? (options.rate === undefined ? 1 : Number.POSITIVE_INFINITY);
    const periodMs = 1000 / (options.rate ?? 1);
    const begin = performance.now();
    for (let sent = 0; sent < count && !signal.aborted; sent += 1) {
      await pause(begin + sent * periodMs - performance.now(), signal);
      if (signal.aborted) break;
      const result = await service.publish(path, message, { type, latch: options.latch });
      await (out.json
        ? out.value({ service: seat.name, path, ...result })
        : out.line(resultLine(`${seat.name}${path}`, result, message)));
    }
    if (options.latch && !signal.aborted) {
      out.note(`${seat.name}${path} is kept for later subscribers; Ctrl-C ends it`);
      await aborted(signal);
    }
    return undefined;
  } finally {
    await service.drain();
  }
}

/** A mesh of one's own needs no configuration. */
function configOrNone(context: CommandContext<PubOptions>): MeshConfig {
  const { options } = context;
  try {
    return context.config;
  } catch (error) {
    if (MeshError.from(error).code !== 'not-found' || options.port === undefined) throw error;
    return { file: options.serviceConfig, services: [] };
  }
}

/** As which service to publish, and on which path. */
function takeSeat(
  config: MeshConfig,
  target: string,
  { host, port }: PubOptions,
): { readonly seat: ServiceConfig; readonly path: string } {
  const bare = target.replace(/^\/+/, '');
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const known = byName.get(longestName(byName, bare) ?? '');
  const name = known?.name ?? bare.split('/')[0] ?? '';
  const path = canonicalPath(bare.slice(name.length));
  if (name === '' || path === '/' || path.includes('*')) {
    throw new MeshError('invalid-argument', `"${target}" names no path to publish on; write SERVICE/path`);
  }
  const seatPort = port ?? known?.port;
  if (seatPort === undefined) {
    const reason = known === undefined ? 'is not in' : 'has no port in';
    throw new MeshError(
      'not-found',
      `service "${name}" ${reason} ${config.file}${known === undefined ? didYouMean(name, [...byName.keys()]) : ''}; ` +
        'give --port to publish under that name all the same',
    );
  }
  const entry = known ?? {
    name,
    host: 'localhost',
    subscriptions: [],
    published: [],
    requests: [],
    args: [],
    logLevel: 'info',
  };
  return { seat: { ...entry, host: host ?? entry.host, port: seatPort }, path };
}

function withPath(seat: ServiceConfig, path: string, type: string): ServiceConfig {
  if (seat.published.some((declared) => declared.path === path)) return seat;
  return { ...seat, published: [...seat.published, { path, type, pb: '', history: 0, latch: false }] };
}

function seatError(error: MeshError, { name }: ServiceConfig): MeshError {
  if (error.code !== 'already-exists') return error;
  return new MeshError(error.code, `${error.message}: is ${name} running? Stop it, or give another --port`, {
    cause: error,
  });
}

/** Resolves when the path has so many subscribers: `/health` counts them once a second. */
async function waitFor(
  { out, signal }: CommandContext<PubOptions>,
  service: EventService,
  path: string,
  wanted: number,
): Promise<void> {
  if (wanted === 0 || signal.aborted) return;
  out.note(`waiting for ${wanted} subscriber${wanted === 1 ? '' : 's'} of ${service.name}${path}`);
  const counts = service.published$.pipe(
    filter((event) => event.path === healthPath),
    map((event) => readHealth(event).paths.get(path)?.clients ?? 0),
    filter((clients) => clients >= wanted),
    takeUntil(aborted(signal)),
  );
  await firstValueFrom(counts, { defaultValue: 0 });
}

function resultLine(
  title: string,
  result: { sequence: number; subscribers: number; dropped: number },
  message: unknown,
): string {
  const { sequence, subscribers, dropped } = result;
  const to = `${subscribers} subscriber${subscribers === 1 ? '' : 's'}${dropped > 0 ? `, ${dropped} lost it` : ''}`;
  return `${title}  #${sequence}  ${printValue(message)}  → ${to}`;
}
