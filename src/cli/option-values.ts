import { InvalidArgumentError } from 'commander';

/** Reads the value of an option as a whole number of at least `min` (default 0). */
export function wholeNumber({ min = 0 }: { readonly min?: number } = {}): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`Write a whole number of at least ${min}.`);
  };
}

/** Reads the value of an option as a number above 0. */
export function positiveNumber(text: string): number {
  const value = /^\d*\.?\d+(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Write a number above 0.');
}
