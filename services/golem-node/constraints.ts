import { badRequest } from './problem.js';

export type Properties = Readonly<Record<string, unknown>>;

/** Says whether the properties of the other side satisfy an expression. */
export type Constraint = (properties: Properties) => boolean;

const mostCharacters = 65_536;
const deepest = 64;

/**
 * Reads a constraint expression: comparisons `(key op value)` with `=`, `!=`, `<`, `<=`, `>`, `>=`, joined by
 * `(&…)`, `(|…)` and `(!…)`, nested at will. `(key=*)` asks for presence, and `*` in a value stands for any text.
 * Throws a 400 that shows the place of a fault.
 * Source: the market specification of golem-architecture.
 */
export function parseConstraint(text: string): Constraint {
  if (text.length > mostCharacters) throw badRequest(`constraints are longer than ${mostCharacters} characters`);
  let at = 0;

  const fail = (wanted: string): never => {
    throw badRequest(`constraints: expected ${wanted} at ${JSON.stringify(text.slice(at, at + 30))} (character ${at})`);
  };
  const space = () => {
    while (/\s/.test(text[at] ?? '')) at += 1;
  };
  const expect = (character: string) => {
    space();
    if (text[at] !== character) fail(`"${character}"`);
    at += 1;
  };
  const list = (depth: number): Constraint[] => {
    const parts: Constraint[] = [];
    for (space(); text[at] === '('; space()) parts.push(expression(depth + 1));
    return parts;
  };
  const comparison = (): Constraint => {
    const end = text.indexOf(')', at);
    const found = /^([^=<>!()\s]+)\s*(!=|<=|>=|=|<|>)\s*([^()]*)$/.exec(text.slice(at, end === -1 ? undefined : end));
    if (end === -1 || found === null) return fail('a comparison such as key=value');
    at = end;
    // `key@type` states a type that the value shows anyway.
    return compare(found[1]!.split('@')[0]!, found[2]!, found[3]!.trim());
  };
  const expression = (depth: number): Constraint => {
    if (depth > deepest) throw badRequest(`constraints are nested deeper than ${deepest}`);
    expect('(');
    space();
    const operator = text[at];
    let result: Constraint = () => true;
    if (operator === '&' || operator === '|' || operator === '!') {
      at += 1;
      const parts = list(depth);
      if (operator === '&') result = (properties) => parts.every((part) => part(properties));
      else if (operator === '|') result = (properties) => parts.some((part) => part(properties));
      else if (parts.length === 1) result = (properties) => !parts[0]!(properties);
      else fail('one expression after "!"');
    } else if (operator !== ')') {
      result = comparison();
    }
    expect(')');
    return result;
  };

  space();
  if (at === text.length) return () => true;
  const result = expression(0);
  space();
  if (at < text.length) fail('the end');
  return result;
}

function compare(key: string, operator: string, wanted: string): Constraint {
  return (properties) => {
    const value = properties[key];
    if (operator === '!=') return value !== undefined && !equals(value, wanted);
    if (value === undefined || value === null) return false;
    if (operator === '=') return equals(value, wanted);
    const order = typeof value === 'number' ? value - Number(wanted) : String(value) < wanted ? -1 : 1;
    if (typeof value !== 'number' && String(value) === wanted) return operator.endsWith('=');
    if (operator === '<') return order < 0;
    if (operator === '<=') return order <= 0;
    return operator === '>' ? order > 0 : order >= 0;
  };
}

function equals(value: unknown, wanted: string): boolean {
  if (wanted === '*') return true;
  // A list satisfies what one of its items does.
  if (Array.isArray(value)) return value.some((item) => equals(item, wanted));
  if (typeof value === 'number') return value === Number(wanted);
  if (!wanted.includes('*')) return String(value) === wanted;
  const pieces = wanted.split('*').map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pieces.join('[^]*')}$`).test(String(value));
}
