import type { FaultList } from '../base/faults.js';
import { didYouMean, listNames } from '../base/suggest.js';
import { cut, describe, Fields, isObject } from './fields.js';
import type { Json } from './json.js';
import { canonicalPath, pathFault } from './paths.js';
import { QueryFields } from './query-fields.js';
import { longestName } from './service.js';
import { type Overflow, overflowPolicies, type QualityOfService } from './types.js';

/** A subscription as one place of a file states it. What it does not state is absent. */
export interface StatedEdge {
  readonly subscriber: string;
  readonly publisher: string;
  readonly path: string;
  readonly everyN?: number;
  readonly type?: string;
  readonly qos: Partial<QualityOfService>;
  readonly history?: boolean;
  readonly at: string;
}

/** What a subscription is read against. */
export interface NamesOfFile {
  /** Every service of the file. */
  readonly names: ReadonlySet<string>;
  /** Those with a port. */
  readonly servers: readonly string[];
}

const subscriptionKeys = { uri: 'uri', every_n: 'every_n', everyN: 'every_n' };
export const uriKeys = { scheme: 'scheme', authority: 'authority', path: 'path', query: 'query' };
const queryKeys = ['depth', 'overflow', 'block_ms', 'history', 'type', 'pb'];
const mostEveryN = 0xffff_ffff;
const mostDepth = 1_000_000;
const mostBlockMs = 3_600_000;

/**
 * Reads one item of `subscriptions`, in object form (`{"uri": {"path", "query"}, "every_n"}`, the entry's own service
 * subscribes) or in string form (`event://SUBSCRIBER/path?service=PUBLISHER`). Undefined when it is too faulty to be an
 * edge.
 */
export function readSubscription(
  value: Json,
  at: string,
  owner: string,
  file: NamesOfFile,
  faults: FaultList,
): StatedEdge | undefined {
  if (typeof value === 'string') return readString(value, at, file, faults);
  if (isObject(value)) return readObject(value, at, owner, file, faults);
  const wanted = 'write {"uri": {"path": "/sample", "query": "service_name=agent-1"}, "every_n": 1}';
  faults.add(at, `is ${describe(value)}; ${wanted}`);
  return undefined;
}

function readObject(value: Json, at: string, owner: string, file: NamesOfFile, faults: FaultList) {
  const fields = new Fields(isObject(value) ? value : {}, at, subscriptionKeys, faults);
  const everyN = fields.has('every_n') ? fields.integer('every_n', mostEveryN) : undefined;
  const uri = fields.raw('uri');
  if (!isObject(uri)) {
    faults.add(at, `"uri" is ${uri === null ? 'missing' : describe(uri)}; write {"path": …, "query": …}`);
    return undefined;
  }
  const parts = new Fields(uri, fields.path('uri'), uriKeys, faults);
  parts.string('scheme');
  parts.string('authority');
  const query = new QueryFields(parts.string('query'), at, queryKeys, faults);
  const source = findPublisher(query, parts.string('path'), at, file, faults);
  return edge(owner, source, query, everyN, at, faults);
}

function readString(text: string, at: string, file: NamesOfFile, faults: FaultList) {
  const [, place, rest = ''] = /^(?:event|protobuf):\/\/([^?]*)\??(.*)$/s.exec(text) ?? [];
  if (place === undefined) {
    faults.add(at, `"${cut(text)}" is not a subscription; write event://SUBSCRIBER/path?service=PUBLISHER`);
    return undefined;
  }
  const query = new QueryFields(rest, at, [...queryKeys, 'every_n'], faults);
  const slash = place.indexOf('/');
  const subscriber = longestName(file.names, place) ?? (slash < 0 ? place : place.slice(0, slash));
  if (!file.names.has(subscriber)) {
    faults.add(at, () => notInFile('subscriber', subscriber, file));
    return undefined;
  }
  const publisher = query.service();
  if (publisher === undefined) {
    faults.add(at, `"${cut(text)}" names no publisher; end it in ?service=PUBLISHER`);
    return undefined;
  }
  const source = findPublisher(query, place.slice(subscriber.length), at, file, faults);
  return edge(subscriber, source, query, query.integer('every_n', 0, mostEveryN), at, faults);
}

/**
 * The publisher by the rule of the wire: the one that the query names; else the longest name that prefixes the path;
 * else the only server.
 */
function findPublisher(query: QueryFields, path: string, at: string, file: NamesOfFile, faults: FaultList) {
  const named = query.service();
  if (named !== undefined) {
    if (!file.names.has(named)) faults.add(at, () => notInFile('publisher', named, file));
    return { publisher: named, path: canonicalPath(path) };
  }
  const bare = path.replace(/^\/+/, '');
  const prefix = longestName(file.names, bare);
  if (prefix !== undefined && bare.length > prefix.length + 1) {
    return { publisher: prefix, path: canonicalPath(bare.slice(prefix.length)) };
  }
  const [only, ...others] = file.servers;
  if (only !== undefined && others.length === 0) return { publisher: only, path: canonicalPath(path) };
  const names = listNames([...file.names]);
  faults.add(at, `names no publisher; let its query end in service_name=NAME, one of ${names}`);
  return undefined;
}

function edge(
  subscriber: string,
  source: { readonly publisher: string; readonly path: string } | undefined,
  query: QueryFields,
  everyN: number | undefined,
  at: string,
  faults: FaultList,
): StatedEdge | undefined {
  const type = query.messageType('type');
  const qos = readQos(query);
  const history = query.has('history') ? { history: query.boolean('history') } : {};
  if (source === undefined) return undefined;
  const fault = pathFault(source.path, { wildcard: true });
  if (fault !== undefined) faults.add(at, fault);
  return {
    subscriber,
    ...source,
    ...(everyN === undefined ? {} : { everyN }),
    ...(type === '' ? {} : { type }),
    qos,
    ...history,
    at,
  };
}

/** The quality of service that a subscription's query states. What it does not state, or states wrongly, is absent. */
export function readQos(query: QueryFields): Partial<QualityOfService> {
  const depth = query.integer('depth', 1, mostDepth);
  const blockMs = query.integer('block_ms', 1, mostBlockMs);
  const text = query.text('overflow');
  const overflow = overflowPolicies.find((policy) => policy === text);
  if (text !== undefined && overflow === undefined) {
    const suggestion = text.length > 40 ? '' : didYouMean(text, overflowPolicies);
    query.fault(`overflow=${cut(text)} is no policy${suggestion || `; write one of ${overflowPolicies.join(', ')}`}`);
  }
  return { ...(depth && { depth }), ...(overflow && { overflow }), ...(blockMs && { blockMs }) } satisfies {
    depth?: number;
    overflow?: Overflow;
    blockMs?: number;
  };
}

function notInFile(role: string, name: string, { names }: NamesOfFile): string {
  const known = [...names];
  const suggestion = name.length > 200 ? '' : didYouMean(name, known);
  return `${role} "${cut(name)}" is not in this file${suggestion || `; it has ${listNames(known)}`}`;
}
