export { type FoxgloveOptions, FoxgloveServer } from './foxglove-server.js';
export type { ChannelStatus, FoxgloveStatus, ViewerStatus } from './status.js';
