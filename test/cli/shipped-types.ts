// Written by furrow from .proto files; changes here get lost.

import type { NanoDate, StructObject } from 'furrow';

/** furrow.Dump, of furrow/dump.proto */
export interface Dump {
  observations: Observation[];
}

/** furrow.DumpRequest, of furrow/dump.proto */
export interface DumpRequest {
  since: number;
  limit: number;
}

/** furrow.GolemEvent, of furrow/golem_event.proto */
export interface GolemEvent {
  kind: string;
  type: string;
  provider: string;
  time?: NanoDate;
  details?: StructObject;
}

/** furrow.LifeCycleEvent, of furrow/life_cycle_event.proto */
export interface LifeCycleEvent {
  state: string;
  previous: string;
  provider: string;
  reason: string;
  instanceId: string;
  time?: NanoDate;
}

/** furrow.Observation, of furrow/dump.proto */
export interface Observation {
  val: number;
  timeAdded: string;
}

/** furrow.Plot, of furrow/plot.proto */
export interface Plot {
  name: string;
  kind: string;
  png: Uint8Array;
}

/** furrow.PlotRequest, of furrow/plot.proto */
export interface PlotRequest {
  kind: string;
}

/** Full name of a message → its value. */
export interface MessageTypes {
  'furrow.Dump': Dump;
  'furrow.DumpRequest': DumpRequest;
  'furrow.GolemEvent': GolemEvent;
  'furrow.LifeCycleEvent': LifeCycleEvent;
  'furrow.Plot': Plot;
  'furrow.PlotRequest': PlotRequest;
  'google.protobuf.DoubleValue': number;
  'google.protobuf.Empty': Record<string, never>;
  'google.protobuf.Int32Value': number;
  'google.protobuf.Struct': StructObject;
}

/** Paths of agent-1, agent-2, agent-3. */
export interface AgentTypes {
  publishes: {
    '/sample': MessageTypes['google.protobuf.Struct'];
    '/health': MessageTypes['google.protobuf.Struct'];
  };
  requests: {
    '/update_residual': {
      request: MessageTypes['google.protobuf.Int32Value'];
      reply: MessageTypes['google.protobuf.Empty'];
    };
  };
}

/** Paths of supervisor-1, supervisor-2, supervisor-3. */
export interface SupervisorTypes {
  publishes: {
    '/health': MessageTypes['google.protobuf.Struct'];
  };
  requests: Record<never, never>;
}

/** Paths of storage. */
export interface StorageTypes {
  publishes: {
    '/residual': MessageTypes['google.protobuf.Int32Value'];
    '/health': MessageTypes['google.protobuf.Struct'];
  };
  requests: {
    '/update_storage': {
      request: MessageTypes['google.protobuf.Empty'];
      reply: MessageTypes['google.protobuf.Int32Value'];
    };
  };
}

/** Paths of golem-node. */
export interface GolemNodeTypes {
  publishes: {
    '/market': MessageTypes['furrow.GolemEvent'];
    '/agreements': MessageTypes['furrow.GolemEvent'];
    '/activities': MessageTypes['furrow.GolemEvent'];
    '/payments': MessageTypes['furrow.GolemEvent'];
    '/health': MessageTypes['google.protobuf.Struct'];
  };
  requests: Record<never, never>;
}

/** Paths of simple-service-1, simple-service-2. */
export interface SimpleServiceTypes {
  publishes: {
    '/sample': MessageTypes['google.protobuf.Struct'];
    '/stats': MessageTypes['google.protobuf.Struct'];
    '/plot': MessageTypes['furrow.Plot'];
    '/lifecycle': MessageTypes['furrow.LifeCycleEvent'];
    '/golem': MessageTypes['furrow.GolemEvent'];
    '/health': MessageTypes['google.protobuf.Struct'];
  };
  requests: {
    '/add': { request: MessageTypes['google.protobuf.DoubleValue']; reply: MessageTypes['google.protobuf.Empty'] };
    '/stats': { request: MessageTypes['google.protobuf.Empty']; reply: MessageTypes['google.protobuf.Struct'] };
    '/plot': { request: MessageTypes['furrow.PlotRequest']; reply: MessageTypes['furrow.Plot'] };
    '/dump': { request: MessageTypes['furrow.DumpRequest']; reply: MessageTypes['furrow.Dump'] };
    '/stop': { request: MessageTypes['google.protobuf.Empty']; reply: MessageTypes['google.protobuf.Empty'] };
    '/restart': { request: MessageTypes['google.protobuf.Empty']; reply: MessageTypes['google.protobuf.Empty'] };
    '/update_residual': {
      request: MessageTypes['google.protobuf.Int32Value'];
      reply: MessageTypes['google.protobuf.Empty'];
    };
  };
}
