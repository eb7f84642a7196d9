import { MeshError } from '../../base/errors.js';
import { type Cell, flatten, JsonCell } from './flatten.js';

/** What a column of a table holds; `json` is text that holds what fits no other. */
export type ColumnKind = 'boolean' | 'int64' | 'double' | 'string' | 'bytes' | 'time' | 'json';

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

const mostColumns = 10_000;
const mostInt64 = 2n ** 63n - 1n;

/** Finds the columns that the messages of one path need, by looking at all of them. */
export class TableColumns {
  private readonly kinds = new Map<string, ColumnKind | undefined>();
  private readonly path: string;

  /** @param path How errors name it. */
  constructor(path: string) {
    this.path = path;
  }

  /** Errors: `resource-exhausted` for a path with more than 10,000 columns. */
  add(message: unknown): void {
    flatten(message, (name, cell) => {
      const known = this.kinds.get(name);
      const kind = kindOf(cell);
      if (known === kind && known !== undefined) return;
      this.kinds.set(name, known === undefined ? kind : kind === undefined ? known : join(known, kind));
      if (this.kinds.size > mostColumns) {
        const what = `${this.path} has more than ${mostColumns} different fields`;
        throw new MeshError('resource-exhausted', `${what}, too many for a table; convert it to .jsonl`);
      }
    });
  }

  /** In the order in which they came; one that was always empty is text. */
  get columns(): Column[] {
    return [...this.kinds].map(([name, kind]) => ({ name, kind: kind ?? 'string' }));
  }
}

/** Undefined for an empty cell, which fits any. */
function kindOf(cell: Cell | JsonCell): ColumnKind | undefined {
  if (cell === null) return undefined;
  if (cell instanceof JsonCell) return 'json';
  if (cell instanceof Date) return 'time';
  if (cell instanceof Uint8Array) return 'bytes';
  if (typeof cell === 'bigint') return cell > mostInt64 || cell < -mostInt64 - 1n ? 'string' : 'int64';
  if (typeof cell === 'number') return 'double';
  return typeof cell === 'boolean' ? 'boolean' : 'string';
}

/** What holds values of both kinds. */
function join(one: ColumnKind, other: ColumnKind): ColumnKind {
  if (one === other) return one;
  return one === 'json' || other === 'json' ? 'json' : 'string';
}
