import { FaultList } from './faults.js';
import { didYouMean, listNames } from './suggest.js';

/** One arg of a program: how its text becomes a value. Made with `arg`. */
export interface ArgSpec<Value> {
  readonly kind: 'number' | 'integer' | 'string' | 'boolean';
  /** May be left out: `defaultValue` then stands, which may be undefined. */
  readonly optional: boolean;
  readonly defaultValue?: Value;
  /** For `--help` and messages. */
  readonly description?: string;
  /** `Hz`, `ms`: for messages. */
  readonly unit?: string;
  /** The value, or what is wrong with the text. */
  read(text: string): { readonly value: Value } | { readonly fault: string };
}

/** The args of a program by key. `maxStorage` and `max_storage` both read `max_storage=` and `--max-storage=`. */
export type ArgSchema = Readonly<Record<string, ArgSpec<unknown>>>;

/** Values by the keys of the schema, and `program`, which every service knows. */
export type ParsedArgs<Schema extends ArgSchema> = {
  readonly [Key in keyof Schema]: Schema[Key] extends ArgSpec<infer Value> ? Value : never;
} & { readonly program?: string };

interface Described {
  readonly description?: string;
  readonly unit?: string;
}

interface Range extends Described {
  readonly min?: number;
  readonly max?: number;
}

interface Text extends Described {
  /** The only texts allowed. */
  readonly choices?: readonly string[];
}

/** Required, unless it has a default or is marked optional. */
interface Presence<Value> {
  readonly default?: Value;
  readonly optional?: boolean;
}

type Spec<Value, Options> = ArgSpec<
  Options extends { readonly default: Value }
    ? Value
    : Options extends { readonly optional: true }
      ? Value | undefined
      : Value
>;

type TextOf<Options> = Options extends { readonly choices: readonly (infer Choice extends string)[] } ? Choice : string;

/** Builds the args of a schema: `{ rate: arg.number({ min: 0.001, unit: 'Hz' }), latch: arg.boolean({ default: false }) }`. */
export const arg = {
  /** A finite decimal number. */
  number<const Options extends Range & Presence<number>>(options?: Options) {
    return spec<Spec<number, Options>>('number', options, (text) => readNumber(text, 'number', options));
  },
  /** A whole number that JavaScript holds exactly. */
  integer<const Options extends Range & Presence<number>>(options?: Options) {
    return spec<Spec<number, Options>>('integer', options, (text) => readNumber(text, 'integer', options));
  },
  /** Any text but the empty one, or one of `choices`. */
  string<const Options extends Text & Presence<string>>(options?: Options) {
    return spec<Spec<TextOf<Options>, Options>>('string', options, (text) => readChoice(text, options?.choices));
  },
  /** `true`, `false`, or `--key` alone for true. */
  boolean<const Options extends Described & Presence<boolean>>(options?: Options) {
    return spec<Spec<boolean, Options>>('boolean', options, (text) =>
      text === 'true' || text === 'false' ? { value: text === 'true' } : { fault: 'is neither true nor false' },
    );
  },
};

const commonArgs = { program: arg.string({ optional: true, description: 'the program that runs the service' }) };

/**
 * Reads the args of a service, `key=value`, `--key=value` or `--key value`, by a schema. `at` is whose args they are,
 * for messages: `agent-1`.
 *
 * @throws MeshError `invalid-argument` with every fault: missing, not of its kind, out of range, unknown, given twice
 */
export function parseArgs<Schema extends ArgSchema>(
  args: readonly string[],
  schema: Schema,
  { at }: { readonly at: string },
): ParsedArgs<Schema> {
  const faults = new FaultList();
  const specs = new Map<string, Named>();
  for (const [field, found] of Object.entries({ ...commonArgs, ...schema })) {
    const key = spelling(field);
    specs.set(key, { field, key, spec: found });
  }
  const values: Record<string, unknown> = {};
  const seen = new Map<string, string>();
  for (const { key, text } of splitArgs(args, specs, at, faults)) {
    const named = specs.get(key);
    if (named === undefined) {
      const keys = [...specs.keys()];
      faults.add(at, () => `unknown arg "${cut(key)}"${suggest(key, keys) || `; it takes ${listNames(keys)}`}`);
    } else if (seen.has(key)) {
      faults.add(at, `arg ${key} is given twice, as "${cut(seen.get(key) ?? '')}" and "${cut(text ?? '')}"; keep one`);
    } else {
      seen.set(key, text ?? '');
      const read = readArg(named, text);
      if ('value' in read) values[named.field] = read.value;
      else faults.add(at, read.fault);
    }
  }
  for (const {
    field,
    key,
    spec: { optional, defaultValue, ...rest },
  } of specs.values()) {
    if (seen.has(key)) continue;
    if (!optional) faults.add(at, `arg ${key} is missing; add ${key}=${placeholder(rest)}${explain(rest)}`);
    else if (defaultValue !== undefined) values[field] = defaultValue;
  }
  faults.throwIfAny(at);
  return values as ParsedArgs<Schema>;
}

