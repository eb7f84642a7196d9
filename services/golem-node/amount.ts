const decimals = 18;
const unit = 10n ** BigInt(decimals);

/** Amounts of GLM, counted in its smallest unit, since sums of doubles would not add up. */
export type Amount = bigint;

/** The amount that a decimal such as `1.25` stands for, or undefined when it is none. Exponents are taken too. */
export function parseAmount(text: string): Amount | undefined {
  const plain = /e/i.test(text) ? expand(text) : text;
  const parts = /^(\d+)(?:\.(\d*))?$/.exec(plain.trim());
  if (parts === null) return undefined;
  return BigInt(parts[1]!) * unit + BigInt((parts[2] ?? '').slice(0, decimals).padEnd(decimals, '0'));
}

/** `price` a second, over a time in ms. */
export function priceOf(pricePerSecond: number, durationMs: number): Amount {
  return (toAmount(pricePerSecond) * BigInt(Math.round(durationMs))) / 1000n;
}

export function toAmount(value: number): Amount {
  return parseAmount(String(value)) ?? 0n;
}

/** The shortest decimal. */
export function formatAmount(amount: Amount): string {
  const text = String(amount).padStart(decimals + 1, '0');
  return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`.replace(/\.?0+$/, '');
}

/** `12.5e-3` as `0.0125`. Done with digits, because arithmetic with doubles would change the last ones. */
function expand(text: string): string {
  const parts = /^(\d+)(?:\.(\d*))?e([+-]?\d{1,2})$/i.exec(text.trim());
  if (parts === null) return '';
  const fraction = parts[2] ?? '';
  const point = parts[1]!.length + Number(parts[3]);
  const digits = `${parts[1]}${fraction}`.padEnd(point, '0');
  return point > 0 ? `${digits.slice(0, point)}.${digits.slice(point)}` : `0.${'0'.repeat(-point)}${digits}`;
}
