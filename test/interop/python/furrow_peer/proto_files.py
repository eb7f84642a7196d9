"""Reads a ``.proto`` file into a FileDescriptorProto, so that no protoc is needed.

Covers proto3 as event services use it: messages, enums, oneofs, maps, optional, services, imports. Options other than
``allow_alias`` are skipped. Type names stay as written: the descriptor pool resolves them by scope.
"""

from __future__ import annotations

import re

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<word>-?\.?[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)"""
    r"""|(?P<mark>[{}\[\]()<>=;:,])""",
    re.DOTALL,
)

SCALARS = {
    name[len("TYPE_") :].lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


class ProtoSyntaxError(ValueError):
    """A ``.proto`` file that this reader does not understand."""


def parse_proto_file(name: str, text: str) -> FileDescriptorProto:
    """The descriptor of one file. ``name`` is its path below the import root, with slashes."""
    return _Parser(name, text).file()


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._tokens = _tokens(name, text)
        self._at = 0

    def file(self) -> FileDescriptorProto:
        out = FileDescriptorProto(name=self._name)
        while self._at < len(self._tokens):
            word = self._next()
            if word == "syntax":
                self._expect("=")
                out.syntax = self._string()
                if out.syntax != "proto3":
                    raise self._error("proto3", out.syntax)
                self._expect(";")
            elif word == "package":
                out.package = self._next()
                self._expect(";")
            elif word == "import":
                if self._peek() == "public":
                    self._next()
                    out.public_dependency.append(len(out.dependency))
                out.dependency.append(self._string())
                self._expect(";")
            elif word == "message":
                self._message(out.message_type.add())
            elif word == "enum":
                self._enum(out.enum_type.add())
            elif word == "service":
                self._service(out.service.add())
            elif word == "option":
                self._skip_statement()
            elif word != ";":
                raise self._error("a definition", word)
        return out

    def _message(self, out: DescriptorProto) -> None:
        out.name = self._next()
        self._expect("{")
        optional: list[FieldDescriptorProto] = []
        while (word := self._next()) != "}":
            if word == "message":
                self._message(out.nested_type.add())
            elif word == "enum":
                self._enum(out.enum_type.add())
            elif word == "oneof":
                index = len(out.oneof_decl)
                out.oneof_decl.add(name=self._next())
                self._expect("{")
                while (inner := self._next()) != "}":
                    if inner == "option":
                        self._skip_statement()
                    else:
                        self._field(out.field.add(oneof_index=index), inner)
            elif word == "map" and self._peek() == "<":
                self._map(out)
            elif word in ("option", "reserved", "extensions"):
                self._skip_statement()
            elif word == "repeated":
                self._field(out.field.add(), self._next()).label = FieldDescriptorProto.LABEL_REPEATED
            elif word == "optional":
                optional.append(self._field(out.field.add(proto3_optional=True), self._next()))
            elif word != ";":
                self._field(out.field.add(), word)
        # A proto3 "optional" is a oneof of its own, and those stand after the written ones.
        for field in optional:
            field.oneof_index = len(out.oneof_decl)
            out.oneof_decl.add(name="_" + field.name)

    def _field(self, out: FieldDescriptorProto, type_name: str) -> FieldDescriptorProto:
        out.label = FieldDescriptorProto.LABEL_OPTIONAL
        _set_type(out, type_name)
        out.name = self._next()
        self._expect("=")
        out.number = int(self._next(), 0)
        self._options()
        return out

    def _map(self, parent: DescriptorProto) -> None:
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        field = parent.field.add(label=FieldDescriptorProto.LABEL_REPEATED, name=self._next())
        self._expect("=")
        field.number = int(self._next(), 0)
        self._options()
        entry = parent.nested_type.add()
        entry.name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        entry.options.map_entry = True
        for name, number, type_name in (("key", 1, key), ("value", 2, value)):
            _set_type(entry.field.add(label=FieldDescriptorProto.LABEL_OPTIONAL, name=name, number=number), type_name)
        field.type_name = entry.name
        field.type = FieldDescriptorProto.TYPE_MESSAGE

    def _enum(self, out: EnumDescriptorProto) -> None:
        out.name = self._next()
        self._expect("{")
        while (word := self._next()) != "}":
            if word == "option":
                name, value = self._option()
                if name == "allow_alias":
                    out.options.allow_alias = value == "true"
            elif word == "reserved":
                self._skip_statement()
            elif word != ";":
                self._expect("=")
                out.value.add(name=word, number=int(self._next(), 0))
                self._options()

    def _service(self, out: ServiceDescriptorProto) -> None:
        out.name = self._next()
        self._expect("{")
        while (word := self._next()) != "}":
            if word == "option":
                self._skip_statement()
            elif word == "rpc":
                method = out.method.add(name=self._next())
                method.input_type, client_streaming = self._rpc_type()
                self._expect("returns")
                method.output_type, server_streaming = self._rpc_type()
                if client_streaming:
                    method.client_streaming = True
                if server_streaming:
                    method.server_streaming = True
                if self._peek() == "{":
                    self._skip_block()
                else:
                    self._expect(";")
            elif word != ";":
                raise self._error("rpc", word)

    def _rpc_type(self) -> tuple[str, bool]:
        self._expect("(")
        name = self._next()
        streaming = name == "stream" and self._peek() != ")"
        if streaming:
            name = self._next()
        self._expect(")")
        return name, streaming

    def _option(self) -> tuple[str, str]:
        name = self._next()
        self._expect("=")
        value = self._next()
        self._expect(";")
        return name, value

    def _options(self) -> None:
        """The ``[…]`` after a field, and its semicolon."""
        self._skip_statement()

    def _skip_statement(self) -> None:
        while (word := self._next()) != ";":
            if word == "{":
                self._at -= 1
                self._skip_block()

    def _skip_block(self) -> None:
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self._next(), 0)
            if depth == 0:
                return

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._error("more", "the end of the file")
        self._at += 1
        return self._tokens[self._at - 1]

    def _string(self) -> str:
        word = self._next()
        if word[:1] not in ("'", '"'):
            raise self._error("a string", word)
        return word[1:-1]

    def _expect(self, mark: str) -> None:
        word = self._next()
        if word != mark:
            raise self._error(repr(mark), word)

    def _error(self, expected: str, found: str) -> ProtoSyntaxError:
        return ProtoSyntaxError(f"{self._name}: expected {expected}, found {found!r} (token {self._at})")


def _set_type(field: FieldDescriptorProto, type_name: str) -> None:
    if type_name in SCALARS:
        field.type = SCALARS[type_name]
    else:
        field.type_name = type_name


def _tokens(name: str, text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise ProtoSyntaxError(f"{name}:{line}: unexpected {text[at]!r}")
        if match.lastgroup != "space":
            tokens.append(match.group())
        at = match.end()
    return tokens
