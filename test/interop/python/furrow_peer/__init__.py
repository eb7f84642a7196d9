"""An event service and client that behave as farm-ng's do, written from the wire contract alone.

It needs Python 3.9 or newer with grpcio and protobuf, and no generated code: importing this package makes
``import farm_ng.core.event_pb2`` work straight from the ``.proto`` files (see ``proto_import``).
"""

from . import proto_import

proto_import.install()
