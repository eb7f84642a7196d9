import { MeshError } from '../base/errors.js';

/** GLM in units of 1e-18, the token's smallest part. Money is never a floating-point number here. */
export type Amount = bigint;

const decimals = 18;
const scale = 10n ** BigInt(decimals);
const pattern = /^(\d{1,30})(?:\.(\d{1,40}))?$/;

/**
 * Reads `"1"`, `"0.25"` or a number into an Amount; parts below 1e-18 are rounded up.
 * `what` names the value in the error. Errors: `invalid-argument` for anything that is no amount of 0 or more.
 */
export function parseAmount(value: string | number, what = 'amount'): Amount {
  const text = typeof value === 'number' ? plainDecimal(value) : value.trim();
  const match = pattern.exec(text);
  if (!match) {
    throw new MeshError('invalid-argument', `${what} is ${JSON.stringify(value)}; expected a decimal of 0 or more`);
  }
  const [, whole = '0', fraction = ''] = match;
  const kept = fraction.slice(0, decimals).padEnd(decimals, '0');
  const rest = /[1-9]/.test(fraction.slice(decimals)) ? 1n : 0n;
  return BigInt(whole) * scale + BigInt(kept) + rest;
}

/** The shortest decimal of an Amount: `"0.25"`. */
export function formatAmount(amount: Amount): string {
  const whole = amount / scale;
  const fraction = (amount % scale).toString().padStart(decimals, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}` : `${whole}.${fraction}`;
}

// 1e-7 would print with an exponent, which no daemon reads.
function plainDecimal(value: number): string {
  if (!Number.isFinite(value) || value < 0) return String(value);
  return /e/i.test(String(value)) ? value.toFixed(decimals) : String(value);
}
