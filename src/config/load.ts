import { closeSync, openSync, readSync } from 'node:fs';
import { MeshError } from '../base/errors.js';
import { FaultList } from '../base/faults.js';
import { didYouMean } from '../base/suggest.js';
import { type RawEntry, readEntry } from './entry.js';
import { cut, describe, isObject } from './fields.js';
import { type Json, type JsonObject, parseJson } from './json.js';
import { readSubscription, type StatedEdge } from './subscription.js';
import type { MeshConfig, PublishedPath, QualityOfService, ServiceConfig, SubscriptionConfig } from './types.js';

/** Bytes that a configuration file may have: 8 MB. */
const maxConfigBytes = 8_000_000;

/**
 * Reads and checks a `service_config.json`: proto3 JSON of farm-ng's EventServiceConfigList, or of one
 * EventServiceConfig. Both spellings of keys and both forms of subscriptions are read. The result is frozen.
 *
 * @throws MeshError `not-found` when there is no such file, else `invalid-argument` with every fault of the file in
 * `faults`, each with its JSON path
 */
export function loadConfig(path: string): MeshConfig {
  return parseConfig(readText(path), path);
}

/**
 * `loadConfig` for a text that is at hand; `file` is what messages call it.
 *
 * @throws MeshError `invalid-argument`, with every fault of the text in `faults`
 */
export function parseConfig(text: string, file: string): MeshConfig {
  if (text.length > maxConfigBytes) throw tooLong(file);
  if (text.trim() === '' || text === '\ufeff') {
    throw invalid(file, 'is empty; write {"configs": [ … ]} with at least one service');
  }
  const { value, duplicates } = parseJson(text.replace(/^\ufeff/, ''), file);
  const faults = new FaultList();
  for (const { key, line, column } of duplicates) {
    faults.add(`line ${line}, column ${column}`, `the key "${key}" stands twice in one object; keep one`);
  }
  const entries = listEntries(value, faults).map(({ object, at }) => readEntry(object, at, faults));
  const names = uniqueNames(entries, faults);
  const servers = entries.filter(({ port }) => port > 0).map(({ name }) => name);
  const stated = entries.flatMap(({ name, subscriptions }) =>
    subscriptions.flatMap(({ value, at }) => readSubscription(value, at, name, { names, servers }, faults) ?? []),
  );
  const edges = joinEdges(stated, faults);
  faults.throwIfAny(file);
  return deepFreeze({ file, services: entries.map((entry) => serviceOf(entry, edges.get(entry.name) ?? [])) });
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readAtMost(path, maxConfigBytes + 1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      const message = `${path}: there is no such file; name one with --service-config`;
      throw new MeshError('not-found', message, { cause: error });
    }
    const what = code === 'EISDIR' ? 'is a folder, not a file' : `cannot be read (${code ?? String(error)})`;
    throw new MeshError('invalid-argument', `${path}: ${what}`, { cause: error });
  }
  if (bytes.length > maxConfigBytes) throw tooLong(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new MeshError('invalid-argument', `${path}: is not UTF-8 text`, { cause: error });
  }
}

