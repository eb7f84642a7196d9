/** Bytes, four at least, in words of four, the last of which ends with them: what they are compared with quickly. */
export function wordsOf(bytes: Buffer): Int32Array {
  const count = Math.ceil(bytes.length / 4);
  return Int32Array.from({ length: count }, (_, index) => bytes.readInt32LE(Math.min(4 * index, bytes.length - 4)));
}

/**
 * An unsigned number of 32 bits for the bytes, four at least, from `start` to `end`. Texts that differ in a digit
 * differ in all its bits: the URIs of one service do, and a table looks at the lowest ones.
 */
export function hashOf(view: DataView, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at + 4 <= end; at += 4) hash = mixed(hash ^ view.getInt32(at, true));
  // Twice: the last byte stands at the very top of its word.
  return mixed(mixed(hash ^ view.getInt32(end - 4, true))) >>> 0;
}

/** A product carries only upwards, so what is above is brought down again. */
function mixed(word: number): number {
  const product = Math.imul(word, 0x9e3779b1);
  return product ^ (product >>> 15);
}
