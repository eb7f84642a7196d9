import { toJson } from '../../messages/json.js';

/** What a cell of a table can hold. */
export type Cell = null | boolean | number | bigint | string | Date | Uint8Array;

/** A field that no cell can hold, such as a list: its JSON. */
export class JsonCell {
  constructor(readonly text: string) {}
}

const mostDepth = 32;

/**
 * The fields of a message as columns, those of messages within it as `outer.inner`, in the order of the message. A
 * message that is no object, such as a StringValue, is the column `value`.
 */
export function flatten(message: unknown, visit: (column: string, cell: Cell | JsonCell) => void): void {
  if (isFields(message)) flattenFields(message, '', 0, visit);
  else visit('value', cellOf(message));
}

function flattenFields(
  fields: object,
  prefix: string,
  depth: number,
  visit: (column: string, cell: Cell | JsonCell) => void,
): void {
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    const column = prefix === '' ? key : `${prefix}.${key}`;
    if (isFields(value) && depth < mostDepth) flattenFields(value, column, depth + 1, visit);
    else visit(column, cellOf(value));
  }
}

function isFields(value: unknown): value is object {
  return typeof value === 'object' && Object.prototype.toString.call(value) === '[object Object]';
}

function cellOf(value: unknown): Cell | JsonCell {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object') return value as Cell;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  return new JsonCell(JSON.stringify(toJson(value)));
}
