import { createLogUpdate } from 'log-update';
import type { Player } from '../../recording/player/player.js';
import type { PlayerStatus } from '../../recording/player/player-status.js';
import { showSeconds } from '../units.js';

const drawMs = 100;
const barColumns = 24;

/** The line on standard error that shows where playing stands. */
export interface PlaybackLine {
  follow(player: Pick<Player, 'status'>): void;
  /** Makes room for other lines; it comes again by itself. */
  clear(): void;
  /** Can be called twice. */
  stop(): void;
}

/** Draws ten times a second; nothing where standard error is no terminal. */
export function playbackLine(stream: NodeJS.WriteStream = process.stderr): PlaybackLine {
  if (stream.isTTY !== true) return { follow: () => undefined, clear: () => undefined, stop: () => undefined };
  // A cursor that is hidden stays hidden after a kill.
  const draw = createLogUpdate(stream, { showCursor: true });
  let timer: NodeJS.Timeout | undefined;
  return {
    follow: (player) => {
      timer = setInterval(() => draw(statusLine(player.status)), drawMs);
    },
    clear: () => draw.clear(),
    stop: () => {
      clearInterval(timer);
      draw.clear();
    },
  };
}

/** `playing  00:12.3 ████░░░░ 01:00.0  ×1  1234 events  2 subscribers`. */
export function statusLine(status: PlayerStatus): string {
  const { state, positionS, startS, endS, rate, events, subscribers, lateS, loops } = status;
  const part = endS > startS ? Math.min(1, Math.max(0, (positionS - startS) / (endS - startS))) : 1;
  const filled = Math.round(part * barColumns);
  const parts = [
    state,
    `${clock(positionS)} ${'█'.repeat(filled)}${'░'.repeat(barColumns - filled)} ${clock(endS)}`,
    rate === 0 ? 'max' : `×${rate}`,
    `${events} events`,
    `${subscribers} subscriber${subscribers === 1 ? '' : 's'}`,
  ];
  if (loops > 0) parts.push(`loop ${loops + 1}`);
  if (lateS > 0) parts.push(`slowed by ${showSeconds(lateS)}`);
  return parts.join('  ');
}

/** `01:02.3`, with hours where there are some. */
function clock(positionS: number): string {
  const tenths = Math.floor(positionS * 10);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const hours = Math.floor(tenths / 36_000);
  const rest = `${two((tenths / 600) % 60)}:${two((tenths / 10) % 60)}.${tenths % 10}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
