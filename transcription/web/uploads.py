"""The file of a request, streamed to the disk once, and durable before anybody says thanks."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

#: The one field that a recording comes in.
FILE_FIELD = "file"
#: As much of the beginning as is kept for telling what the file is.
HEAD_BYTES = 4096


class DurableUpload(UploadedFile):
    """A complete file in ``INCOMING_DIR``, written through to the disk.

    It is removed when the request ends, unless somebody has renamed it away by then: that is
    how it is accepted.
    """

    def __init__(
        self,
        file: IO[bytes],
        path: Path,
        *,
        name: str,
        content_type: str | None,
        size: int,
        sha256: str,
        head: bytes,
    ) -> None:
        super().__init__(file=file, name=name, content_type=content_type, size=size)
        self.path = path
        #: Hexadecimal, of the whole content.
        self.sha256 = sha256
        self.head = head

    def close(self) -> None:
        super().close()
        self.path.unlink(missing_ok=True)


class DurableUploadHandler(FileUploadHandler):
    """Streams the part "file" into ``INCOMING_DIR`` in pieces, with its digest as it goes by.

    Files in other parts are passed over without touching the disk. The memory that it needs is
    that of one piece.
    """

    chunk_size = 256 * 1024

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._file: IO[bytes] | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != FILE_FIELD:
            raise SkipFile
        # mkstemp makes it 0600 whatever the umask.
        handle, name = tempfile.mkstemp(prefix="upload-", dir=settings.INCOMING_DIR)
        self._file = os.fdopen(handle, "w+b", buffering=0)
        self._path = Path(name)
        self._sha256 = hashlib.sha256()
        self._head = b""
        # For whatever ends the request without closing its files: a client that is gone, an
        # error between here and there.
        self._leftover = weakref.finalize(self._file, self._path.unlink, missing_ok=True)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._file is not None
        self._sha256.update(raw_data)
        if len(self._head) < HEAD_BYTES:
            self._head += raw_data[: HEAD_BYTES - len(self._head)]
        left = memoryview(raw_data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._discard()
            raise

    def file_complete(self, file_size: int) -> DurableUpload | None:
        if self._file is None:
            return None  # the part was passed over
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self._discard()
            raise
        upload = DurableUpload(
            self._file,
            self._path,
            name=self.file_name or "",
            content_type=self.content_type,
            size=file_size,
            sha256=self._sha256.hexdigest(),
            head=self._head,
        )
        self._file.seek(0)
        self._file = None
        return upload

    def upload_interrupted(self) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)
            self._file = None
