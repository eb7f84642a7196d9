import { FaultList } from '../base/faults.js';
import { formatQuery, parseQuery } from '../base/query.js';
import { QueryFields } from '../config/query-fields.js';
import { readQos } from '../config/subscription.js';
import type { QualityOfService } from '../config/types.js';

/** What a subscription gets that asks for nothing. */
const defaultQuality: QualityOfService = { depth: 100, overflow: 'drop-oldest', blockMs: 1000 };

const qualityKeys = ['depth', 'overflow', 'block_ms'];

/**
 * The quality of service that a subscription's query asks for. Other parts belong to whoever wrote them, however
 * much they look like ours misspelt. Errors: `invalid-argument` naming the part.
 */
export function qualityOfQuery(query: string): QualityOfService {
  const faults = new FaultList();
  const ours = formatQuery([...parseQuery(query)].filter(([key]) => qualityKeys.includes(key)));
  const stated = readQos(new QueryFields(ours, 'the query', qualityKeys, faults));
  faults.throwIfAny('subscription');
  const quality = { ...defaultQuality, ...stated };
  return quality.overflow === 'latest' ? { ...quality, depth: 1 } : quality;
}

/** The query of a subscription: farm-ng's programs take what follows the last `=`, so the service's name ends it. */
export function subscriptionQuery(service: string, qos: Partial<QualityOfService>): string {
  const parts: [string, string][] = [];
  if (qos.depth !== undefined) parts.push(['depth', String(qos.depth)]);
  if (qos.overflow !== undefined) parts.push(['overflow', qos.overflow]);
  if (qos.blockMs !== undefined) parts.push(['block_ms', String(qos.blockMs)]);
  parts.push(['service_name', service]);
  return formatQuery(parts);
}
