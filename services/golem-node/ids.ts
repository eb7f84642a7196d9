import { randomBytes } from 'node:crypto';

/** 32 hexadecimal digits, as the daemon's own. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}
