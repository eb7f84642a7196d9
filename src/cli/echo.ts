import type { Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { MeshError } from '../base/errors.js';
import type { Gap } from '../mesh/sequence-tracker.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { isWildcard } from '../messages/uri.js';
import { colors } from './colors.js';
import { heldBefore } from './event-age.js';
import { findTopic } from './find-topic.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { wholeNumber } from './option-values.js';
import { printable, printValue } from './print-value.js';
import { SilenceTimer } from './silence-timer.js';
import { addTopicOptions, requestedQuality, type TopicOptions } from './topic-options.js';
import { watchState } from './watch-state.js';

interface EchoOptions extends TopicOptions {
  readonly count?: number;
  readonly once?: true;
  readonly timeoutMs?: number;
}

/** `furrow echo`: prints what is published. */
export function echoCommand(): Command {
  const command = addTopicOptions(
    furrowCommand(
      'echo',
      'Print the events of a path.\n' +
        'Time of sending, sequence, message, until Ctrl-C. Events that are lost are told on standard error.\n' +
        'With --json: one line an event, {service, path, sequence, time, type, latched?, timestamps, message}.',
      'furrow echo agent-1/sample',
      "furrow echo 'agent-1/*' --json --count 10 | jq .message",
    ),
  )
    .option('--count <n>', 'end after n events', wholeNumber({ min: 1 }))
    .option('--once', 'end after the first event')
    .option('--timeout-ms <ms>', 'fail with exit code 3 when no event comes for so long', wholeNumber({ min: 1 }));
  return act<EchoOptions>(command, echo);
}

async function echo(context: CommandContext<EchoOptions>, [text = '']: readonly string[]): Promise<undefined> {
  const { out, options, signal } = context;
  const { path, client, title } = await findTopic(context, text, { signal, wait: options.wait });
  const print = out.json ? eventJson : eventLine(isWildcard(path));
  const isHeld = heldBefore(systemClock());
  const silence = new SilenceTimer(options.timeoutMs);
  const stream = client.events(
    { path, ...requestedQuality(options) },
    { signal: AbortSignal.any([signal, silence.signal]) },
  );
  const gaps = stream.gaps$.subscribe((gap) => out.note(gapText(gap), { gap }));
  const endWatch = watchState(client, out);
  let left = options.once ? 1 : (options.count ?? Number.POSITIVE_INFINITY);
  try {
    for await (const event of stream) {
      silence.reset();
      await out.line(print(event, isHeld(event)));
      left -= 1;
      if (left <= 0) return undefined;
    }
    if (silence.signal.aborted) {
      throw new MeshError(
        'deadline-exceeded',
        `no event of ${title} for ${options.timeoutMs} ms; try: furrow doctor ${title}`,
      );
    }
    return undefined;
  } finally {
    silence.stop();
    gaps.unsubscribe();
    endWatch();
  }
}

function eventJson(event: MeshEvent, latched: boolean): string {
  const { service, path, sequence, type, timestamps } = event;
  const content = readContent(event);
  return JSON.stringify({
    service,
    path,
    sequence,
    time: sentAt(event)?.toISOString(),
    type,
    ...(latched ? { latched } : {}),
    timestamps,
    ...('error' in content ? content : { message: printable(content.message) }),
  });
}

function eventLine(withPath: boolean): (event: MeshEvent, latched: boolean) => string {
  return (event, latched) => {
    const time = sentAt(event);
    const content = readContent(event);
    const parts = [
      colors.dim(time === undefined ? '--:--:--.---' : clockTime(time)),
      ...(withPath ? [colors.cyan(event.path)] : []),
      colors.yellow(`#${event.sequence}`),
      ...(latched ? [colors.magenta('latched')] : []),
      'error' in content ? colors.red(content.error) : printValue(content.message),
    ];
    return parts.join('  ');
  };
}

/** An event whose payload is broken is shown as that; those behind it still count. */
function readContent(event: MeshEvent): { readonly message: unknown } | { readonly error: string } {
  try {
    return { message: event.message };
  } catch (error) {
    return { error: MeshError.from(error).message };
  }
}

function sentAt(event: MeshEvent): Date | undefined {
  const stamp = event.timestamps.find(
    ({ clockName, semantics }) => clockName.includes('/system_clock') && semantics === 'service/send',
  );
  const date = new Date((stamp?.stamp ?? Number.NaN) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function clockTime(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const millis = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

const reasons: Readonly<Record<Gap['reason'], string>> = {
  dropped: 'dropped by the publisher, because we read too slowly; a greater --depth helps',
  reconnect: 'published while the link was down',
  restart: 'published by the restarted service before the link was back',
};

function gapText({ service, path, from, to, count, reason }: Gap): string {
  const which = from === to ? `#${from}` : `#${from} … #${to}`;
  return `${count} event${count === 1 ? '' : 's'} of ${service}${path} lost (${which}): ${reasons[reason]}`;
}
