import type { FaultList } from '../base/faults.js';
import { didYouMean, listNames } from '../base/suggest.js';
import type { Json, JsonObject } from './json.js';

/** The fields of one JSON object of a configuration, read by proto3 JSON's rules. Every fault goes to the list. */
export class Fields {
  readonly at: string;
  readonly #object: JsonObject;
  readonly #faults: FaultList;

  /**
   * `known` maps the keys that may stand to their field: `{ every_n: 'everyN', everyN: 'everyN' }`. Other keys are
   * faults, because farm-ng's loader refuses them and one file serves both sides.
   */
  constructor(object: JsonObject, at: string, known: Readonly<Record<string, string>>, faults: FaultList) {
    this.at = at;
    this.#faults = faults;
    this.#object = Object.create(null);
    for (const [key, value] of Object.entries(object)) {
      const field = Object.hasOwn(known, key) ? known[key] : undefined;
      if (field === undefined) {
        const names = Object.keys(known);
        faults.add(at, () => `unknown key "${cut(key)}"${didYouMean(key, names) || `; known are ${listNames(names)}`}`);
      } else if (field in this.#object) {
        faults.add(this.path(field), `stands twice, once as "${key}"; keep one spelling`);
      } else if (value !== null) {
        // proto3 JSON reads null as "absent".
        this.#object[field] = value;
      }
    }
  }

  path(field: string): string {
    return this.at === '' ? field : `${this.at}.${field}`;
  }

  has(field: string): boolean {
    return field in this.#object;
  }

  raw(field: string): Json {
    return this.#object[field] ?? null;
  }

  /** Empty when absent or faulty. */
  string(field: string): string {
    const value = this.raw(field);
    if (typeof value === 'string') return value;
    if (value !== null) this.#faults.add(this.path(field), `is ${describe(value)}; write a string`);
    return '';
  }

  /** 0 when absent or faulty. A string of digits counts, as proto3 JSON has it. */
  integer(field: string, most: number): number {
    const value = this.raw(field);
    if (value === null) return 0;
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= most) return number;
    this.#faults.add(this.path(field), `is ${describe(value)}; write a whole number from 0 to ${most}`);
    return 0;
  }

  /** Empty when absent or faulty. */
  list(field: string): readonly Json[] {
    const value = this.raw(field);
    if (Array.isArray(value)) return value;
    if (value !== null) this.#faults.add(this.path(field), `is ${describe(value)}; write a list in [ ]`);
    return [];
  }
}

/** What a faulty value is, in a few characters: `the number 5`, `an object`. */
export function describe(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return `the string "${cut(value)}"`;
    case 'object':
      return 'an object';
    default:
      return `${typeof value === 'number' ? 'the number ' : ''}${value}`;
  }
}

/** Whether the value is an object, and not a list or null. */
export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A user's text in a message: at most 80 characters of it. */
export function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
