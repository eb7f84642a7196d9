import Table, { type Cell } from 'cli-table3';
import { colors } from './colors.js';

export interface TableOptions {
  /** Columns whose numbers line up at the right. */
  readonly right?: readonly number[];
  /** Widths in columns, for cells that are to be wrapped. */
  readonly widths?: readonly (number | null)[];
}

/** A table without lines, its head in capitals: easy to read, and to cut with awk. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string {
  const table = new Table({
    head: head.map((title) => colors.dim(title.toUpperCase())),
    chars: blankChars,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) => (options.right?.includes(column) ? 'right' : 'left')),
    ...(options.widths === undefined ? {} : { colWidths: [...options.widths], wordWrap: true }),
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const blankChars = {
  ...Object.fromEntries(
    ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) => [
      [side, ''],
      [`${side}-mid`, ''],
      [`${side}-left`, ''],
      [`${side}-right`, ''],
    ]),
  ),
  middle: '  ',
};
