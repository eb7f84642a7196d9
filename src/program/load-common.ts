import { loadConfig } from '../config/load.js';
import type { MeshConfig } from '../config/types.js';
import { TypeRegistry } from '../messages/registry.js';
import type { TlsFiles } from '../wire/credentials.js';
import { type CommonOptions, tlsOf } from './options.js';

/** The configuration, the types and the TLS files that the options name. Errors: `invalid-argument`, `not-found`. */
export function loadCommon(options: CommonOptions): {
  config: MeshConfig;
  registry: TypeRegistry;
  tls: { tls?: TlsFiles };
} {
  return {
    config: loadConfig(options.serviceConfig),
    registry: new TypeRegistry(options.protos),
    tls: tlsOf(options),
  };
}
