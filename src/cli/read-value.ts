import { MeshError } from '../base/errors.js';
import { fromJson } from '../messages/json.js';
import type { TypeRegistry } from '../messages/registry.js';

/**
 * Reads the JSON of a message as a command line gives it into its natural value: the inverse of `printable`.
 * 64-bit integers may be strings, bytes are base64, times are RFC 3339, durations are `"1.5s"`.
 *
 * Errors: `invalid-argument` for a text that is no JSON, `not-found` for an unknown type. A value that does not fit its
 * field is left as it is, so that encoding it names the field.
 */
export function readValue(registry: TypeRegistry, type: string, text: string): unknown {
  const reflected = registry.reflect(type);
  return fromJson(reflected, parse(text, type));
}

function parse(text: string, type: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
    throw new MeshError(
      'invalid-argument',
      `${shown} is not JSON (${(error as Error).message}); write the ${type} as JSON in quotes, for example ${example(type)}`,
      { cause: error },
    );
  }
}

function example(type: string): string {
  if (type === 'google.protobuf.StringValue') return `'"text"'`;
  return type.endsWith('Value') ? `'5'` : `'{"sample": 0.5}'`;
}
