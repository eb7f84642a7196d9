import type { EventServer } from '../../mesh/event-server.js';
import { EventService } from '../../mesh/event-service.js';
import type { EventServiceOptions } from '../../mesh/event-service-options.js';
import type { StructObject } from '../../messages/struct.js';
import type { PlayerStatus, SteppedEvent } from './player-status.js';

/** What can be asked of a player; see `Player`. */
export interface PlayerControls {
  readonly status: PlayerStatus;
  pause(): void;
  resume(): void;
  seek(positionS: number): void;
  step(): Promise<SteppedEvent>;
  setRate(rate: number): void;
}

type Act = (value: number) => unknown;

const requestTypes: Readonly<Record<string, string>> = {
  '/seek': 'google.protobuf.DoubleValue',
  '/rate': 'google.protobuf.DoubleValue',
};

/**
 * The player's own service: `/status`, `/pause`, `/resume`, `/step`, `/seek` (seconds) and `/rate` (0: as fast as
 * possible). Each replies the status as a Struct, `/step` with the `event` that it published.
 */
export function controlService(
  player: PlayerControls,
  name: string,
  options: Pick<EventServiceOptions, 'registry' | 'logger'> & { readonly server: EventServer },
): EventService {
  const acts: Readonly<Record<string, Act>> = {
    '/status': () => undefined,
    '/pause': () => player.pause(),
    '/resume': () => player.resume(),
    '/step': async () => ({ event: await player.step() }),
    '/seek': (positionS) => player.seek(positionS),
    '/rate': (rate) => player.setRate(rate),
  };
  const reply = 'google.protobuf.Struct';
  const requests = Object.keys(acts).map((path) => ({
    path,
    request: requestTypes[path] ?? 'google.protobuf.Empty',
    reply,
  }));
  const { host } = options.server;
  const service = new EventService(
    { name, host, published: [], subscriptions: [], requests, args: [], logLevel: 'notset' },
    options,
  );
  for (const [path, act] of Object.entries(acts)) {
    service.onRequest(path, async (value: number) => {
      const more = await act(value);
      return structOf({ ...player.status, ...(more as object | undefined) });
    });
  }
  return service;
}

/** Without what is undefined. */
function structOf(content: object): StructObject {
  return JSON.parse(JSON.stringify(content)) as StructObject;
}
