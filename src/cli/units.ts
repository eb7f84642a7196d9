/** A time in seconds as people read it: `812 µs`, `12.4 ms`, `1.25 s`, `2 h 5 min`. */
export function showSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (size < 1) return `${digits(seconds * 1e3)} ms`;
  if (size < 120) return `${digits(seconds)} s`;
  if (size < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** `50.0 Hz`; slow ones as `one every 20.0 s`. */
export function showRate(hz: number): string {
  if (hz === 0) return '0 Hz';
  return hz < 0.1 ? `one every ${showSeconds(1 / hz)}` : `${hz.toFixed(hz < 10 ? 2 : 1)} Hz`;
}

/** `512 B`, `1.50 kB`, `2.25 MB`: powers of 1000. */
export function showBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes.toFixed(0)} B`;
  if (bytes < 1e6) return `${digits(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${digits(bytes / 1e6)} MB` : `${digits(bytes / 1e9)} GB`;
}

/** Three significant digits, and all of those before the point. */
function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}
