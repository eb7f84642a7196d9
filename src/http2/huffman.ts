import { errorCodes } from './frames.js';
import { ProtocolError } from './protocol-error.js';

// How many bits each byte takes, and the end mark after them. The codes follow from it: shorter ones first, then by
// byte. Source: RFC 7541, appendix B.
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const endMark = 256;

/** `nodes[2 * n + bit]`: the node after that bit, or below zero the byte that ends there, as `-1 - byte`. */
const nodes: Int16Array = codeTree();

/** The text of a Huffman-coded string. */
export function decodeHuffman(bytes: Buffer): string {
  const text = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let length = 0;
  let node = 0;
  let depth = 0;
  let allOnes = true;
  for (const byte of bytes) {
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >> shift) & 1;
      const next = nodes[2 * node + bit]!;
      depth += 1;
      allOnes &&= bit === 1;
      if (next >= 0) {
        node = next;
        continue;
      }
      const symbol = -1 - next;
      if (symbol === endMark) throw new ProtocolError(errorCodes.compressionError, 'a header has an end mark inside');
      text[length++] = symbol;
      node = 0;
      depth = 0;
      allOnes = true;
    }
  }
  // What fills the last byte is the beginning of the end mark, which is ones.
  if (depth > 7 || !allOnes) throw new ProtocolError(errorCodes.compressionError, 'a header ends within a character');
  return text.toString('latin1', 0, length);
}

function codeTree(): Int16Array {
  const tree = new Int16Array(2 * lengths.length);
  let nodeCount = 1;
  let code = 0;
  let bits = 0;
  const symbols = Array.from(lengths.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  for (const symbol of symbols) {
    code <<= lengths[symbol]! - bits;
    bits = lengths[symbol]!;
    let node = 0;
    for (let shift = bits - 1; shift > 0; shift--) {
      const edge = 2 * node + ((code >> shift) & 1);
      if (tree[edge] === 0) tree[edge] = nodeCount++;
      node = tree[edge]!;
    }
    tree[2 * node + (code & 1)] = -1 - symbol;
    code += 1;
  }
  return tree;
}