/** By hand, so that a pipe works, and an endless one ends. */
function readAtMost(path: string, most: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    while (length < most) {
      const chunk = Buffer.allocUnsafe(65_536);
      const read = readSync(descriptor, chunk, 0, Math.min(chunk.length, most - length), null);
      if (read === 0) break;
      chunks.push(chunk.subarray(0, read));
      length += read;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}

interface PlacedObject {
  readonly object: JsonObject;
  readonly at: string;
}

function listEntries(value: Json, faults: FaultList): readonly PlacedObject[] {
  if (!isObject(value)) {
    faults.add('', `is ${describe(value)}; write an object, {"configs": [ … ]}`);
    return [];
  }
  if (!('configs' in value)) {
    const keys = Object.keys(value);
    if (keys.length > 0 && !('name' in value) && keys.some((key) => didYouMean(cut(key), ['configs']) !== '')) {
      faults.add('', `has no "configs", but a key that looks like it; write {"configs": [ … ]}`);
      return [];
    }
    return [{ object: value, at: '' }];
  }
  for (const key of Object.keys(value)) {
    if (key !== 'configs') faults.add('', `unknown key "${cut(key)}" beside "configs"; remove it`);
  }
  const { configs = null } = value;
  if (!Array.isArray(configs) || configs.length === 0) {
    faults.add(
      'configs',
      `${Array.isArray(configs) ? 'is empty' : `is ${describe(configs)}`}; list the services in [ ]`,
    );
    return [];
  }
  return configs.flatMap((object, index) => {
    const at = `configs[${index}]`;
    if (isObject(object)) return { object, at };
    faults.add(at, `is ${describe(object)}; write an object, {"name": …, "host": …, "port": …}`);
    return [];
  });
}

function uniqueNames(entries: readonly RawEntry[], faults: FaultList): ReadonlySet<string> {
  const first = new Map<string, string>();
  for (const { name, at } of entries) {
    if (name === '') continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, at);
    else faults.add(`${at}.name`, `"${cut(name)}" is the name of ${other} too; give each service its own`);
  }
  return new Set(first.keys());
}

/** One edge for each subscriber, publisher and path, wherever and however often it is written. */
function joinEdges(stated: readonly StatedEdge[], faults: FaultList): ReadonlyMap<string, readonly StatedEdge[]> {
  const joined = new Map<string, Map<string, StatedEdge>>();
  for (const edge of stated) {
    let own = joined.get(edge.subscriber);
    if (own === undefined) {
      own = new Map();
      joined.set(edge.subscriber, own);
    }
    const key = `${edge.publisher} ${edge.path}`;
    const other = own.get(key);
    own.set(key, other === undefined ? edge : join(other, edge, faults));
  }
  return new Map(Array.from(joined, ([name, own]) => [name, [...own.values()]]));
}

function join(first: StatedEdge, second: StatedEdge, faults: FaultList): StatedEdge {
  const [a, b] = [settings(first), settings(second)];
  for (const key of Object.keys(a) as (keyof typeof a)[]) {
    if (a[key] === undefined || b[key] === undefined || a[key] === b[key]) continue;
    const same = `is the same edge as ${first.at}, which says ${key}=${a[key]}`;
    faults.add(second.at, `${same}; this one says ${key}=${b[key]}: keep one`);
  }
  return { ...second, ...first, qos: { ...second.qos, ...first.qos } };
}

function settings({ everyN, type, history, qos }: StatedEdge) {
  return { every_n: everyN, type, history, depth: qos.depth, overflow: qos.overflow, block_ms: qos.blockMs };
}

function serviceOf(entry: RawEntry, edges: readonly StatedEdge[]): ServiceConfig {
  return {
    name: entry.name,
    host: entry.host,
    ...(entry.port === 0 ? {} : { port: entry.port }),
    subscriptions: edges.map(subscriptionOf),
    published: withoutRepeats(entry.published),
    requests: withoutRepeats(entry.requests),
    args: entry.args,
    logLevel: entry.logLevel,
    at: entry.at,
  };
}

function subscriptionOf({ subscriber: _, everyN = 0, qos, ...edge }: StatedEdge): SubscriptionConfig {
  return { ...edge, everyN, qos: qos satisfies Partial<QualityOfService> };
}

/** The same path with another type or history stays: `checkConfig` tells of it. */
function withoutRepeats<Path extends Pick<PublishedPath, 'at'>>(paths: readonly Path[]): readonly Path[] {
  const seen = new Set<string>();
  return paths.filter(({ at: _, ...path }) => {
    const key = JSON.stringify(path);
    return !seen.has(key) && seen.add(key);
  });
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

function tooLong(file: string): MeshError {
  const message = `is longer than ${maxConfigBytes / 1e6} MB; a configuration of that size is a mistake`;
  return new MeshError('invalid-argument', `${file}: ${message}`, { faults: [{ at: '', message }] });
}

function invalid(file: string, message: string): MeshError {
  return new MeshError('invalid-argument', `${file}: ${message}`, { faults: [{ at: '', message }] });
}
