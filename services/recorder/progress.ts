import type { PathReport, RecordingReport, SubscriptionReport } from 'furrow/recording';

/** Type of `/progress` and of the reply to `/status`: protos/furrow/recorder_progress.proto. */
export const progressType = 'furrow.RecorderProgress';

/** One recording of the service, the present or the last one. */
export interface RecordingState {
  readonly state: 'recording' | 'complete' | 'failed';
  readonly base: string;
  readonly profile: string;
  readonly report: RecordingReport;
}

const shownGaps = 10;

/** The RecorderProgress of a recording; of none, that the recorder is idle. */
export function progressMessage(recording: RecordingState | undefined, freeBytes: number): object {
  if (recording === undefined) return { state: 'idle', freeBytes };
  const { state, base, profile, report } = recording;
  const { files, startS, durationS, events, bytes, lost, error } = report;
  return {
    state,
    base,
    files,
    profile,
    start: new Date(startS * 1000),
    durationS,
    events,
    bytes,
    lost,
    freeBytes,
    error: error?.message ?? '',
    paths: report.paths.map(pathMessage),
    subscriptions: report.subscriptions.map(subscriptionMessage),
  };
}

function pathMessage({ gaps, ...counts }: PathReport): object {
  const shown = gaps.slice(-shownGaps).map(({ from, to, count, reason }) => ({ first: from, last: to, count, reason }));
  return { ...counts, gaps: shown };
}

function subscriptionMessage({ error, ...subscription }: SubscriptionReport): object {
  return { ...subscription, error: error?.message ?? '' };
}
