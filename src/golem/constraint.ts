import { MeshError } from '../base/errors.js';
import type { Properties } from './properties.js';

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** A constraint expression, parsed. */
export type Constraint =
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Constraint[] }
  | { readonly kind: 'not'; readonly part: Constraint }
  | { readonly kind: 'present'; readonly key: string }
  | { readonly kind: 'compare'; readonly key: string; readonly comparison: Comparison; readonly value: string };

const mostDepth = 64;
const mostLength = 100_000;

/**
 * Reads golem's constraint notation, which is LDAP's filter notation: `(&(golem.inf.mem.gib>=0.5)(|(a=1)(b=*)))`.
 * An empty text and `(&)` are satisfied by everything.
 * Errors: `invalid-argument` with the position of what is wrong.
 */
export function parseConstraint(text: string): Constraint {
  if (text.trim() === '') return { kind: 'all', parts: [] };
  if (text.length > mostLength) {
    throw new MeshError('invalid-argument', `A constraint of ${text.length} characters; ${mostLength} are allowed`);
  }
  const parser = new Parser(text);
  const constraint = parser.expression(0);
  parser.end();
  return constraint;
}

/** Whether properties satisfy a constraint. A property that is not there satisfies only a negation. */
export function matchesConstraint(constraint: Constraint, properties: Properties): boolean {
  switch (constraint.kind) {
    case 'all':
      return constraint.parts.every((part) => matchesConstraint(part, properties));
    case 'any':
      return constraint.parts.some((part) => matchesConstraint(part, properties));
    case 'not':
      return !matchesConstraint(constraint.part, properties);
    case 'present':
      return properties[constraint.key] !== undefined;
    case 'compare':
      return compares(properties[constraint.key], constraint.comparison, constraint.value);
  }
}

/** Back to text; `parseConstraint` of it gives the same constraint. */
export function formatConstraint(constraint: Constraint): string {
  switch (constraint.kind) {
    case 'all':
      return `(&${constraint.parts.map(formatConstraint).join('')})`;
    case 'any':
      return `(|${constraint.parts.map(formatConstraint).join('')})`;
    case 'not':
      return `(!${formatConstraint(constraint.part)})`;
    case 'present':
      return `(${constraint.key}=*)`;
    case 'compare':
      return `(${constraint.key}${constraint.comparison}${escapeValue(constraint.value)})`;
  }
}

function compares(actual: unknown, comparison: Comparison, expected: string): boolean {
  if (actual === undefined || actual === null) return false;
  // A list has a value when one of its elements has it: golem.runtime.capabilities=vpn.
  if (Array.isArray(actual)) {
    return comparison === '!='
      ? actual.every((element) => compares(element, '!=', expected))
      : actual.some((element) => compares(element, comparison, expected));
  }
  if (comparison === '=' || comparison === '!=') return equals(actual, expected) === (comparison === '=');
  const order = orderOf(actual, expected);
  if (order === undefined) return false;
  if (comparison === '<') return order < 0;
  if (comparison === '<=') return order <= 0;
  return comparison === '>' ? order > 0 : order >= 0;
}

function equals(actual: unknown, expected: string): boolean {
  if (typeof actual === 'number') return expected.trim() !== '' && actual === Number(expected);
  if (typeof actual === 'boolean') return String(actual) === expected.toLowerCase();
  const text = String(actual);
  if (!expected.includes('*')) return text === expected;
  const pattern = expected.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('[^]*?')}$`).test(text);
}

function orderOf(actual: unknown, expected: string): number | undefined {
  if (typeof actual === 'number') {
    const wanted = Number(expected);
    return expected.trim() === '' || Number.isNaN(wanted) ? undefined : actual - wanted;
  }
  if (typeof actual !== 'string') return undefined;
  return actual < expected ? -1 : Number(actual > expected);
}

function escapeValue(value: string): string {
  return value.replace(/[()\\]/g, (character) => `\\${character.charCodeAt(0).toString(16)}`);
}

function unescapeValue(value: string): string {
  return value.replace(/\\([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  expression(depth: number): Constraint {
    if (depth > mostDepth) this.#fail(`nesting deeper than ${mostDepth}`);
    this.#space();
    this.#expect('(');
    this.#space();
    const operator = this.#text[this.#at];
    let result: Constraint;
    if (operator === '&' || operator === '|') {
      this.#at += 1;
      const parts: Constraint[] = [];
      this.#space();
      while (this.#text[this.#at] === '(') {
        parts.push(this.expression(depth + 1));
        this.#space();
      }
      result = { kind: operator === '&' ? 'all' : 'any', parts };
    } else if (operator === '!') {
      this.#at += 1;
      result = { kind: 'not', part: this.expression(depth + 1) };
      this.#space();
    } else if (operator === ')' && depth === 0) {
      result = { kind: 'all', parts: [] };
    } else {
      result = this.#comparison();
    }
    this.#expect(')');
    return result;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#fail('something follows the closing parenthesis');
  }

  #comparison(): Constraint {
    const rest = this.#text.slice(this.#at);
    const match = /^([^=<>!()\s]+)\s*(!=|<=|>=|=|<|>)([^()]*)/.exec(rest);
    if (!match) this.#fail('expected a comparison such as golem.runtime.name=vm');
    const [whole, key = '', comparison = '=', value = ''] = match;
    this.#at += whole.length;
    if (comparison === '=' && value.trim() === '*') return { kind: 'present', key };
    return { kind: 'compare', key, comparison: comparison as Comparison, value: unescapeValue(value.trim()) };
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) this.#fail(`expected "${character}"`);
    this.#at += 1;
  }

  #fail(why: string): never {
    const near = this.#text.slice(Math.max(0, this.#at - 20), this.#at + 20);
    throw new MeshError('invalid-argument', `Constraint, character ${this.#at}: ${why}, near "${near}"`);
  }
}