interface Named {
  readonly field: string;
  readonly key: string;
  readonly spec: ArgSpec<unknown>;
}

interface RawArg {
  readonly key: string;
  /** Absent after a `--key` that nothing follows. */
  readonly text?: string;
}

function splitArgs(
  args: readonly string[],
  specs: ReadonlyMap<string, Named>,
  at: string,
  faults: FaultList,
): readonly RawArg[] {
  const found: RawArg[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const token = args[index] ?? '';
    const dashed = token.startsWith('--');
    const split = token.indexOf('=');
    const key = spelling(token.slice(dashed ? 2 : 0, split < 0 ? undefined : split));
    if (split >= 0) {
      found.push({ key, text: token.slice(split + 1) });
    } else if (!dashed) {
      faults.add(at, `"${cut(token)}" is not an arg; write key=value`);
    } else if (takesNext(args[index + 1], specs.get(key)?.spec, specs)) {
      index += 1;
      found.push({ key, text: args[index] ?? '' });
    } else {
      found.push({ key });
    }
  }
  return found;
}

function takesNext(
  next: string | undefined,
  own: ArgSpec<unknown> | undefined,
  specs: ReadonlyMap<string, Named>,
): boolean {
  if (next === undefined || next.startsWith('--')) return false;
  if (own?.kind === 'boolean') return next === 'true' || next === 'false';
  const split = next.indexOf('=');
  return split < 0 || !specs.has(spelling(next.slice(0, split)));
}

function readArg(
  { key, spec: { kind, read, ...rest } }: Named,
  text: string | undefined,
): { value: unknown } | { fault: string } {
  if (text === undefined) {
    return kind === 'boolean'
      ? { value: true }
      : { fault: `arg ${key} has no value; write ${key}=${placeholder({ kind })}` };
  }
  const result = text === '' ? { fault: 'is empty' } : read(text);
  return 'value' in result ? result : { fault: `arg ${key}=${cut(text)} ${result.fault}${explain(rest)}` };
}

function readNumber(text: string, kind: 'number' | 'integer', { min, max, unit = '' }: Range = {}) {
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  const ofUnit = unit === '' ? '' : ` ${unit}`;
  if (!Number.isFinite(value)) return { fault: `is not a number${unit === '' ? '' : ` of ${unit}`}` };
  if (kind === 'integer' && !Number.isSafeInteger(value))
    return { fault: `is not a whole number${unit && ` of ${unit}`}` };
  if (min !== undefined && value < min) return { fault: `is below the least, ${min}${ofUnit}` };
  if (max !== undefined && value > max) return { fault: `is above the most, ${max}${ofUnit}` };
  return { value };
}

function readChoice(text: string, choices: readonly string[] | undefined) {
  if (choices === undefined || choices.includes(text)) return { value: text };
  return { fault: `is not one of ${listNames(choices)}${suggest(text, choices)}` };
}

function spec<Result extends ArgSpec<unknown>>(
  kind: Result['kind'],
  options: (Described & Presence<unknown>) | undefined,
  read: ArgSpec<unknown>['read'],
): Result {
  const { default: defaultValue, optional = defaultValue !== undefined, description, unit } = options ?? {};
  const made: ArgSpec<unknown> = {
    kind,
    optional,
    ...(defaultValue === undefined ? {} : { defaultValue }),
    ...(description === undefined ? {} : { description }),
    ...(unit === undefined ? {} : { unit }),
    read,
  };
  // The one place where the options' types, which `arg` infers, meet values that are read from text.
  return made as Result;
}

/** The spelling of configurations: `maxStorage`, `max-storage` and `max_storage` are `max_storage`. */
function spelling(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

function placeholder({ kind }: Pick<ArgSpec<unknown>, 'kind'>): string {
  return { number: '1.5', integer: '5', string: 'TEXT', boolean: 'true' }[kind];
}

function explain({ description, unit }: Described): string {
  const text = [description, unit && `in ${unit}`].filter(Boolean).join(', ');
  return text === '' ? '' : ` (${text})`;
}

function suggest(text: string, known: readonly string[]): string {
  return text.length > 60 ? '' : didYouMean(text, known);
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
