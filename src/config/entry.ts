import type { FaultList } from '../base/faults.js';
import { didYouMean } from '../base/suggest.js';
import { cut, describe, Fields, isObject } from './fields.js';
import type { Json, JsonObject } from './json.js';
import { canonicalPath, pathFault } from './paths.js';
import { QueryFields } from './query-fields.js';
import { uriKeys } from './subscription.js';
import type { LogLevel, PublishedPath, RequestPath } from './types.js';

/** One entry of a file, read by itself. Its subscriptions wait until all names are known. */
export interface RawEntry {
  readonly at: string;
  readonly name: string;
  readonly host: string;
  /** 0: not a server. */
  readonly port: number;
  readonly subscriptions: readonly { readonly value: Json; readonly at: string }[];
  readonly published: readonly PublishedPath[];
  readonly requests: readonly RequestPath[];
  readonly args: readonly string[];
  readonly logLevel: LogLevel;
}

const entryKeys = {
  name: 'name',
  port: 'port',
  host: 'host',
  subscriptions: 'subscriptions',
  uris: 'uris',
  args: 'args',
  log_level: 'log_level',
  logLevel: 'log_level',
};

const levels: ReadonlyMap<string | number, LogLevel> = new Map<string | number, LogLevel>([
  ['NOTSET', 'notset'],
  [0, 'notset'],
  ['DEBUG', 'debug'],
  [10, 'debug'],
  ['INFO', 'info'],
  [20, 'info'],
  ['WARNING', 'warning'],
  ['WARN', 'warning'],
  [30, 'warning'],
  ['ERROR', 'error'],
  [40, 'error'],
  ['CRITICAL', 'critical'],
  ['FATAL', 'critical'],
  [50, 'critical'],
]);

/** Reads an EventServiceConfig in proto3 JSON. `at` is its JSON path, empty when it is the whole file. */
export function readEntry(object: JsonObject, at: string, faults: FaultList): RawEntry {
  const fields = new Fields(object, at, entryKeys, faults);
  const name = readName(fields, faults);
  const uris = fields
    .list('uris')
    .map((value, index) => readUri(value, `${fields.path('uris')}[${index}]`, name, faults));
  return {
    at,
    name,
    host: readHost(fields, faults),
    port: fields.integer('port', 65_535),
    subscriptions: fields
      .list('subscriptions')
      .map((value, index) => ({ value, at: `${fields.path('subscriptions')}[${index}]` })),
    published: uris.flatMap((uri) => uri?.published ?? []),
    requests: uris.flatMap((uri) => uri?.request ?? []),
    args: fields.list('args').flatMap((value, index) => {
      if (typeof value === 'string') return value;
      faults.add(`${fields.path('args')}[${index}]`, `is ${describe(value)}; write a string such as "rate=5"`);
      return [];
    }),
    logLevel: readLevel(fields, faults),
  };
}

function readName(fields: Fields, faults: FaultList): string {
  const name = fields.string('name');
  if (name === '' && (!fields.has('name') || fields.raw('name') === '')) {
    faults.add(fields.path('name'), 'is missing; give the service a name');
  } else if (/[\s?&=#*\u0000-\u001f]/.test(name) || /^\/|\/$|\/\//.test(name) || name.length > 200) {
    const rule = 'a name has no space, none of ? & = # *, no slash at its ends, and at most 200 characters';
    faults.add(fields.path('name'), `"${cut(name)}" cannot be a service's name: ${rule}`);
  }
  return name;
}

function readHost(fields: Fields, faults: FaultList): string {
  const host = fields.string('host');
  if (/[\s/?#]/.test(host) || /^[^:]*:\d*$/.test(host)) {
    faults.add(fields.path('host'), `"${cut(host)}" is not a host name or address; the port stands in "port"`);
  }
  return host || 'localhost';
}

function readLevel(fields: Fields, faults: FaultList): LogLevel {
  const value = fields.raw('log_level');
  if (value === null) return 'notset';
  const key = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  const level = typeof key === 'string' || typeof key === 'number' ? levels.get(key) : undefined;
  if (level !== undefined) return level;
  const known = 'NOTSET, DEBUG, INFO, WARNING, ERROR, CRITICAL or their numbers 0, 10 … 50';
  faults.add(fields.path('log_level'), `is ${describe(value)}; write one of ${known}`);
  return 'notset';
}

interface ReadUri {
  readonly published?: PublishedPath;
  readonly request?: RequestPath;
}

function readUri(value: Json, at: string, owner: string, faults: FaultList): ReadUri | undefined {
  if (!isObject(value)) {
    const wanted = '{"scheme": "protobuf", "path": "/sample", "query": "type=…&pb=…&service_name=…"}';
    faults.add(at, `is ${describe(value)}; write ${wanted}`);
    return undefined;
  }
  const fields = new Fields(value, at, uriKeys, faults);
  fields.string('authority');
  const scheme = fields.string('scheme') || 'protobuf';
  const path = canonicalPath(fields.string('path'));
  const text = fields.string('query');
  switch (scheme) {
    case 'protobuf':
      report(path, at, { wildcard: false }, faults);
      return { published: readPublished(path, new QueryFields(text, at, publishedKeys, faults), at, owner) };
    case 'request':
      report(path, at, { wildcard: true }, faults);
      return { request: readRequest(path, new QueryFields(text, at, requestKeys, faults), at, owner) };
    default: {
      const suggestion = scheme.length > 40 ? '' : didYouMean(scheme, ['protobuf', 'request']);
      const wanted = 'write "protobuf" for a path it publishes, "request" for one it answers';
      faults.add(at, `scheme "${cut(scheme)}"${suggestion || `; ${wanted}`}`);
      return undefined;
    }
  }
}

const publishedKeys = ['type', 'pb', 'history', 'latch'];
const requestKeys = ['request', 'reply'];
const mostHistory = 1_000_000;

function readPublished(path: string, query: QueryFields, at: string, owner: string): PublishedPath {
  checkOwner(query, owner);
  const pb = query.text('pb') ?? '';
  if (/%|\s/.test(pb))
    query.fault(`pb=${cut(pb)} is encoded; write the file's path raw, as google/protobuf/struct.proto`);
  return {
    path,
    type: query.messageType('type'),
    pb,
    history: query.integer('history', 0, mostHistory) ?? 0,
    latch: query.boolean('latch'),
    at,
  };
}

function readRequest(path: string, query: QueryFields, at: string, owner: string): RequestPath {
  checkOwner(query, owner);
  return { path, request: query.messageType('request'), reply: query.messageType('reply'), at };
}

function checkOwner(query: QueryFields, owner: string): void {
  const named = query.service();
  if (named !== undefined && named !== owner) {
    query.fault(`says service_name=${cut(named)} in the entry of "${cut(owner)}"; a uri belongs to its own entry`);
  }
}

function report(path: string, at: string, options: { readonly wildcard: boolean }, faults: FaultList): void {
  const fault = pathFault(path, options);
  if (fault !== undefined) faults.add(at, fault);
}
