import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { canonicalPath } from '../config/paths.js';
import { splitServicePath } from '../config/service.js';
import type { RequestPath, ServiceConfig } from '../config/types.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { matchesPath } from '../messages/uri.js';
import { exitCodeOf, exitCodes } from '../program/exit-codes.js';
import { colors } from './colors.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import { printable } from './print-value.js';
import { readValue } from './read-value.js';

interface ReqOptions {
  readonly all: boolean;
  readonly type?: string;
  readonly timeoutMs: number;
}

/** `furrow req`: asks a service. */
export function reqCommand(): Command {
  const command = furrowCommand(
    'req',
    'Ask a service and print its reply.\n' +
      'With --json: one line a reply, {service, path, type, seconds?, message} or {service, path, error, message}.',
    'furrow req storage/update_storage',
    'furrow req agent-1/update_residual 455',
    'furrow req --all /update_residual 0',
  )
    .argument('<service/path>', 'whom to ask what; with --all only the path')
    .argument('[json]', 'the message as JSON, - for standard input (default: an empty message)')
    .option('--all', 'ask every service that declares the path, and print what comes in time', false)
    .option('--type <message>', 'full name of the request message (default: what the configuration declares)')
    .option('--timeout-ms <ms>', 'how long the reply may take', wholeNumber({ min: 1 }), 5000);
  return act<ReqOptions>(command, async (context, [target = '', json]) =>
    context.options.all ? requestAll(context, target, json) : request(context, target, json),
  );
}

async function request(
  context: CommandContext<ReqOptions>,
  target: string,
  json: string | undefined,
): Promise<undefined> {
  const { config, mesh, options, signal } = context;
  const { service, path } = splitServicePath(config, target);
  const client = mesh.client(service.name);
  const type = options.type ?? declaredType(service, path);
  const message = await readMessage(context, type, json);
  const begin = performance.now();
  const reply = await client.request(path, message, { type, timeoutMs: options.timeoutMs, signal });
  const seconds = (performance.now() - begin) / 1000;
  await printReply(context, path, reply, { seconds });
  return undefined;
}

async function requestAll(
  context: CommandContext<ReqOptions>,
  target: string,
  json: string | undefined,
): Promise<number> {
  const { config, mesh, options, out, signal } = context;
  const path = canonicalPath(target);
  const asked = config.services.filter(({ requests }) => requests.some((declared) => matchesPath(declared.path, path)));
  const types = new Set(asked.map((service) => options.type ?? declaredType(service, path)));
  const [type, ...others] = types;
  if (type === undefined) {
    const known = [...new Set(config.services.flatMap(({ requests }) => requests.map((declared) => declared.path)))];
    throw new MeshError(
      'not-found',
      `no service of ${config.file} declares that it answers ${path}${didYouMean(path, known)}; declared are ${listNames(known)}`,
    );
  }
  if (others.length > 0) {
    throw new MeshError(
      'invalid-argument',
      `${path} takes ${[...types].join(' and ')}; ask one by one, or give --type`,
    );
  }
  const message = await readMessage(context, type, json);
  const { replies, errors } = await mesh.requestAll(path, message, {
    services: asked.map(({ name }) => name),
    type,
    timeoutMs: options.timeoutMs,
    signal,
  });
  for (const { name } of asked) {
    const reply = replies.get(name);
    const error = errors.get(name);
    if (reply !== undefined) await printReply(context, path, reply, { named: true });
    else if (out.json) await out.value({ service: name, path, error: error?.code, message: error?.message });
    else await out.line(`${name}  ${colors.red(error?.code ?? 'unknown')}: ${error?.message}`);
  }
  return Math.max(exitCodes.ok, ...[...errors.values()].map(exitCodeOf));
}

function declaredType(service: ServiceConfig, path: string): string {
  const { name, requests } = service;
  const found = findRequest(requests, path);
  if (found === undefined) {
    if (service.published.some((declared) => declared.path === path)) {
      throw new MeshError(
        'not-found',
        `${name}${path} is published, not asked; listen with: furrow echo ${name}${path}`,
      );
    }
    const known = requests.map((declared) => declared.path);
    throw new MeshError(
      'not-found',
      `${name} declares no requests on ${path}${didYouMean(path, known)}; it answers ${listNames(known)} (--type asks all the same)`,
    );
  }
  if (found.request === '') {
    throw new MeshError('invalid-argument', `the configuration states no message type for ${name}${path}; give --type`);
  }
  return found.request;
}

function findRequest(requests: readonly RequestPath[], path: string): RequestPath | undefined {
  return (
    requests.find((declared) => declared.path === path) ?? requests.find((declared) => matchesPath(declared.path, path))
  );
}

async function readMessage(
  { registry }: CommandContext<ReqOptions>,
  type: string,
  json: string | undefined,
): Promise<unknown> {
  if (json === undefined) return registry.decode(type, new Uint8Array(0));
  return readValue(registry, type, json === '-' ? await readAll(process.stdin) : json);
}

async function printReply(
  { out }: CommandContext<ReqOptions>,
  path: string,
  reply: MeshEvent,
  { seconds, named = false }: { readonly seconds?: number; readonly named?: boolean },
): Promise<void> {
  const { service, type } = reply;
  const message = printable(reply.message);
  if (out.json) return out.value({ service, path, type, ...(seconds === undefined ? {} : { seconds }), message });
  const text = JSON.stringify(message, null, out.live && !named ? 2 : undefined);
  return out.line(named ? `${service}  ${text}` : text);
}
