/** Bytes, four at least, in words of four, the last of which ends with them: what they are compared with quickly. */
export function wordsOf(bytes: Buffer): Int32Array {
  const count = Math.ceil(bytes.length / 4);
  return Int32Array.from({ length: count }, (_, index) => bytes.readInt32LE(Math.min(4 * index, bytes.length - 4)));
}
