import { NanoDate } from '../messages/natural.js';

export interface PrintOptions {
  /** Bytes shown of a `bytes` value before it is cut, for people. Default: all, as base64. */
  readonly maxBytes?: number;
}

/**
 * A natural value (see messages/natural.ts) as JSON, written as protobuf's own JSON mapping does: 64-bit integers are
 * strings, bytes are base64, times are RFC 3339 with their nanoseconds, and NaN and the infinities are strings.
 * Source: https://protobuf.dev/programming-guides/json/
 */
export function printable(value: unknown, options: PrintOptions = {}): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return printTime(value);
  if (value instanceof Uint8Array) return printBytes(value, options.maxBytes ?? Number.POSITIVE_INFINITY);
  if (Array.isArray(value)) return value.map((item) => printable(item, options));
  const entries = Object.entries(value).map(([key, item]) => [key, printable(item, options)]);
  return Object.fromEntries(entries);
}

/** The value on one line, for people: long bytes are cut. */
export function printValue(value: unknown): string {
  return JSON.stringify(printable(value, { maxBytes: 24 }));
}

function printBytes(bytes: Uint8Array, maxBytes: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length <= maxBytes) return buffer.toString('base64');
  return `${buffer.subarray(0, maxBytes).toString('base64')}… (${buffer.length} bytes)`;
}

function printTime(date: Date): string {
  if (Number.isNaN(date.getTime())) return 'Invalid Date';
  const text = date.toISOString();
  const nanos = date instanceof NanoDate ? date.nanos : 0;
  if (nanos % 1e6 === 0) return text;
  const digits = String(nanos).padStart(9, '0');
  return text.replace(/\.\d{3}Z$/, `.${digits.endsWith('000') ? digits.slice(0, 6) : digits}Z`);
}
