import { errorCodes } from './frames.js';
import { decodeHuffman } from './huffman.js';
import { ProtocolError } from './protocol-error.js';
import { staticTable } from './static-table.js';

/** Name → value; names in lower case. Values of one name that came several times are joined by `, `. */
export type HeaderFields = Readonly<Record<string, string>>;

type Field = readonly [name: string, value: string];

/** The table that the other end may fill: what HTTP/2 begins with. */
const tableBytes = 4096;
/** Longer headers are an attack, or a mistake: each field counts with its name, its value and 32 bytes. */
export const maxHeaderBytes = 256 * 1024;
// RFC 7541, section 4.1.
const fieldOverheadBytes = 32;

/** Reads the header blocks of a connection, in the order in which they came. Format: HPACK, RFC 7541. */
export class HeaderDecoder {
  /** The newest first. */
  private readonly table: Field[] = [];
  private tableSize = 0;
  private tableLimit = tableBytes;
  private block: Buffer = Buffer.alloc(0);
  private at = 0;

  /** Errors: `ProtocolError` for what is no header block, or means too much; the connection cannot go on then. */
  decode(block: Buffer): HeaderFields {
    this.block = block;
    this.at = 0;
    const fields: Record<string, string> = Object.create(null);
    let bytes = 0;
    while (this.at < block.length) {
      const field = this.next();
      if (field === undefined) {
        if (bytes > 0) throw broken('its table changes behind a field');
        continue;
      }
      // One byte can mean a field of kilobytes.
      bytes += sizeOf(field);
      if (bytes > maxHeaderBytes) throw new ProtocolError(errorCodes.enhanceYourCalm, 'its headers are too long');
      const [name, value] = field;
      const before = fields[name];
      fields[name] = before === undefined ? value : `${before}, ${value}`;
    }
    return fields;
  }

  /** Undefined for what is about the table. */
  private next(): Field | undefined {
    const first = this.block[this.at]!;
    if (first >= 0x80) return this.field(this.number(7));
    if (first >= 0x40) {
      const field = this.literal(6);
      this.add(field);
      return field;
    }
    if (first >= 0x20) {
      const limit = this.number(5);
      if (limit > tableBytes) throw broken('its table grows over what was allowed');
      this.tableLimit = limit;
      this.evict();
      return undefined;
    }
    // Whether it may be put into tables further on matters to proxies only.
    return this.literal(4);
  }

  private literal(prefixBits: number): Field {
    const index = this.number(prefixBits);
    const name = index === 0 ? this.string() : this.field(index)[0];
    return [name, this.string()];
  }

  private field(index: number): Field {
    const field = index <= staticTable.length ? staticTable[index - 1] : this.table[index - staticTable.length - 1];
    if (field === undefined) throw broken(`there is no field ${index}`);
    return field;
  }

  private add(field: Field): void {
    this.table.unshift(field);
    this.tableSize += sizeOf(field);
    this.evict();
  }

  private evict(): void {
    while (this.tableSize > this.tableLimit) this.tableSize -= sizeOf(this.table.pop()!);
  }

  /** RFC 7541, section 5.1. */
  private number(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let number = this.byte() & most;
    if (number < most) return number;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      number += (byte & 0x7f) * 2 ** shift;
      if (shift > 28) throw broken('a number is too long');
      if (byte < 0x80) return number;
    }
  }

  private string(): string {
    const isHuffman = this.at < this.block.length && this.block[this.at]! >= 0x80;
    const length = this.number(7);
    const end = this.at + length;
    if (end > this.block.length) throw broken('it ends within a string');
    const text = isHuffman
      ? decodeHuffman(this.block.subarray(this.at, end))
      : this.block.toString('latin1', this.at, end);
    this.at = end;
    return text;
  }

  private byte(): number {
    if (this.at >= this.block.length) throw broken('it ends too early');
    return this.block[this.at++]!;
  }
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + fieldOverheadBytes;
}

function broken(what: string): ProtocolError {
  return new ProtocolError(errorCodes.compressionError, `a header block cannot be read: ${what}`);
}
