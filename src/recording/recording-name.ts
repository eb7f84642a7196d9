import type { Clock } from '../base/clock.js';

/** The name that farm-ng's recorder gives a recording: UTC, to the microsecond, and the host. */
export function recordingName(clock: Clock): string {
  const seconds = clock.system();
  const whole = Math.floor(seconds);
  const micros = Math.min(999_999, Math.floor((seconds - whole) * 1e6));
  const [date = '', time = ''] = new Date(whole * 1000).toISOString().slice(0, 19).split('T');
  const parts = [...date.split('-'), ...time.split(':'), String(micros).padStart(6, '0')];
  return `${parts.join('_')}_${clock.host}`;
}
