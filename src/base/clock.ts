import { hostname } from 'node:os';

/** The clocks of this host, as farm-ng names them. Handed in everywhere, so that tests can hold time. */
export interface Clock {
  /** Host name: authority of event URIs and prefix of clock names. */
  readonly host: string;
  /** `<host>/monotonic` */
  readonly monotonicName: string;
  /** `<host>/system_clock/<timezone abbreviation>` */
  readonly systemName: string;
  /** Seconds of CLOCK_MONOTONIC, comparable across the processes of one host. */
  monotonic(): number;
  /** Unix time in seconds. */
  system(): number;
}

/** The real clocks. `host` defaults to the machine's name. */
export function systemClock(host: string = hostname()): Clock {
  return {
    host,
    monotonicName: `${host}/monotonic`,
    systemName: `${host}/system_clock/${timezoneAbbreviation()}`,
    // hrtime is CLOCK_MONOTONIC; performance.now() would count from the start of this process.
    monotonic: () => {
      const [seconds, nanos] = process.hrtime();
      return seconds + nanos * 1e-9;
    },
    system: () => Date.now() / 1000,
  };
}

function timezoneAbbreviation(): string {
  const part = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(new Date())
    .find(({ type }) => type === 'timeZoneName');
  return part?.value ?? 'UTC';
}
