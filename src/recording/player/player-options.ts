import type { TypeRegistry } from '../../messages/registry.js';
import type { Selection } from '../recording.js';
import type { PlaybackTimer } from './playback-timer.js';
import type { StageOptions } from './stage.js';

export interface PlayerOptions extends StageOptions, Selection {
  /** Message types. Default: the well-known ones and furrow's own; events of other types are played all the same. */
  readonly registry?: TypeRegistry;
  /** 2 is twice as fast, 0 as fast as possible. Default 1. */
  readonly rate?: number;
  /** Begin again at the end, each time as a new epoch. Default false. */
  readonly loop?: boolean;
  /** Stand still at the beginning, for `step` or `resume`. Default false. */
  readonly paused?: boolean;
  /** Port of the player's own service, unless the configuration gives `player` one. Default: a free one. */
  readonly port?: number;
  /** Begin when there are so many subscriptions. Default 0. */
  readonly waitFor?: number;
  /** Default: this machine's clock. */
  readonly timer?: PlaybackTimer;
  /** Ends reading the recording's index, and later playing. */
  readonly signal?: AbortSignal;
  /** Told while a recording without an index is read for the first time. */
  readonly onProgress?: (readBytes: number, totalBytes: number) => void;
}
