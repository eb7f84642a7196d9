const viewerSites = ['https://app.foxglove.dev', 'https://studio.foxglove.dev'];
const ownHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a connection with this `Origin` header may be served. Loopback does not keep out web pages: any site that
 * somebody on this machine has open could connect, read, and call services. So pages are taken only from Foxglove's own
 * sites, from this machine, and from `more`; programs send no origin, desktop viewers one that is no web site.
 */
export function allowsOrigin(origin: string | undefined, more: readonly string[]): boolean {
  if (origin === undefined || viewerSites.includes(origin) || more.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, hostname } = new URL(origin);
  return (protocol !== 'http:' && protocol !== 'https:') || ownHosts.has(hostname);
}
