import type { Command } from 'commander';
import logUpdate from 'log-update';
import { aborted } from '../base/aborted.js';
import type { FoxgloveServer } from '../bridges/foxglove/foxglove-server.js';
import type { FoxgloveStatus } from '../bridges/foxglove/status.js';
import { colors } from './colors.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import type { Output } from './output.js';
import { textTable } from './table.js';
import { showBytes } from './units.js';

interface FoxgloveCommandOptions {
  readonly port: number;
  readonly host: string;
  readonly origin: readonly string[];
  readonly maxViewers: number;
}

const reportMs = 1000;

/** `furrow foxglove`: shows the running mesh to Foxglove. */
export function foxgloveCommand(): Command {
  const command = furrowCommand(
    'foxglove',
    'Show the running mesh live in Foxglove.\n' +
      'Serves its paths and requests over the Foxglove WebSocket protocol until Ctrl-C. Paths are subscribed while a viewer looks at them.\n' +
      'With --json: {url} when it serves, then one line a second, {viewers: [{name, subscriptions, sent, dropped, bufferedBytes}], channels: [{topic, type, viewers, received, lost, sent, dropped}], services, sent, dropped, refused}, with final: true at the end.',
    'furrow foxglove',
    "furrow foxglove 'agent-1/*' storage/residual --port 9000",
  )
    .argument('[service/path...]', 'only these: a path, SERVICE/*, SERVICE/prefix/* (default: all)')
    .option('--port <port>', 'where viewers connect; 0 for a free one', wholeNumber(), 8765)
    .option('--host <address>', 'address to listen on; others than loopback let anybody in', '127.0.0.1')
    .option('--origin <url>', 'let pages of this web site connect; can be given several times', collect, [])
    .option('--max-viewers <n>', 'viewers at a time', wholeNumber({ min: 1 }), 16);
  return act<FoxgloveCommandOptions>(command, foxglove);
}

async function foxglove(context: CommandContext<FoxgloveCommandOptions>, paths: readonly string[]): Promise<undefined> {
  const { mesh, registry, logger, out, options, signal } = context;
  const { FoxgloveServer } = await import('../bridges/foxglove/foxglove-server.js');
  const { host, port, origin: origins, maxViewers } = options;
  const server = await FoxgloveServer.start(mesh, { host, port, origins, maxViewers, paths, registry, logger });
  try {
    await announce(server, out);
    await report(server, out, signal);
  } finally {
    await server.close();
  }
}

async function announce({ url }: FoxgloveServer, out: Output): Promise<void> {
  if (out.json) return out.value({ url });
  await out.line(
    `${colors.bold(url)}\nIn Foxglove (app.foxglove.dev): Open connection → Foxglove WebSocket → ${url}\n`,
  );
}

/** Until the signal aborts: in place on a terminal, elsewhere a line when something came of it. */
async function report(server: FoxgloveServer, out: Output, signal: AbortSignal): Promise<void> {
  let last = '';
  const show = (): void => {
    const { status } = server;
    if (out.json) void out.value(status);
    else if (out.live) logUpdate(statusTables(status));
    else if (summary(status) !== last) {
      last = summary(status);
      void out.line(last);
    }
  };
  const timer = setInterval(show, reportMs);
  if (out.live) show();
  await aborted(signal);
  clearInterval(timer);
  if (out.json) await out.value({ ...server.status, final: true });
  else if (out.live) logUpdate.done();
  else await out.line(summary(server.status));
}

/** Viewers, and the channels that somebody looks at or that lost something. */
export function statusTables(status: FoxgloveStatus): string {
  const viewers = status.viewers.map(({ name, subscriptions, sent, dropped, bufferedBytes }) => [
    name,
    subscriptions,
    sent,
    shownDrops(dropped),
    showBytes(bufferedBytes),
  ]);
  const channels = status.channels
    .filter((channel) => channel.viewers > 0 || channel.dropped + channel.lost > 0)
    .map(({ topic, viewers, sent, dropped, lost }) => [topic, viewers, sent, shownDrops(dropped), shownDrops(lost)]);
  return [
    summary(status),
    ...(viewers.length === 0
      ? []
      : [textTable(['viewer', 'channels', 'sent', 'dropped', 'waiting'], viewers, { right: [1, 2, 3, 4] })]),
    ...(channels.length === 0
      ? []
      : [textTable(['channel', 'viewers', 'sent', 'dropped', 'lost'], channels, { right: [1, 2, 3, 4] })]),
  ].join('\n\n');
}

function summary({ viewers, channels, services, sent, dropped, refused }: FoxgloveStatus): string {
  const parts = [
    count(viewers.length, 'viewer'),
    count(channels.length, 'channel'),
    count(services, 'service'),
    `${sent} sent`,
    `${dropped} dropped`,
    ...(refused > 0 ? [`${refused} turned away`] : []),
  ];
  return parts.join('  ');
}

function shownDrops(count: number): string {
  return count > 0 ? colors.yellow(String(count)) : String(count);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
