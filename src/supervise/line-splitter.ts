const newline = 0x0a;

/**
 * Cuts a byte stream into lines. A line longer than the limit comes in pieces, cut between characters, so that output
 * without line ends costs no more memory than the limit.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param maxBytes longest piece of a line, at least 4 */
  constructor(maxBytes = 65_536) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that `chunk` completes, without their ends. */
  push(chunk: Buffer): readonly Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      start = this.#cut(bytes, start, end, lines);
      lines.push(withoutReturn(bytes.subarray(start, end)));
      start = end + 1;
    }
    start = this.#cut(bytes, start, bytes.length, lines);
    this.#rest = bytes.subarray(start);
    return lines;
  }

  /** What came after the last line end. */
  finish(): readonly Buffer[] {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : [withoutReturn(rest)];
  }

  /** Takes pieces off the front until what is left of the line fits. Returns where that starts. */
  #cut(bytes: Buffer, from: number, end: number, pieces: Buffer[]): number {
    let start = from;
    while (end - start > this.#maxBytes) {
      let at = start + this.#maxBytes;
      // At most three bytes of UTF-8 follow the first one of a character.
      for (let back = 0; back < 3 && isContinuation(bytes[at]); back += 1) at -= 1;
      pieces.push(bytes.subarray(start, at));
      start = at;
    }
    return start;
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
