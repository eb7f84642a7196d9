import { emitKeypressEvents, type Key } from 'node:readline';
import { MeshError } from '../../base/errors.js';
import type { Player } from '../../recording/player/player.js';

const arrowS = 5;

/**
 * Lets whoever sits at the terminal pause (space), go back and forth (arrows), step (full stop) and end (q). Nothing
 * where standard input is no terminal. Gives the function that ends it.
 */
export function controlByKeys(
  player: Player,
  { enabled, note }: { readonly enabled: boolean; readonly note: (text: string) => void },
): () => void {
  const { stdin } = process;
  if (!enabled || !stdin.isTTY) return () => undefined;
  const press = (_: string | undefined, { name, sequence, ctrl }: Key): void => {
    // A terminal that hands over every key sends no signals by itself.
    if (name === 'q' || (ctrl === true && name === 'c')) process.kill(process.pid, 'SIGINT');
    else act(player, sequence === '.' ? '.' : (name ?? ''), note);
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.on('keypress', press);
  stdin.resume();
  return () => {
    stdin.off('keypress', press);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

function act(player: Player, key: string, note: (text: string) => void): void {
  const { state, positionS, startS, endS } = player.status;
  if (state === 'ended') return;
  if (key === 'space') {
    if (state === 'paused') player.resume();
    else player.pause();
  } else if (key === 'left') player.seek(Math.max(startS, positionS - arrowS));
  else if (key === 'right') player.seek(Math.min(endS, positionS + arrowS));
  else if (key === '.') player.step().catch((error) => note(MeshError.from(error).message));
}
