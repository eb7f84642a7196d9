import type { ServerResponse } from 'node:http';
import { badRequest, Problem } from './problem.js';

/** A request, taken apart. */
export interface Call {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly accept: string;
  /** The JSON of the body; undefined without one. */
  readonly body: unknown;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** For answers that go on; the handler then gives back {@link streamed}. */
  readonly response: ServerResponse;
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON, also when it is a text. */
  readonly body?: unknown;
}

type Handler = (call: Call) => Reply | Promise<Reply>;

export interface Route {
  /** Such as `GET /demands/:id/events`. */
  readonly pattern: string;
  readonly handler: Handler;
  /** Answered without the key. Default false. */
  readonly open?: boolean;
}

export const streamed: Reply = { status: 0 };

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const created = (body: unknown): Reply => ({ status: 201, body });
export const noContent: Reply = { status: 204 };

/** Finds the route of a request among a fixed list. */
export class Router {
  readonly #routes: { readonly method: string; readonly parts: readonly string[]; readonly route: Route }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => {
      const [method, path] = route.pattern.split(' ');
      return { method: method!, parts: path!.split('/'), route };
    });
  }

  /** Throws a 404 when there is no such path, and a 405 when it is there for other methods only. */
  find(method: string, path: string): { route: Route; params: Record<string, string> } {
    const given = path.split('/');
    let elsewhere = false;
    for (const { method: wanted, parts, route } of this.#routes) {
      const params = match(parts, given);
      if (params === undefined) continue;
      if (wanted === method) return { route, params };
      elsewhere = true;
    }
    throw elsewhere
      ? new Problem(405, `${path} does not know ${method}`)
      : new Problem(404, `this node has no ${method} ${path}`);
  }
}

function match(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (parts.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = given[index]!;
    if (part.startsWith(':') && value !== '') params[part.slice(1)] = decode(value);
    else if (part !== value) return undefined;
  }
  return params;
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw badRequest(`${value} is not percent-encoded text`);
  }
}

const longestPollMs = 60_000;

/** `timeout` in seconds, as every long poll has it, in ms. */
export function timeoutMs({ query }: Call, defaultSeconds: number): number {
  const seconds = Number(query.get('timeout') ?? defaultSeconds);
  if (!(seconds >= 0)) throw badRequest(`timeout ${query.get('timeout')} is no number of seconds`);
  return Math.min(seconds * 1000, longestPollMs);
}

export function maxEvents({ query }: Call, byDefault: number): number {
  const count = Number(query.get('maxEvents') ?? byDefault);
  if (!(count >= 1)) throw badRequest(`maxEvents ${query.get('maxEvents')} is not at least 1`);
  return Math.min(Math.floor(count), 1000);
}
