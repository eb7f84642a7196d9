import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../src/supervise/line-splitter.js';

function split(chunks: readonly Buffer[], maxBytes?: number): string[] {
  const splitter = new LineSplitter(maxBytes);
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.finish()].map((line) => line.toString());
}

/** Cuts a text's bytes at the given places, between characters or within. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const sorted = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

describe('LineSplitter', () => {
  it('gives the same lines however the bytes come', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat()), (lines, places) => {
        const clean = lines.map((line) => line.replace(/[\r\n]/g, ''));
        expect(split(cut(clean.map((line) => `${line}\n`).join(''), places))).toEqual(clean);
      }),
    );
  });

  it('cuts long lines into pieces that fit and lose nothing, never within a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.nat()),
        fc.integer({ min: 4, max: 16 }),
        (line, places, max) => {
          const clean = line.replace(/[\r\n]/g, '');
          const pieces = split(cut(clean, places), max);
          expect(pieces.join('')).toBe(clean);
          expect(pieces.every((piece) => Buffer.byteLength(piece) <= max)).toBe(true);
        },
      ),
    );
  });

  it('gives what has no line end only at the end, and drops carriage returns', () => {
    const splitter = new LineSplitter();
    expect(splitter.push(Buffer.from('a\r\nb')).map(String)).toEqual(['a']);
    expect(splitter.finish().map(String)).toEqual(['b']);
    expect(splitter.finish()).toEqual([]);
  });

  it('keeps empty lines', () => {
    expect(split([Buffer.from('\n\na\n')])).toEqual(['', '', 'a']);
  });
});
