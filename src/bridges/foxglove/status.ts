/** How a server is doing. */
export interface FoxgloveStatus {
  /** Viewers, in the order they came. */
  readonly viewers: readonly ViewerStatus[];
  /** What is advertised, by topic. */
  readonly channels: readonly ChannelStatus[];
  /** Request paths that can be called. */
  readonly services: number;
  /** Events sent to viewers, and dropped for them, since the start. */
  readonly sent: number;
  readonly dropped: number;
  /** Connections that were turned away since the start. */
  readonly refused: number;
}

export interface ViewerStatus {
  /** `host:port` */
  readonly name: string;
  readonly subscriptions: number;
  readonly sent: number;
  readonly dropped: number;
  /** Bytes that wait for it to read. */
  readonly bufferedBytes: number;
}

export interface ChannelStatus {
  /** `service/path` */
  readonly topic: string;
  readonly type: string;
  /** Viewers that look. */
  readonly viewers: number;
  /** Events that came from the mesh, and that were lost before they came here. */
  readonly received: number;
  readonly lost: number;
  /** Sent to viewers, and dropped for them. */
  readonly sent: number;
  readonly dropped: number;
}
