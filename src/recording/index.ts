export { freeBytes } from './disk-space.js';
export { type EventFileOptions, EventFileWriter, type SyncMode } from './event-file-writer.js';
export {
  type ConvertFormat,
  type ConvertOptions,
  type ConvertResult,
  convertRecording,
} from './export/convert-recording.js';
export { headerEvent } from './header-event.js';
export type { McapCompression } from './mcap/chunk-compression.js';
export type { PayloadSchema } from './mcap/mcap-channels.js';
export { McapWriter, type McapWriterOptions } from './mcap/mcap-writer.js';
export { type OpenRecordingOptions, openRecording } from './open-recording.js';
export type { PlaybackTimer } from './player/playback-timer.js';
export { Player } from './player/player.js';
export type { PlayerOptions } from './player/player-options.js';
export type { PlayerStatus, PlayerSummary, SteppedEvent } from './player/player-status.js';
export { everyPath, namedPaths } from './recorded-paths.js';
export { Recorder, type RecorderOptions } from './recorder.js';
export type {
  Damage,
  ReadOptions,
  RecordedEvent,
  RecordedPath,
  RecordingReader,
  RecordingSummary,
  RecordingWriter,
  Selection,
  StampedEvent,
} from './recording.js';
export { recordingName } from './recording-name.js';
export {
  openOutput,
  type RecordingFormat,
  type RecordingOutput,
  type RecordingOutputOptions,
} from './recording-output.js';
export { defaultProfile, findProfile, profileOfRequest, type RecordingProfile } from './recording-profile.js';
export {
  isComplete,
  type PathReport,
  type RecordingReport,
  type SubscriptionReport,
} from './recording-report.js';
