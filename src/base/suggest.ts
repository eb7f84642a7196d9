import { closest, distance } from 'fastest-levenshtein';

/** `; did you mean "x"?` when a known name is near enough to be a typo, else an empty string. */
export function didYouMean(name: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const lower = known.map((one) => one.toLowerCase());
  const nearest = closest(name.toLowerCase(), lower);
  return distance(name.toLowerCase(), nearest) <= Math.max(2, Math.floor(name.length / 3))
    ? `; did you mean "${known[lower.indexOf(nearest)]}"?`
    : '';
}

/** The names in quotes, the first few only: `"a", "b" and 3 more`. */
export function listNames(names: readonly string[], most = 12): string {
  if (names.length === 0) return 'none';
  const shown = names
    .slice(0, most)
    .map((name) => `"${name}"`)
    .join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
