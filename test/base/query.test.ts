import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatQuery, parseQuery } from '../../src/base/query.js';

describe('parseQuery', () => {
  it('reads the query of an event', () => {
    const query = 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=agent-1';
    expect([...parseQuery(query)]).toEqual([
      ['type', 'google.protobuf.Struct'],
      ['pb', 'google/protobuf/struct.proto'],
      ['service_name', 'agent-1'],
    ]);
  });

  it.each([
    ['', []],
    ['a=b=c', [['a', 'b=c']]],
    ['a', [['a', '']]],
    ['=x', [['', 'x']]],
    ['a=1&a=2', [['a', '1']]],
    ['&&a=1&', [['a', '1']]],
    ['pb=a%2Fb+c', [['pb', 'a%2Fb+c']]],
  ])('reads %j', (query, parts) => {
    expect([...parseQuery(query)]).toEqual(parts);
  });

  it('takes any text, and keeps nothing that the text does not hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (query) => {
        for (const [key, value] of parseQuery(query)) {
          expect(query.includes(value === '' ? key : `${key}=${value}`)).toBe(true);
        }
      }),
    );
  });

  it('reads back what formatQuery writes', () => {
    const key = fc.string({ minLength: 1 }).filter((text) => !/[&=]/.test(text));
    const value = fc.string().filter((text) => !text.includes('&'));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (parts) => {
        expect([...parseQuery(formatQuery(parts))]).toEqual(parts);
      }),
    );
  });
});

describe('formatQuery', () => {
  it('writes raw text in the order given', () => {
    expect(
      formatQuery(
        new Map([
          ['pb', 'google/protobuf/struct.proto'],
          ['service_name', 'oak/0'],
        ]),
      ),
    ).toBe('pb=google/protobuf/struct.proto&service_name=oak/0');
  });
});
