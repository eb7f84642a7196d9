import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConstraint } from '../../services/golem-node/constraints.js';

const offer = {
  'golem.runtime.name': 'vm',
  'golem.inf.mem.gib': 8,
  'golem.runtime.capabilities': ['vpn', 'inet'],
  'golem.node.net.is-public': false,
  'golem.node.id.name': 'alder (north)',
};

describe('constraints', () => {
  it.each([
    ['', true],
    ['()', true],
    ['(&)', true],
    ['(|)', false],
    ['(golem.runtime.name=vm)', true],
    ['(golem.runtime.name=wasm)', false],
    ['(golem.runtime.name!=wasm)', true],
    ['(golem.runtime.name=*)', true],
    ['(golem.runtime.version=*)', false],
    ['(golem.runtime.name=v*)', true],
    ['(golem.runtime.name=*x*)', false],
    ['(golem.inf.mem.gib>=8)', true],
    ['(golem.inf.mem.gib > 8)', false],
    ['(golem.inf.mem.gib<8.5)', true],
    // As numbers: as texts, 10 would come before 8.
    ['(golem.inf.mem.gib<=10)', true],
    ['(golem.inf.mem.gib=8.0)', true],
    ['(golem.inf.mem.gib>=eight)', false],
    ['(golem.runtime.capabilities=inet)', true],
    ['(golem.runtime.capabilities=gpu)', false],
    ['(golem.node.net.is-public=false)', true],
    ['(golem.missing<=5)', false],
    ['(golem.missing!=5)', false],
    ['(!(golem.missing=5))', true],
    ['(&(golem.runtime.name=vm)\n\t(golem.inf.mem.gib>=4))', true],
    ['(&(golem.runtime.name=vm)(|(golem.inf.mem.gib>=16)(golem.runtime.capabilities=vpn)))', true],
    ['(&(golem.runtime.name=vm)(|(golem.inf.mem.gib>=16)(!(golem.runtime.capabilities=vpn))))', false],
    ['(|(golem.runtime.name=wasm)(&(golem.inf.mem.gib>=8)(golem.inf.mem.gib<=8)))', true],
  ])('%s is %s', (text, expected) => {
    expect(parseConstraint(text)(offer)).toBe(expected);
  });

  it.each(['(', ')', '(a=b', 'a=b', '(a=b)(c=d)', '(&(a=b)', '(!(a=b)(c=d))', '(a)', '(=b)', '(&a=b)'])(
    '%s is turned down with the place of the fault',
    (text) => {
      expect(() => parseConstraint(text)).toThrow(/constraints: expected .* at /);
    },
  );

  it('is not brought down by depth', () => {
    expect(() => parseConstraint('(!'.repeat(10_000))).toThrow(/nested deeper/);
  });

  it('agrees with a direct evaluation of nested expressions', () => {
    const { tree } = fc.letrec<{ tree: [string, boolean] }>((tie) => {
      const leaf = fc.integer({ min: 6, max: 10 }).map((n): [string, boolean] => [`(golem.inf.mem.gib>=${n})`, 8 >= n]);
      const many = fc.array(tie('tree'), { maxLength: 3 });
      const join = (sign: string, parts: [string, boolean][]) => `(${sign}${parts.map(([text]) => text).join(' ')})`;
      return {
        tree: fc.oneof(
          { maxDepth: 5 },
          leaf,
          many.map((parts): [string, boolean] => [join('&', parts), parts.every(([, value]) => value)]),
          many.map((parts): [string, boolean] => [join('|', parts), parts.some(([, value]) => value)]),
          tie('tree').map(([text, value]): [string, boolean] => [`(!${text})`, !value]),
        ),
      };
    });
    fc.assert(fc.property(tree, ([text, expected]) => parseConstraint(text)(offer) === expected));
  });

  it('either reads a text or says what is wrong with it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'()&|!=<>*ab1 ') }), (text) => {
        try {
          expect(typeof parseConstraint(text)(offer)).toBe('boolean');
        } catch (error) {
          expect(String(error)).toContain('constraints');
        }
      }),
    );
  });
});
