/** The cells of one column of a row group that is being gathered. */
export interface ParquetCells {
  /** Rows are set in their order; undefined for a row that has none, and as often as one likes. */
  set(row: number, value: unknown): void;
  /** The first `rows` cells. */
  take(rows: number): unknown[];
}

/** Numbers, which would otherwise be an object each, of an age at which collecting them is dear. */
export class NumberCells implements ParquetCells {
  private readonly numbers: Float64Array;
  private readonly isSet: Uint8Array;

  constructor(mostRows: number) {
    this.numbers = new Float64Array(mostRows);
    this.isSet = new Uint8Array(mostRows);
  }

  set(row: number, value: unknown): void {
    this.isSet[row] = typeof value === 'number' ? 1 : 0;
    if (typeof value === 'number') this.numbers[row] = value;
  }

  take(rows: number): unknown[] {
    return Array.from({ length: rows }, (_, row) => (this.isSet[row] === 1 ? this.numbers[row] : undefined));
  }
}

/** Anything else. */
export class AnyCells implements ParquetCells {
  private cells: unknown[] = [];
  /** Text that repeats is held once. */
  private last: unknown;

  set(row: number, value: unknown): void {
    if (value !== undefined && value !== this.last) this.last = value;
    this.cells[row] = value === undefined ? undefined : this.last;
  }

  take(rows: number): unknown[] {
    const cells = this.cells.slice(0, rows);
    this.cells = [];
    return cells;
  }
}
