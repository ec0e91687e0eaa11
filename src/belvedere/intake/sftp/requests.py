"""What a client asks over SFTP, and what it is answered: one object a channel, fed with bytes.

It holds no socket and waits for nothing. Requests are done in the order in which they come. It stops taking them while
its answers are not fetched (`held`), and while a thread does one that takes long (`long`): naming a file that is whole,
flushing or removing it, listing a folder.

What is not here: packets (`wire.py`), listings (`listing.py`), paths (`home.py`), files being written (`uploads.py`),
SSH (`server.py`).
"""

import errno
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

from belvedere.intake.model import Happening
from belvedere.intake.sftp import wire
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.listing import Listing, shown, some
from belvedere.intake.sftp.uploads import Upload, begin, said
from belvedere.intake.sftp.wire import Flag, Kind, Malformed, Reader, Refused, Status, deny, fail

MOST_HANDLES: Final = 128
_NO_SUCH: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.EROFS})
_LENGTH: Final = struct.Struct(">I")
_WRITE: Final = struct.Struct(">BII4sQI")
_WRITE_HEAD: Final = _WRITE.size

Long = Callable[[], Any]
"""Work for a thread; `finish` gets it done: it returns its result, or raises what went wrong."""


class Download:
    """A file that is being read."""

    def __init__(self, descriptor: int) -> None:
        """Take an open file."""
        self.descriptor = descriptor
        self.told = False

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


Handle = Upload | Download | Listing


