import type { WireMethod } from './types.js';

export const eventServiceName = 'farm_ng.core.proto.EventService';

/** Where the methods stand in HTTP/2. */
export const methodPaths: Readonly<Record<WireMethod, string>> = {
  listUris: `/${eventServiceName}/listUris`,
  subscribe: `/${eventServiceName}/subscribe`,
  requestReply: `/${eventServiceName}/requestReply`,
};
