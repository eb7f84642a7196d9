import { z } from 'zod';
import { InvalidPropertiesError } from './errors.js';
import type { Properties } from './properties.js';

/** A field of a model: golem's key, and the schema of its value. */
export interface PropertyField<T> {
  readonly key: string;
  readonly schema: z.ZodType<T, unknown>;
  /** From our value to the one on the wire; default unchanged. */
  encode?(value: T): unknown;
}

type Fields = Readonly<Record<string, PropertyField<unknown>>>;
type ValueOf<F> = F extends PropertyField<infer T> ? T : never;
type OptionalKeys<F extends Fields> = { [K in keyof F]: undefined extends ValueOf<F[K]> ? K : never }[keyof F];

/** The values of a model: fields whose schema allows absence are optional. */
export type ModelValues<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: ValueOf<F[K]>;
};

/** What a demand builder takes: properties, from a model's `of`. */
export interface ModelInstance {
  readonly properties: Properties;
}

/** A group of properties that belong together, with golem's keys. */
export interface PropertyModel<F extends Fields> {
  readonly name: string;
  /** Field name → golem's key. */
  readonly keys: { readonly [K in keyof F]: string };
  /** Values as properties, for `DemandBuilder.add`. Errors: InvalidPropertiesError. */
  of(values: ModelValues<F>): ModelInstance;
  /** Reads the model's own keys out of any properties, and ignores all others. Errors: InvalidPropertiesError. */
  fromProperties(properties: Properties): ModelValues<F>;
}

/** Defines a model by its fields. */
export function propertyModel<const F extends Fields>(name: string, fields: F): PropertyModel<F> {
  const entries = Object.entries(fields);
  const check = (read: (field: string, key: string) => unknown): Record<string, unknown> => {
    const values: Record<string, unknown> = {};
    const faults: { at: string; message: string }[] = [];
    for (const [field, { key, schema }] of entries) {
      const result = schema.safeParse(read(field, key));
      if (!result.success) {
        faults.push({ at: key, message: result.error.issues.map(({ message }) => message).join(', ') });
      } else if (result.data !== undefined) values[field] = result.data;
    }
    if (faults.length > 0) throw new InvalidPropertiesError(name, faults);
    return values;
  };
  return {
    name,
    keys: Object.fromEntries(entries.map(([field, { key }]) => [field, key])) as { [K in keyof F]: string },
    of(values) {
      const checked = check((field) => (values as Record<string, unknown>)[field]);
      const properties: Record<string, unknown> = {};
      for (const [field, { key, encode }] of entries) {
        const value = checked[field];
        if (value !== undefined) properties[key] = encode ? encode(value as never) : value;
      }
      return { properties };
    },
    fromProperties: (properties) => check((_field, key) => properties[key]) as ModelValues<F>,
  };
}

/** One field of a model. `encode` turns its value into the wire's. */
export function property<T>(
  key: string,
  schema: z.ZodType<T, unknown>,
  encode?: (value: T) => unknown,
): PropertyField<T> {
  return encode ? { key, schema, encode } : { key, schema };
}

/** A point in time: a Date for us, milliseconds since 1970 on the wire. */
export const wireDate = z.union([
  z.date(),
  z
    .number()
    .or(z.string())
    .transform((value, context) => {
      const date = new Date(value);
      if (Number.isNaN(date.getTime())) context.addIssue({ code: 'custom', message: 'no point in time' });
      return date;
    }),
]);