class Requests:
    """The SFTP side of one channel."""

    def __init__(self, home: Home, send: Callable[[bytes], None], *, flush: bool) -> None:
        """Take the home, how answers go out, and whether a closed file waits for the disk."""
        self._home = home
        self._send = send
        self._flush = flush
        self._input = bytearray()
        self._handles: dict[bytes, Handle] = {}
        self._next = 0
        self._greeted = False
        self._long: tuple[int, Long, Callable[[int, Long], None]] | None = None
        self.held = False
        self._deeds: dict[int, Callable[[int, Reader], None]] = {
            Kind.OPEN: self._open, Kind.CLOSE: self._close, Kind.READ: self._read, Kind.LSTAT: self._look,
            Kind.STAT: self._look, Kind.FSTAT: self._look_at_handle, Kind.SETSTAT: self._set,
            Kind.FSETSTAT: self._set_at_handle, Kind.OPENDIR: self._open_folder, Kind.READDIR: self._read_folder,
            Kind.REMOVE: self._remove, Kind.MKDIR: self._make_folder, Kind.RMDIR: self._remove_folder,
            Kind.REALPATH: self._real_path, Kind.RENAME: self._rename, Kind.READLINK: self._refuse_links,
            Kind.SYMLINK: self._refuse_links, Kind.EXTENDED: self._extended,
        }  # fmt: skip

    def feed(self, data: bytes) -> None:
        """Take bytes of the client and do what is whole.

        Raises:
            Malformed: that is no SFTP, or a packet is too long.
        """
        self._input += data
        self.go_on()

    def go_on(self) -> None:
        """Do what is whole, as far as nothing holds it.

        Raises:
            Malformed: as for `feed`.
        """
        start, size, whole = 0, len(self._input), self._input
        while size - start >= _LENGTH.size and not self.held and self._long is None:
            (length,) = _LENGTH.unpack_from(whole, start)
            if not 1 <= length <= wire.MOST_PACKET:
                raise Malformed
            if size - start - _LENGTH.size < length:
                break
            start += _LENGTH.size
            view = memoryview(whole)[start : start + length]
            try:
                self._take(view)
            finally:
                view.release()
            start += length
        if start:
            del self._input[:start]

    @property
    def long(self) -> Long | None:
        """What a thread must do before anything else is done; `finish` takes its result."""
        return self._long[1] if self._long else None

    def finish(self, work: Long) -> None:
        """Answer the request that took long; `work` returns its result or raises what went wrong."""
        if self._long is None:
            return
        (number, _, then), self._long = self._long, None
        self._answer(number, lambda: then(number, work))

    def lost(self) -> None:
        """End: what is being written stays under its hidden name."""
        for handle in self._handles.values():
            try:
                if isinstance(handle, Upload):
                    handle.cut()
                else:
                    handle.close()
            except OSError:
                continue
        self._handles.clear()

    def _take(self, view: memoryview) -> None:
        kind = view[0]
        if kind == Kind.WRITE and self._greeted:
            self._write(view)
            return
        reader = Reader(view[1:])
        try:
            if not self._greeted:
                if kind != Kind.INIT or reader.number() < wire.VERSION:
                    raise Malformed
                self._greeted = True
                self._send(wire.version())
                return
            number = reader.number()
            self._answer(number, lambda: self._do(kind, number, reader))
        finally:
            reader.release()

    def _answer(self, number: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Refused as error:
            self._failed(number, error.status, error.text)
        except Malformed:
            self._failed(number, Status.BAD_MESSAGE, "That request is not whole.")
        except (OSError, OverflowError) as error:
            self._refuse(number, error)

    def _refuse(self, number: int, error: OSError | OverflowError) -> None:
        code = error.errno if isinstance(error, OSError) else errno.EINVAL
        kind = Status.NO_SUCH_FILE if code in _NO_SUCH else Status.PERMISSION_DENIED if code in _DENIED else None
        text = said(error) if isinstance(error, OSError) else "That number is out of range."
        self._failed(number, kind or Status.FAILURE, text)

    def _failed(self, number: int, code: Status, text: str) -> None:
        if code not in {Status.EOF, Status.NO_SUCH_FILE}:
            self._home.meter.error = text
        self._send(wire.status(number, code, text))

    # --- the kinds of requests ---

    def _write(self, view: memoryview) -> None:
        """Write: the one request whose cost per byte counts, so it is taken apart without a copy."""
        try:
            _, number, four, handle, offset, length = _WRITE.unpack_from(view)
        except struct.error:
            raise Malformed from None
        if four != 4 or len(view) < _WRITE_HEAD + length:  # noqa: PLR2004  (all our handles have four bytes)
            self._failed(number, Status.BAD_MESSAGE, "That request is not whole.")
            return
        upload = self._handles.get(handle)
        if not isinstance(upload, Upload):
            self._failed(number, Status.FAILURE, "That is no file open for writing.")
            return
        try:
            with view[_WRITE_HEAD : _WRITE_HEAD + length] as data:
                upload.write(offset, data)
        except Refused as error:
            self._failed(number, error.status, error.text)
        except (OSError, OverflowError) as error:
            self._refuse(number, error)
        else:
            self._home.meter.bytes_up += length
            self._send(wire.status(number, Status.OK))

    def _do(self, kind: int, number: int, reader: Reader) -> None:
        deed = self._deeds.get(kind)
        if deed is None:
            _unknown()
        deed(number, reader)

    def _open(self, number: int, reader: Reader) -> None:
        path, flags = reader.text(), reader.number()
        reader.wish()
        if len(self._handles) >= MOST_HANDLES:
            fail(f"At most {MOST_HANDLES} files are open at a time.")
        if flags & (Flag.WRITE | Flag.APPEND):
            found = begin(self._home, path, flags)
            if not isinstance(found, Upload):
                self._long = (number, found, lambda number, work: self._opened(number, work()))
                return
            self._opened(number, found)
        elif flags & (Flag.CREATE | Flag.TRUNCATE | Flag.EXCLUSIVE):
            fail("That needs a file opened for writing.")
        else:
            self._opened(number, Download(self._home.open_file(path)))

    def _opened(self, number: int, found: object) -> None:
        if isinstance(found, Upload | Download | Listing):
            name = self._next.to_bytes(4)
            self._next = (self._next + 1) & 0xFFFFFFFF
            self._handles[name] = found
            self._send(wire.packet(Kind.HANDLE, number, wire.string(name)))

    def _close(self, number: int, reader: Reader) -> None:
        handle = self._handles.pop(reader.text(), None)
        if handle is None:
            fail("There is no such handle.")
        if isinstance(handle, Upload):
            self._long = (number, handle.publish(flush=self._flush), partial(self._published, handle))
            return
        handle.close()
        self._send(wire.status(number, Status.OK))

    def _published(self, upload: Upload, number: int, work: Long) -> None:
        upload.published(work)
        self._home.meter.files_up += 1
        self._send(wire.status(number, Status.OK))

    def _read(self, number: int, reader: Reader) -> None:
        handle, offset, length = self._handles.get(reader.text()), reader.long(), reader.number()
        if not isinstance(handle, Download | Upload):
            fail("That is no file open for reading.")
        data = os.pread(handle.descriptor, min(length, wire.MOST_DATA), offset)
        if not data and length:
            self._send(wire.status(number, Status.EOF, "End of file."))
            if isinstance(handle, Download) and not handle.told:
                handle.told = True
                self._home.meter.files_down += 1
            return
        self._home.meter.bytes_down += len(data)
        self._send(wire.data(number, data))

    def _look(self, number: int, reader: Reader) -> None:
        self._send(wire.packet(Kind.ATTRS, number, shown(self._home.look(reader.text()))))

    def _look_at_handle(self, number: int, reader: Reader) -> None:
        handle = self._handles.get(reader.text())
        if handle is None:
            fail("There is no such handle.")
        self._send(wire.packet(Kind.ATTRS, number, shown(os.fstat(handle.descriptor))))

    def _set(self, number: int, reader: Reader) -> None:
        self._home.set_times(reader.text(), reader.wish())
        self._send(wire.status(number, Status.OK))

    def _set_at_handle(self, number: int, reader: Reader) -> None:
        handle, wish = self._handles.get(reader.text()), reader.wish()
        if not isinstance(handle, Upload):
            deny("That is no file open for writing.")
        handle.set(wish)
        self._send(wire.status(number, Status.OK))

    def _open_folder(self, number: int, reader: Reader) -> None:
        if len(self._handles) >= MOST_HANDLES:
            fail(f"At most {MOST_HANDLES} files are open at a time.")
        self._opened(number, Listing(self._home.open_folder(reader.text())))

    def _read_folder(self, number: int, reader: Reader) -> None:
        handle = self._handles.get(reader.text())
        if not isinstance(handle, Listing):
            fail("That is no folder.")
        self._long = (number, partial(some, self._home.owner, handle), self._listed)

    def _listed(self, number: int, work: Long) -> None:
        found = work()
        if found:
            self._send(wire.packet(Kind.NAME, number, len(found).to_bytes(4) + b"".join(found)))
        else:
            self._send(wire.status(number, Status.EOF, "End of folder."))

    def _remove(self, number: int, reader: Reader) -> None:
        self._long = (number, partial(self._home.remove_file, reader.text()), self._removed)

    def _removed(self, number: int, work: Long) -> None:
        self._home.tell(Happening.REMOVED, work())
        self._send(wire.status(number, Status.OK))

    def _make_folder(self, number: int, reader: Reader) -> None:
        self._home.make_folder(reader.text())
        self._send(wire.status(number, Status.OK))

    def _remove_folder(self, number: int, reader: Reader) -> None:
        self._home.remove_folder(reader.text())
        self._send(wire.status(number, Status.OK))

    def _real_path(self, number: int, reader: Reader) -> None:
        path = b"/" + b"/".join(self._home.parts(reader.text()))
        name = wire.string(path) + wire.string(path) + b"\0\0\0\0"
        self._send(wire.packet(Kind.NAME, number, b"\0\0\0\1" + name))

    def _rename(self, number: int, reader: Reader) -> None:
        self._home.rename(reader.text(), reader.text(), over=False)
        self._send(wire.status(number, Status.OK))

    def _refuse_links(self, number: int, reader: Reader) -> None:
        del number, reader
        deny("Links are neither made nor followed here.")

    def _extended(self, number: int, reader: Reader) -> None:
        name = reader.text()
        if name == b"posix-rename@openssh.com":
            self._home.rename(reader.text(), reader.text(), over=True)
            self._send(wire.status(number, Status.OK))
        elif name == b"fsync@openssh.com":
            handle = self._handles.get(reader.text())
            if not isinstance(handle, Upload):
                fail("That is no file open for writing.")
            # A disk takes seconds for much: a thread waits for it, and everybody else goes on.
            self._long = (number, partial(os.fsync, handle.descriptor), self._flushed)
        elif name == b"lsetstat@openssh.com":
            self._set(number, reader)
        elif name == b"limits@openssh.com":
            self._send(wire.limits(number, MOST_HANDLES))
        elif name == b"statvfs@openssh.com":
            self._space(number)
        elif name == b"hardlink@openssh.com":
            self._refuse_links(number, reader)
        else:
            _unknown()

    def _flushed(self, number: int, work: Long) -> None:
        work()
        self._send(wire.status(number, Status.OK))

    def _space(self, number: int) -> None:
        disk, quota = os.fstatvfs(self._home.descriptor), self._home.quota
        block = disk.f_frsize or 4096
        blocks, free, files, files_free = disk.f_blocks, disk.f_bavail, disk.f_files, disk.f_favail
        if quota.most_bytes:
            blocks = quota.most_bytes // block
            free = min(free, max(0, quota.most_bytes - quota.used[0]) // block)
        if quota.most_files:
            files, files_free = quota.most_files, max(0, quota.most_files - quota.used[1])
        self._send(wire.space(number, block, (blocks, free), (files, files_free)))


def _unknown() -> NoReturn:
    message = "That is not done here."
    raise Refused(Status.UNSUPPORTED, message)
