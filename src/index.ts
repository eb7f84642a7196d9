export { type ArgSchema, type ArgSpec, arg, type ParsedArgs, parseArgs } from './base/args.js';
export { type Clock, systemClock } from './base/clock.js';
export { createLogger, type LoggerOptions } from './base/create-logger.js';
export { type Fault, MeshError, type MeshErrorCode, meshErrorCodes } from './base/errors.js';
export type { Logger, LoggerLevel } from './base/logger.js';
export { checkConfig } from './config/check.js';
export type { Finding } from './config/finding.js';
export { formatConfig } from './config/format.js';
export { type GraphEdge, type MeshGraph, meshGraph } from './config/graph.js';
export { loadConfig, parseConfig } from './config/load.js';
export type {
  LogLevel,
  MeshConfig,
  Overflow,
  PublishedPath,
  QualityOfService,
  RequestPath,
  ServiceConfig,
  SubscriptionConfig,
} from './config/types.js';
export type { ConnectionState } from './mesh/connection.js';
export {
  type ClientTarget,
  EventClient,
  type EventClientOptions,
  type RequestOptions,
  requestOf,
} from './mesh/event-client.js';
export { EventServer, type EventServerOptions } from './mesh/event-server.js';
export { EventService } from './mesh/event-service.js';
export type { EventServiceOptions } from './mesh/event-service-options.js';
export type { EventStream, StreamCounts } from './mesh/event-stream.js';
export { Mesh, type MeshOptions, type Replies, type RequestAllOptions } from './mesh/mesh.js';
export type { Gap } from './mesh/sequence-tracker.js';
export type { SubscribeRequest } from './mesh/subscribe-request.js';
export type {
  AnyTypes,
  PublishOptions,
  PublishResult,
  RequestContext,
  RequestHandler,
  RequestHandlerOptions,
  ServiceTypes,
} from './mesh/types.js';
export type { Event } from './messages/event.js';
export { appendStamp, removeStamps } from './messages/event-stamps.js';
export { MeshEvent } from './messages/mesh-event.js';
export { NanoDate } from './messages/natural.js';
export { TypeRegistry } from './messages/registry.js';
export type { StructObject, StructValue } from './messages/struct.js';
export { findStamp, secondsBetween, semantics, type Timestamp } from './messages/timestamp.js';
export type { Uri } from './messages/uri.js';
export { type LatencyOptions, latency } from './operators/latency.js';
export { type LatestMapOptions, latestMap } from './operators/latest-map.js';
export { type MessagesOptions, messages } from './operators/messages.js';
export { ofType } from './operators/of-type.js';
export { onPath } from './operators/on-path.js';
export { type RateOptions, rate } from './operators/rate.js';
export { type SequenceGap, type SequenceGapsOptions, sequenceGaps } from './operators/sequence-gaps.js';
export { type SilenceChange, type SilenceOptions, silence } from './operators/silence.js';
export { exitCodes } from './program/exit-codes.js';
export { type ServiceContext, type ServiceProgram, serviceMain } from './program/service-main.js';
export type { TlsFiles } from './wire/credentials.js';
