import { existsSync } from 'node:fs';
import Database from 'libsql';
import { Failure, messageOf } from './failure.js';

/** One row of `--dump`. `time_added` is UTC, to the second. */
export interface Observation {
  readonly val: number;
  readonly time_added: string;
}

/** How long a program waits for another one that holds the database, in ms. */
const busyTimeoutMs = 5000;

/** Ids count up from 1 without holes, because rows are never deleted; `since` relies on it. */
const schema = `CREATE TABLE observations (
  id INTEGER PRIMARY KEY,
  val REAL NOT NULL,
  time_added TEXT NOT NULL DEFAULT (datetime('now'))
)`;

/**
 * The observations, in a SQLite database with a rollback journal: write-ahead logging needs shared memory, which the
 * network file systems behind a VM's volumes do not have. `synchronous = EXTRA` makes an accepted value survive the
 * loss of power too.
 */
export class ObservationStore {
  readonly #path: string;
  readonly #database: Database.Database;

  private constructor(path: string, database: Database.Database) {
    this.#path = path;
    this.#database = database;
  }

  /** Creates the table. Throws a {@link Failure} and keeps the data when there is one already. */
  static create(path: string): ObservationStore {
    const store = new ObservationStore(path, connect(path));
    try {
      store.#guard(() => {
        store.#database.exec('BEGIN IMMEDIATE');
        if (store.#hasTable()) {
          throw new Failure(`${path} is initialised already; its observations are kept`);
        }
        store.#database.exec(schema);
        store.#database.exec('COMMIT');
      });
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** Opens a store that {@link create} made. Throws a {@link Failure} when there is none. */
  static open(path: string): ObservationStore {
    if (!existsSync(path)) throw new Failure(`${path} does not exist; run simple_service --init first`);
    const store = new ObservationStore(path, connect(path));
    try {
      store.#guard(() => {
        if (!store.#hasTable()) {
          throw new Failure(`${path} has no table of observations; run simple_service --init first`);
        }
      });
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** Stores one finite number; it is on disk when this returns. */
  add(value: number): void {
    if (!Number.isFinite(value)) throw new Failure(`${value} is not a finite number, so it was not stored`);
    this.#guard(() => this.#database.prepare('INSERT INTO observations (val) VALUES (?)').run(value));
  }

  /** Every value, oldest first. */
  values(): number[] {
    return this.#guard(
      () => this.#database.prepare('SELECT val FROM observations ORDER BY id').pluck().all() as number[],
    );
  }

  /** The rows after the first `since` ones, oldest first. */
  rows(since = 0): Observation[] {
    return this.#guard(
      () =>
        this.#database
          .prepare('SELECT val, time_added FROM observations WHERE id > ? ORDER BY id')
          .all(since) as Observation[],
    );
  }

  close(): void {
    this.#database.close();
  }

  #hasTable(): boolean {
    const found = this.#database
      .prepare("SELECT count(*) AS count FROM sqlite_master WHERE type = 'table' AND name = 'observations'")
      .get() as { count: number };
    return found.count > 0;
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw explain(this.#path, error);
    }
  }
}

function connect(path: string): Database.Database {
  try {
    const database = new Database(path, { timeout: busyTimeoutMs });
    database.exec('PRAGMA synchronous = EXTRA');
    return database;
  } catch (error) {
    throw explain(path, error);
  }
}

function explain(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  const reason = messageOf(error);
  if (code.startsWith('SQLITE_FULL')) return new Failure(`${path}: the disk is full; nothing was stored`);
  if (code.startsWith('SQLITE_NOTADB')) return new Failure(`${path} is not a SQLite database; move it away`);
  if (code.startsWith('SQLITE_CORRUPT')) return new Failure(`${path} is a damaged SQLite database: ${reason}`);
  if (code.startsWith('SQLITE_BUSY')) {
    return new Failure(`${path} was held by another process for ${busyTimeoutMs / 1000} s; nothing was stored`);
  }
  if (code.startsWith('SQLITE_READONLY')) return new Failure(`${path} cannot be written to; nothing was stored`);
  if (code.startsWith('SQLITE_IOERR')) {
    return new Failure(`${path}: the disk refused (full, over quota, or broken): ${reason}; nothing was stored`);
  }
  if (/unable to open/i.test(reason)) {
    return new Failure(`${path} cannot be opened: is its folder there, and may this user write to it?`);
  }
  return new Failure(`${path}: ${reason}`);
}
