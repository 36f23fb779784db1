"""A record as one file, as the fuzzer and its corpus keep it.

Key, headers and value are parted by the control characters that ASCII has for it, none of which JSON may contain:
the key and each header end with RS, a header's name and value are parted by US, and GS begins the value. A header
without US is null, an empty key is none. What has no GS is a value alone, so any document is a file of this form.
A NUL in front is not part of it: it marks what is no text, for tools that want to know.
"""

from typing import Final

from tests.wire.given import Record

FILE_BYTES_MAX: Final = 8_192
PARTING: Final = frozenset(b"\x1d\x1e\x1f")

_MARK, _VALUE, _END, _IS = b"\0", b"\x1d", b"\x1e", b"\x1f"


def record_of(content: bytes) -> Record:
    """The record in a file; every content is one."""
    content = content.removeprefix(_MARK)
    head, begins, value = content.partition(_VALUE)
    if not begins:
        return Record(content)
    key, *headers = head.split(_END)
    return Record(value, key=key or None, headers=tuple(map(_header, headers[:-1])))


def file_of(record: Record) -> bytes:
    """A record as a file; for records whose key and headers have none of the three characters."""
    value = record.value or b""
    if record.key == Record(None).key and not record.headers and _VALUE not in value:
        return marked(value)
    headers = [
        name.encode(errors="backslashreplace") + (b"" if value is None else _IS + value)
        for name, value in record.headers
    ]
    return marked(b"".join(part + _END for part in (record.key or b"", *headers)) + _VALUE + value)


def marked(content: bytes) -> bytes:
    """A content as a file: a mark before what is no text, and before what begins with a NUL of its own."""
    if content.startswith(_MARK):
        return _MARK + content
    try:
        content.decode()
    except UnicodeDecodeError:
        return _MARK + content
    return content


def _header(content: bytes) -> tuple[str, bytes | None]:
    name, is_, value = content.partition(_IS)
    return name.decode(errors="backslashreplace"), value if is_ else None
