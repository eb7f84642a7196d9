/**
 * Reads the query of an event URI: parts split on `&`, each at its first `=`. Nothing is percent-decoded and nothing
 * is refused, because a query that travels the mesh belongs to whoever wrote it. The first of two equal keys wins; a
 * part without `=` is a key with an empty value; an empty part is skipped. Keys keep their order.
 */
export function parseQuery(query: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const split = part.indexOf('=');
    const key = split < 0 ? part : part.slice(0, split);
    if (!parts.has(key)) parts.set(key, split < 0 ? '' : part.slice(split + 1));
  }
  return parts;
}

/** Writes a query as raw text, `key=value` joined by `&`, in the order given and without percent-encoding. */
export function formatQuery(parts: Iterable<readonly [key: string, value: string]>): string {
  return Array.from(parts, ([key, value]) => `${key}=${value}`).join('&');
}
