import type protobuf from 'protobufjs';
import { MeshError } from '../../base/errors.js';
import { fromJson, toJson } from '../../messages/json.js';
import type { TypeRegistry } from '../../messages/registry.js';

/*
 * Service calls as JSON. Viewers want objects there, so a type whose natural value is none, such as a wrapper, stands
 * as `{"value": 5}`; the bare value is taken, too.
 */

/** Errors: `invalid-argument` for what is no JSON. What does not fit the type is found when it is encoded. */
export function readCallJson(registry: TypeRegistry, type: string, payload: Buffer): unknown {
  const reflected = registry.reflect(type);
  const json = parse(payload, type);
  // Struct's fields are free, so `value` may be one of them.
  if (isFields(registry.decode(type, new Uint8Array(0)))) return fromJson(reflected, json);
  if (!isFields(json)) return fromJson(reflected, json);
  return 'value' in json ? fromJson(reflected, json.value) : defaultOf(registry, reflected);
}

export function writeCallJson(value: unknown): Buffer {
  const json = toJson(value);
  return Buffer.from(JSON.stringify(isFields(json) ? json : { value: json ?? null }));
}

function parse(payload: Buffer, type: string): unknown {
  const text = payload.toString('utf8');
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MeshError('invalid-argument', `the request is no JSON of a ${type}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function defaultOf(registry: TypeRegistry, type: protobuf.Type): unknown {
  return registry.decode(type.fullName.slice(1), new Uint8Array(0));
}

function isFields(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Date || value instanceof Uint8Array);
}
