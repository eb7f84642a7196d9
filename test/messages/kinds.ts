import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { MeshError } from '../../src/base/errors.js';
import { TypeRegistry } from '../../src/messages/registry.js';

/** Knows the message `field.Kinds`, which has one field of every kind. */
export const registry = new TypeRegistry([fileURLToPath(new URL('protos', import.meta.url))]);

/** What becomes of a value on its way over the wire. */
export function roundTrip(type: string, value: unknown): unknown {
  return registry.decode(type, registry.encode(type, value));
}

/** The error that `run` throws. */
export function failure(run: () => unknown): MeshError {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ name: 'MeshError' });
    return error as MeshError;
  }
  throw new Error('nothing was thrown');
}

/** The message of the error that writing the value gives. */
export function refusal(type: string, value: unknown): string {
  const { code, message } = failure(() => registry.encode(type, value));
  expect(code).toBe('invalid-argument');
  expect(message).toContain(type);
  return message;
}
