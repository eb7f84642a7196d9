import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { parseJson } from '../../src/config/json.js';

const message = (text: string) => {
  try {
    parseJson(text, 'x.json');
  } catch (error) {
    if (error instanceof MeshError) return error.message;
    throw error;
  }
  return 'none';
};

describe('parseJson', () => {
  it.each([
    ['{"a": 1,}', 'x.json: not JSON: line 1, column 8: a comma stands before "}"; remove it'],
    ['{\n  "a": 1\n  "b": 2\n}', 'x.json: not JSON: line 3, column 3: found "\\"" where "," or "}" should stand'],
    ['{"a": 1', 'x.json: not JSON: line 1, column 8: the text ends where "," or "}" should stand; the file is cut off'],
    ['{"a": "1', 'x.json: not JSON: line 1, column 7: a string is not closed; the file is cut off'],
    ['{"a": "1\n"}', 'x.json: not JSON: line 1, column 7: a string is not closed on its line'],
    ['{"a": yes}', 'x.json: not JSON: line 1, column 7: found "yes" where a value should stand'],
    ['{a: 1}', 'x.json: not JSON: line 1, column 2: found "a" where a key in double quotes should stand'],
    ['{"a" 1}', 'x.json: not JSON: line 1, column 6: found "1" where ":" after the key "a" should stand'],
    [
      '[1] // x',
      'x.json: not JSON: line 1, column 5: text goes on after the end of the JSON value; remove what follows',
    ],
    ['[1, // x\n2]', 'x.json: not JSON: line 1, column 5: found "/" where a value should stand; JSON has no comments'],
    ['"\\x"', 'x.json: not JSON: line 1, column 1: a string has a broken escape; write a backslash as \\\\'],
    ['['.repeat(100), 'x.json: not JSON: line 1, column 66: nested deeper than 64 levels'],
  ])('says where %j breaks', (text, expected) => {
    expect(message(text)).toBe(expected);
  });

  it('reports keys that stand twice', () => {
    expect(parseJson('{"a": 1,\n "b": {"a": 2}, "a": 3}', 'x').duplicates).toEqual([{ key: 'a', line: 2, column: 17 }]);
  });

  it('keeps keys that mean something to JavaScript', () => {
    expect(Object.keys(parseJson('{"__proto__": 1, "constructor": 2}', 'x').value as object)).toEqual([
      '__proto__',
      'constructor',
    ]);
  });

  it('reads a string of megabytes', () => {
    const long = 'a\\n'.repeat(1_000_000);
    expect(parseJson(`"${long}"`, 'x').value).toHaveLength(2_000_000);
  });

  it('reads every JSON text as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom(undefined, 1, '\t'), (json, indent) => {
        const value: unknown = JSON.parse(json);
        const { value: read } = parseJson(JSON.stringify(value, null, indent), 'x');
        expect(JSON.stringify(read)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('refuses what JSON.parse refuses, and nothing else', () => {
    const accepted = (read: () => unknown) => {
      try {
        read();
        return true;
      } catch {
        return false;
      }
    };
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'null',
      ' ',
      '\n',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((pieces) => pieces.join('')),
          fc.string(),
        ),
        (text) => {
          expect(accepted(() => parseJson(text, 'x'))).toBe(accepted(() => JSON.parse(text)));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
