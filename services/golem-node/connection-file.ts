import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What a requestor has to know of a daemon. */
export interface Connection {
  /** For `YAGNA_API_URL`. */
  readonly url: string;
  /** For `YAGNA_APPKEY`. */
  readonly appKey: string;
}

/**
 * How the services of a mesh find its local node: a file that only this user can read, named after the mesh port of
 * the node's entry, which is its own on this machine. Not a request of the mesh: whoever reaches the port, other users
 * of the machine included, would get a key that runs commands.
 */
export class ConnectionFile {
  readonly #folder: string;
  readonly #file: string;

  /** `port`: of the node's entry in the configuration. */
  constructor(port: number) {
    const state = process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state');
    this.#folder = join(state, 'furrow', 'golem-node', String(port));
    this.#file = join(this.#folder, 'connection.json');
  }

  /** Where a requestor keeps its journal of what it holds at this node. */
  journalsOf(requestor: string): string {
    return join(this.#folder, 'journals', requestor);
  }

  /** Of a new node: what requestors held at the one before went with it, and so do their journals. */
  write({ url, appKey }: Connection): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#removeJournals();
    const next = `${this.#file}.new`;
    writeFileSync(next, JSON.stringify({ url, appKey }), { mode: 0o600 });
    renameSync(next, this.#file);
  }

  /** Undefined when there is none. */
  read(): Connection | undefined {
    try {
      const { url, appKey } = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Connection>;
      return typeof url === 'string' && typeof appKey === 'string' ? { url, appKey } : undefined;
    } catch {
      return undefined;
    }
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #removeJournals(): void {
    const journals = join(this.#folder, 'journals');
    try {
      for (const path of readdirSync(journals, { recursive: true })) {
        // Only files: a requestor that is still there writes into the folder.
        if (String(path).endsWith('.json')) rmSync(join(journals, String(path)), { force: true });
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
