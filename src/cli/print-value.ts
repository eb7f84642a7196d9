import { toJson } from '../messages/json.js';

export { toJson as printable } from '../messages/json.js';

/** The value on one line, for people: long bytes are cut. */
export function printValue(value: unknown): string {
  return JSON.stringify(toJson(value, { maxBytes: 24 }));
}
