import { MeshError } from '../base/errors.js';
import { staticTable } from './static-table.js';

// A name that stands several times in the table is found at its first place; whole fields by both.
const names = new Map(staticTable.map(([name], index) => [name, index + 1] as const).reverse());
const fields = new Map(staticTable.map(([name, value], index) => [`${name}\n${value}`, index + 1]));

const validName = /^:?[a-z0-9!#$%&'*+.^_`|~-]+$/;
// Visible Latin-1, and blanks and tabs within: what a header can hold.
const validValue = /^(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])$/;

/**
 * Stands once ahead of the first block of a connection, and says that none of them uses the other end's table: one that
 * wants its table smaller than usual waits for that. Source: RFC 7541, section 4.2.
 */
export const noTable = Buffer.of(0x20);

/**
 * A header block that leaves no trace in the other end's table, so that blocks can be made in any order. Format: HPACK,
 * RFC 7541. Errors: `invalid-argument` for a field that HTTP cannot carry.
 */
export function encodeHeaders(headers: Iterable<readonly [name: string, value: string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    if (!validName.test(name)) throw new MeshError('invalid-argument', `'${name}' cannot be the name of a header`);
    if (!validValue.test(value)) {
      throw new MeshError('invalid-argument', `header ${name} cannot hold ${JSON.stringify(value)}; use a -bin header`);
    }
    const field = fields.get(`${name}\n${value}`);
    if (field !== undefined) {
      parts.push(encodeNumber(field, 7, 0x80));
      continue;
    }
    const index = names.get(name) ?? 0;
    parts.push(encodeNumber(index, 4, 0));
    if (index === 0) parts.push(...encodeString(name));
    parts.push(...encodeString(value));
  }
  return Buffer.concat(parts);
}

function encodeString(text: string): Buffer[] {
  return [encodeNumber(text.length, 7, 0), Buffer.from(text, 'latin1')];
}

/** RFC 7541, section 5.1. */
function encodeNumber(number: number, prefixBits: number, flag: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (number < most) return Buffer.of(flag | number);
  const bytes = [flag | most];
  let rest = number - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
