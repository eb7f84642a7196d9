import { join } from 'node:path';
import type { Mesh } from 'furrow';
import { defaultStateDir, type YagnaOptions } from 'furrow/golem';
import { distinctUntilChanged, filter, ignoreElements, map, merge, type Observable, of } from 'rxjs';
import { ConnectionFile } from '../golem-node/connection-file.js';

/** Where the Golem daemon is. */
export interface GolemPlace {
  /** Another one after a restart of the local node, which forgets everything. */
  readonly id: string;
  readonly yagna: YagnaOptions;
  /** Absent: the default. */
  readonly registryUrl?: string;
  /** For the requestor's journal. */
  readonly stateDir: string;
}

/** Why there is none. */
export interface NoPlace {
  readonly away: string;
}

/**
 * The daemon of YAGNA_API_URL, when YAGNA_APPKEY is set; else the local node `nodeName` of the mesh, whose file is read
 * at each of its starts.
 */
export function golemPlace(mesh: Mesh, nodeName: string, requestor: string): Observable<GolemPlace | NoPlace> {
  if (process.env.YAGNA_APPKEY) return of({ id: 'yagna', yagna: {}, stateDir: join(defaultStateDir(), requestor) });
  const client = mesh.client(nodeName);
  const file = new ConnectionFile(mesh.config.services.find(({ name }) => name === nodeName)!.port!);
  const place = (epoch: string): GolemPlace | NoPlace => {
    const connection = file.read();
    if (connection === undefined) return { away: `${nodeName} is there, but has left no key that this user can read` };
    return { id: epoch, yagna: connection, registryUrl: connection.url, stateDir: file.journalsOf(requestor) };
  };
  const states = client.state$.pipe(
    // Whether it is there shows in a moment.
    filter(({ status }) => status !== 'idle' && status !== 'connecting'),
    map(({ status, epoch, reason = status }) =>
      status === 'connected' && epoch !== undefined ? place(epoch) : { away: `waiting for ${nodeName}: ${reason}` },
    ),
    distinctUntilChanged((one, other) => ('id' in one && 'id' in other ? one.id === other.id : false)),
  );
  // A link that nobody listens on is not kept up.
  return merge(states, client.subscribe('/agreements').pipe(ignoreElements()));
}
