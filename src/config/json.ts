import { MeshError } from '../base/errors.js';

/** A parsed JSON value. Objects have no prototype, so that a key such as `__proto__` is a key like any other. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

/** A key that an object has twice: JSON.parse keeps the last one silently, farm-ng's loader refuses it. */
interface DuplicateKey {
  readonly key: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface ParsedJson {
  readonly value: Json;
  readonly duplicates: readonly DuplicateKey[];
}

const maxDepth = 64;
const mostDuplicates = 50;
// Without the sticky flag and its state: each is tried on the few characters a scalar may have.
const numberToken = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const wordToken = /^[A-Za-z_$][\w$]*/;
const longestScalar = 400;
const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;

/**
 * Reads JSON as JSON.parse does (RFC 8259), but every error names its line and column on every Node version, and a
 * key that stands twice in an object is reported. Nesting is limited to 64 levels.
 *
 * @throws MeshError `invalid-argument`
 */
export function parseJson(text: string, file: string): ParsedJson {
  const reader = new JsonReader(text, file);
  return { value: reader.document(), duplicates: reader.duplicates };
}

class JsonReader {
  readonly duplicates: DuplicateKey[] = [];
  readonly #text: string;
  readonly #file: string;
  #at = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  document(): Json {
    this.#space();
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('text goes on after the end of the JSON value; remove what follows');
    return value;
  }

  #value(depth: number): Json {
    if (depth > maxDepth) this.#fail(`nested deeper than ${maxDepth} levels`);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = Object.create(null);
    this.#at += 1;
    this.#space();
    if (this.#take('}')) return object;
    while (true) {
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"') this.#fail(this.#insteadOf('a key in double quotes'));
      const key = this.#string();
      if (key in object && this.duplicates.length < mostDuplicates) {
        this.duplicates.push({ key: shorten(key), ...this.#place(keyAt) });
      }
      this.#space();
      if (!this.#take(':')) this.#fail(this.#insteadOf(`":" after the key "${shorten(key)}"`));
      this.#space();
      object[key] = this.#value(depth + 1);
      this.#space();
      if (this.#take('}')) return object;
      this.#comma('}');
    }
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#at += 1;
    this.#space();
    if (this.#take(']')) return array;
    while (true) {
      array.push(this.#value(depth + 1));
      this.#space();
      if (this.#take(']')) return array;
      this.#comma(']');
    }
  }

  #comma(end: string): void {
    const commaAt = this.#at;
    if (!this.#take(',')) this.#fail(this.#insteadOf(`"," or "${end}"`));
    this.#space();
    if (this.#text[this.#at] === end) this.#fail(`a comma stands before "${end}"; remove it`, commaAt);
  }

  #string(): string {
    const start = this.#at;
    // By hand: a regular expression would run out of stack on a string of megabytes.
    for (let at = start + 1; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at);
      if (code === quote) {
        this.#at = at + 1;
        return this.#unescape(start);
      }
      if (code === backslash) at += 1;
      else if (code < space) this.#fail('a string is not closed on its line', start);
    }
    return this.#fail('a string is not closed; the file is cut off', start);
  }

  #unescape(start: number): string {
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      return this.#fail('a string has a broken escape; write a backslash as \\\\', start);
    }
  }

  #scalar(): Json {
    const start = this.#at;
    const number = this.#match(numberToken);
    if (number !== undefined) return Number(number);
    const word = this.#match(wordToken);
    if (word === 'null') return null;
    if (word === 'true' || word === 'false') return word === 'true';
    this.#at = start;
    return this.#fail(this.#insteadOf('a value'));
  }

  #insteadOf(wanted: string): string {
    const found = this.#text.codePointAt(this.#at);
    if (found === undefined) return `the text ends where ${wanted} should stand; the file is cut off`;
    const shown = JSON.stringify(this.#wordHere() ?? String.fromCodePoint(found));
    const comment = this.#text.startsWith('//', this.#at) || this.#text.startsWith('/*', this.#at);
    return `found ${shown} where ${wanted} should stand${comment ? '; JSON has no comments' : ''}`;
  }

  #wordHere(): string | undefined {
    const start = this.#at;
    const word = this.#match(wordToken);
    this.#at = start;
    return word === undefined ? undefined : shorten(word);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(token: RegExp): string | undefined {
    const found = token.exec(this.#text.slice(this.#at, this.#at + longestScalar))?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? '-')) this.#at += 1;
  }

  #place(offset: number): { line: number; column: number } {
    const lines = this.#text.slice(0, offset).split('\n');
    return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
  }

  #fail(what: string, offset: number = this.#at): never {
    const { line, column } = this.#place(offset);
    const message = `not JSON: line ${line}, column ${column}: ${what}`;
    throw new MeshError('invalid-argument', `${this.#file}: ${message}`, {
      faults: [{ at: `line ${line}, column ${column}`, message: `not JSON: ${what}` }],
    });
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
