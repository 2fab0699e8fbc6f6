"""One bucket of an S3 server: the few requests that the store needs, with failures told in sentences."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from tasks.errors import BacksightError, UsageError
from tasks.settings import StoreSettings

if TYPE_CHECKING:
    from minio.error import S3Error
    from urllib3 import BaseHTTPResponse, PoolManager

PART = 16 * 2**20
"""Bytes of one part of a multipart upload."""
CHUNK = 2**20
TORN_READS = 4
"""Reads of a small object that may be cut off, because a server without atomic replacement was writing it."""
CONNECT_SECONDS, READ_SECONDS = 5, 60
WRONG_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "InvalidTokenId", "ExpiredToken")
FULL = ("XMinioStorageFull", "InsufficientStorage", "QuotaExceeded")
RACE_LOST = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True)
class Held:
    """An object as read: its bytes and the ETag that a conditional write needs."""

    data: bytes
    etag: str


@dataclass(frozen=True)
class Listed:
    """An object as a listing tells of it."""

    key: str
    size: int
    etag: str
    modified: datetime
    """In UTC, by the server's clock."""


class Bucket:
    """Reads and writes whole objects, and ranges of them. Safe to share between threads, not between processes."""

    def __init__(self, settings: StoreSettings) -> None:
        from minio import Minio

        self.settings = settings
        self.name = settings.bucket
        self.client = Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value(),
            secure=settings.secure,
            http_client=connections(),
        )

    def create(self) -> None:
        """Make the bucket where it is not there."""
        with self.told(self.name):
            if not self.client.bucket_exists(self.name):
                self.client.make_bucket(self.name)

    def size(self, key: str) -> int | None:
        """Bytes of an object; `None` = no such object."""
        with self.told(key), absent_ok() as found:
            found.value = self.client.stat_object(self.name, key).size
        return found.value

    def get(self, key: str) -> Held | None:
        """A small object; `None` = no such object. A read that a replacement of the object cuts off is taken again."""
        from urllib3.exceptions import ProtocolError

        with self.told(key):
            for _ in range(TORN_READS):
                with contextlib.suppress(ProtocolError):
                    return self._get(key)
            return self._get(key)

    def _get(self, key: str) -> Held | None:
        with absent_ok() as found, self._open(key) as response:
            found.value = Held(response.read(), response.headers.get("etag", ""))
        return found.value

    def get_range(self, key: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`; a `KeyError` where there is no such object."""
        with self.told(key), absent_ok() as found, self._open(key, offset=offset, length=size) as response:
            found.value = response.read()
        if found.value is None:
            raise KeyError(key)
        return bytes(found.value)

    def chunks(self, key: str) -> Iterator[bytes]:
        """The bytes of an object in order, `CHUNK` at a time; a `KeyError` where there is no such object."""
        found = False
        with self.told(key), absent_ok(), self._open(key) as response:
            found = True
            yield from response.stream(CHUNK)
        if not found:
            raise KeyError(key)

    def put(self, key: str, data: bytes, part: int = PART) -> None:
        """Write an object, whatever was there; in parts of `part` bytes where it is larger."""
        with self.told(key):
            self.client.put_object(self.name, key, io.BytesIO(data), len(data), part_size=part)

    def upload(self, key: str, source: Path) -> None:
        """Write a file as an object, in parts where it is large."""
        with self.told(key):
            self.client.fput_object(self.name, key, str(source), part_size=PART)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object only where none is; whether it was written (always, where the server ignores conditions)."""
        return self._put_on_condition(key, data, {"If-None-Match": "*"})

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        """Write an object only where the present one has this ETag; whether it was written."""
        return self._put_on_condition(key, data, {"If-Match": etag})

    def remove(self, key: str) -> None:
        """Delete an object; it is no error that it is not there."""
        with self.told(key):
            self.client.remove_object(self.name, key)

    def names(self, prefix: str) -> list[str]:
        """Keys under a prefix, sorted."""
        return sorted(listed.key for listed in self.listing(prefix))

    def listing(self, prefix: str) -> Iterator[Listed]:
        """All objects under a prefix. The client's own listing takes five times as long over the XML."""
        query: dict[str, str | list[str] | tuple[str]] = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            with self.told(prefix):
                page = parsed(self.client._execute("GET", self.name, query_params=query).data, self.settings.endpoint)
            space = page.tag.removesuffix("ListBucketResult")
            named = unquote_plus if page.findtext(f"{space}EncodingType") == "url" else str
            for item in page.iterfind(f"{space}Contents"):
                told = {field.tag.removeprefix(space): field.text or "" for field in item}
                modified = datetime.fromisoformat(told["LastModified"])
                yield Listed(named(told["Key"]), int(told["Size"]), told.get("ETag", "").strip('"'), modified)
            if page.findtext(f"{space}IsTruncated") != "true":
                return
            query = {**query, "continuation-token": page.findtext(f"{space}NextContinuationToken", "")}

    def fresh(self, key: str, size: int, most: timedelta) -> bool:
        """Whether an object of this size is there and was written within the time `most`."""
        with self.told(key), absent_ok() as found:
            found.value = self.client.stat_object(self.name, key)
        if found.value is None or found.value.size != size:
            return False
        written = found.value.last_modified
        return written is not None and datetime.now(UTC) - written < most

    def modified(self, key: str) -> datetime | None:
        """When an object was last written, by the server's clock; `None` = no such object."""
        with self.told(key), absent_ok() as found:
            found.value = self.client.stat_object(self.name, key).last_modified
        return found.value

    @contextlib.contextmanager
    def told(self, key: str) -> Iterator[None]:
        """Turn what the client raises over `key` into one sentence that says what to do."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError, ProtocolError

        try:
            yield
        except S3Error as error:
            raise self._sentence(cause(error), key) from error
        except ProtocolError as error:
            raise BacksightError(
                f"The artefact store at {self.settings.endpoint} ended {key} too early: the object is shorter there "
                "than it says, or the server stopped just now; run again, and if it stays so, with --force the stage "
                "that made it."
            ) from error
        except HTTPError as error:
            raise BacksightError(
                f"The artefact store at {self.settings.endpoint} does not answer: see `backsight status`, "
                "start it with `backsight up`, or correct BACKSIGHT_S3_ENDPOINT."
            ) from error
        except MinioException as error:
            said = str(error).partition("Body:")[0].strip(" ,")
            raise BacksightError(
                f"What answers at {self.settings.endpoint} is no S3 server ({said}): correct BACKSIGHT_S3_ENDPOINT."
            ) from error

    def _sentence(self, error: S3Error, key: str) -> BacksightError:
        where = f"The artefact store at {self.settings.endpoint}"
        if error.code in WRONG_KEYS:
            return UsageError(
                f"{where} refuses the credentials ({error.code}): correct BACKSIGHT_S3_ACCESS_KEY and "
                "BACKSIGHT_S3_SECRET_KEY, or unset them to use those of `backsight up`."
            )
        if error.code == "NoSuchBucket":
            return UsageError(
                f"{where} has no bucket named {self.name}: make it with `backsight up`, or correct BACKSIGHT_S3_BUCKET."
            )
        if error.code in FULL:
            return BacksightError(f"{where} could not take {key} ({error.code}): free some space on its disk.")
        if error.code == "InternalError":
            return BacksightError(f"{where} failed on {key}: see whether its disk is full, then its log.")
        return BacksightError(f"{where} failed on {key} ({error.code}: {error.message}): see its log.")

    def _put_on_condition(self, key: str, data: bytes, condition: dict[str, str | list[str] | tuple[str]]) -> bool:
        # The client offers no way to send a condition (as metadata it would become x-amz-meta-*), so the request
        # that its own put_object ends in is made here; `conformance` finds out if that ever stops working.
        from minio.error import S3Error

        with self.told(key):
            try:
                self.client._execute("PUT", self.name, key, body=data, headers=condition)
            except S3Error as error:
                if error.code in RACE_LOST:
                    return False
                raise
        return True

    @contextlib.contextmanager
    def _open(self, key: str, offset: int = 0, length: int = 0) -> Iterator[BaseHTTPResponse]:
        response = self.client.get_object(self.name, key, offset=offset, length=length)
        try:
            yield response
        finally:
            response.close()
            response.release_conn()


def parsed(answer: bytes, endpoint: str) -> ElementTree.Element:
    """The XML of a listing."""
    try:
        return ElementTree.fromstring(answer)
    except ElementTree.ParseError as error:
        raise BacksightError(
            f"What answers at {endpoint} is no S3 server (its listing is no XML): correct BACKSIGHT_S3_ENDPOINT."
        ) from error


def cause(error: S3Error) -> S3Error:
    """The first failure: when a part of an upload fails, the client aborts the upload, which can fail in its turn."""
    from minio.error import S3Error

    while error.code == "NoSuchUpload" and isinstance(error.__context__, S3Error):
        error = error.__context__
    return error


def connections() -> PoolManager:
    """Connections that retry what may pass, and name XML by the one media type that the client knows."""
    from urllib3 import PoolManager, Retry, Timeout

    class XmlByOneName(PoolManager):
        """rclone sends its errors as `text/xml`; the client reads an error's code only from `application/xml`."""

        def urlopen(self, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
            response = super().urlopen(*args, **kwargs)
            if response.headers.get("content-type", "").startswith("text/xml"):
                response.headers["content-type"] = "application/xml"
            return response

    # 500 too: rclone answers so where two clients make the same new object at once, and a second try finds it there.
    return XmlByOneName(
        maxsize=16,
        timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504], raise_on_status=False),
    )


@dataclass
class Found:
    """What a request that may find nothing has found."""

    value: Any = None


@contextlib.contextmanager
def absent_ok() -> Iterator[Found]:
    """Leave the block quietly where the object is not there."""
    from minio.error import S3Error

    found = Found()
    try:
        yield found
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
