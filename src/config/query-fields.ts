import type { FaultList } from '../base/faults.js';
import { parseQuery } from '../base/query.js';
import { didYouMean } from '../base/suggest.js';
import { cut } from './fields.js';

/** Parts of a query that name the service, in the spelling of today and the older one. */
const serviceKeys = ['service_name', 'service'] as const;

/** The parts of a URI's query in a configuration, with their faults. Parts nobody knows are left to whoever does. */
export class QueryFields {
  readonly #at: string;
  readonly #parts: ReadonlyMap<string, string>;
  readonly #faults: FaultList;

  constructor(query: string, at: string, known: readonly string[], faults: FaultList) {
    this.#at = at;
    this.#faults = faults;
    this.#parts = parseQuery(query);
    const names = [...known, ...serviceKeys];
    for (const key of this.#parts.keys()) {
      if (names.includes(key)) continue;
      const suggestion = key.length > 40 ? '' : didYouMean(key, names);
      if (suggestion !== '') faults.add(at, `unknown query part "${key}"${suggestion}`);
    }
  }

  has(key: string): boolean {
    return this.#parts.has(key);
  }

  text(key: string): string | undefined {
    return this.#parts.get(key);
  }

  /** The service that the query names; undefined if it names none. */
  service(): string | undefined {
    const [name, older] = serviceKeys.map((key) => this.#parts.get(key) || undefined);
    if (name !== undefined && older !== undefined && name !== older) {
      this.fault(`the query names two services, "${cut(name)}" and "${cut(older)}"; keep service_name=`);
    }
    return name ?? older;
  }

  /** Undefined when absent or faulty. */
  integer(key: string, least: number, most: number): number | undefined {
    const text = this.#parts.get(key);
    if (text === undefined) return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.fault(`${key}=${cut(text)} is not a whole number from ${least} to ${most}`);
    return undefined;
  }

  /** False when absent or faulty. */
  boolean(key: string): boolean {
    const text = this.#parts.get(key);
    if (text !== undefined && text !== 'true' && text !== 'false') {
      this.fault(`${key}=${cut(text)} is neither true nor false; write ${key}=true`);
    }
    return text === 'true';
  }

  /** A full message name; empty when absent or faulty. */
  messageType(key: string): string {
    const text = this.#parts.get(key) ?? '';
    if (text === '' || /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(text)) return text;
    this.fault(`${key}=${cut(text)} is not a message name; write it in full, such as google.protobuf.Struct`);
    return '';
  }

  fault(message: string): void {
    this.#faults.add(this.#at, message);
  }
}
