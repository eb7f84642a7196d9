"""Makes ``import a.b.c_pb2`` load ``a/b/c.proto``, as if protoc had been run.

The roots searched are those of the environment variable FURROW_PROTOS (separated as PATH is), then the repository's
``protos/``. A file that is in none of them is a ModuleNotFoundError, exactly as with generated code.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path
from types import ModuleType

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.internal import builder

from .proto_files import parse_proto_file

SUFFIX = "_pb2"
REPOSITORY_PROTOS = Path(__file__).resolve().parents[4] / "protos"


def install() -> None:
    """Registers the importer once for this interpreter."""
    if not any(isinstance(finder, ProtoFinder) for finder in sys.meta_path):
        extra = [Path(root) for root in os.environ.get("FURROW_PROTOS", "").split(os.pathsep) if root]
        sys.meta_path.append(ProtoFinder([*extra, REPOSITORY_PROTOS]))


def module_of(proto_file: str) -> ModuleType:
    """The module of a proto file, named as in an event's ``pb=``."""
    return importlib.import_module(proto_file.replace(".proto", SUFFIX).replace("/", "."))


def same(compiled: FileDescriptorProto) -> bool:
    """Whether the module of this file says what a compiler says, JSON names aside, which follow from the names."""
    ours, theirs = FileDescriptorProto(), FileDescriptorProto()
    module_of(compiled.name).DESCRIPTOR.CopyToProto(ours)
    theirs.CopyFrom(compiled)
    theirs.ClearField("source_code_info")
    for message in theirs.message_type:
        _clear_json_names(message)
    return ours == theirs


def _clear_json_names(message: DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _clear_json_names(nested)


class ProtoFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``*_pb2`` modules below the roots; directories in between become namespace packages."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots = roots

    def find_spec(self, fullname: str, path: object = None, target: object = None):  # noqa: ARG002
        relative = fullname.replace(".", "/")
        if fullname.endswith(SUFFIX):
            found = self._file(relative[: -len(SUFFIX)] + ".proto")
            return found and importlib.machinery.ModuleSpec(fullname, self, origin=str(found))
        folders = [str(root / relative) for root in self.roots if (root / relative).is_dir()]
        if not folders:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = folders
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:  # noqa: ARG002
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__[: -len(SUFFIX)].replace(".", "/") + ".proto"
        file = parse_proto_file(name, Path(module.__spec__.origin).read_text(encoding="utf-8"))
        for dependency in file.dependency:
            module_of(dependency)
        pool = descriptor_pool.Default()
        pool.AddSerializedFile(file.SerializeToString())
        module.DESCRIPTOR = pool.FindFileByName(name)
        builder.BuildMessageAndEnumDescriptors(module.DESCRIPTOR, vars(module))
        builder.BuildTopDescriptorsAndMessages(module.DESCRIPTOR, module.__name__, vars(module))

    def _file(self, name: str) -> Path | None:
        return next((root / name for root in self.roots if (root / name).is_file()), None)
