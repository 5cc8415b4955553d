"""Reads the form of a request whose recording may come without a file name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import (  # type: ignore[attr-defined]  # exhaust
    FILE,
    RAW,
    ChunkIter,
    LazyStream,
    MultiPartParserError,
    Parser,
    exhaust,
)
from django.http.multipartparser import MultiPartParser as DjangoParser
from django.utils.datastructures import MultiValueDict
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from transcription.web.uploads import FILE_FIELD

#: Encodings of a part that leave its bytes as they are (RFC 7578 knows no others any more).
PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})
#: What a file without a usable name is called; the official client calls it so itself.
NAMELESS = "upload"


class RecordingFormParser(parsers.BaseParser):
    """A form whose part ``file`` is the recording, with a file name or without.

    The official client sends bytes without a name as a part without ``filename``. Django takes
    such a part for text, keeps it in memory and mends what is no UTF-8 in it.
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> parsers.DataAndFiles[Any, Any]:
        assert parser_context is not None
        request = parser_context["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            data, files = _RecordingForm(meta, stream, request.upload_handlers).parse()
        except MultiPartParserError as error:
            raise ParseError(str(error)) from error
        return parsers.DataAndFiles(data, files)


class _RecordingForm(DjangoParser):
    """Django's parser, but one that knows a file by the name of its part."""

    # Django's constructor sets these; its type stubs do not tell.
    _boundary: bytes
    _chunk_size: int
    _content_length: int
    _encoding: str
    _input_data: Any
    _upload_handlers: list[FileUploadHandler]
    _files: MultiValueDict[str, Any]

    def _parse(self) -> tuple[QueryDict, MultiValueDict[str, Any]]:
        handler = self._upload_handlers[0]
        fields = QueryDict("", mutable=True, encoding=self._encoding)
        # parse() closes these where something goes wrong later in the form.
        files = self._files = MultiValueDict()
        parts = fields_bytes = 0
        # Whether the file's part came to its end shows when the next part begins.
        unfinished: int | None = None
        if self._content_length == 0:
            return fields, files
        stream = LazyStream(ChunkIter(self._input_data, self._chunk_size))
        for kind, headers, part in Parser(stream, self._boundary):
            if unfinished is not None:
                if (upload := handler.file_complete(unfinished)) is not None:
                    files.appendlist(FILE_FIELD, upload)
                unfinished = None
            name = _name_of(headers)
            if kind == RAW or name is None:
                exhaust(part)
                continue
            parts += 1
            if parts > settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:
                raise TooManyFieldsSent("The form has too many parts.")
            if name == FILE_FIELD:
                unfinished = self._take_file(handler, headers, part)
            elif kind == FILE:
                exhaust(part)  # a file that nobody asked for
            else:
                room = settings.DATA_UPLOAD_MAX_MEMORY_SIZE - fields_bytes
                value = part.read(size=room + 1)
                fields_bytes += len(value) + len(name)
                if fields_bytes > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                    raise RequestDataTooBig("The fields beside the file are too large.")
                fields.appendlist(name, value.decode(self._encoding, "replace"))
        if unfinished is not None:
            handler.upload_interrupted()
        exhaust(self._input_data)
        fields._mutable = False
        return fields, files

    def _take_file(
        self, handler: FileUploadHandler, headers: Mapping[str, Any], part: LazyStream
    ) -> int:
        """Stream the part into the handler; return its size in bytes."""
        encoding = headers.get("content-transfer-encoding", ("", {}))[0].strip().lower()
        if encoding not in PLAIN_ENCODINGS:
            raise MultiPartParserError(f"The file is sent in the encoding {encoding}.")
        given = headers["content-disposition"][1].get("filename", b"")
        file_name = self.sanitize_file_name(given.decode(self._encoding, "replace")) or NAMELESS
        content_type, extra = headers.get("content-type", ("", {}))
        handler.new_file(FILE_FIELD, file_name, content_type.strip(), None, None, extra)
        size_bytes = 0
        for chunk in part:
            handler.receive_data_chunk(chunk, size_bytes)
            size_bytes += len(chunk)
        return size_bytes


def _name_of(headers: Mapping[str, Any]) -> str | None:
    try:
        name: bytes = headers["content-disposition"][1]["name"]
    except (KeyError, IndexError):
        return None
    return name.decode("utf-8", "replace").strip()
