"""The last steps of init: finding the program, and becoming it (execve(2))."""

from __future__ import annotations

import errno
import posix

from pyoci.errors import StepError, describe_errno
from pyoci.linux import fs
from pyoci.linux.clone import close_range_on_exec
from pyoci.linux.libc import encode
from pyoci.linux.signals import reset_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.plan.steps import ExecuteProcess

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSWD_LIMIT = 1 << 20
_SCRIPT_LIMIT = 256  # the kernel looks no further (BINPRM_BUF_SIZE)


class Execution:
    """A program that was found: everything that execve needs, made before the filter is loaded."""

    def __init__(self, step: ExecuteProcess, root_fd: int, proc_fd: int = -1) -> None:
        """Look the program up with the container's PATH; StepError in the words callers match.

        The root is `/` by now; files in it are opened by the procfs, if there is one of ours.
        """
        env = dict([entry.partition("=")[::2] for entry in step.env])
        if not env.get("HOME"):
            env["HOME"] = find_home(root_fd, step.uid, proc_fd)
        program = find_program(step.args[0], env.get("PATH", _DEFAULT_PATH))
        check_interpreter(program, proc_fd)
        self.program = encode(program)
        self.name = step.args[0]
        self.args = [encode(arg) for arg in step.args]
        self.env = {encode(name): encode(value) for name, value in env.items()}
        self.last_fd = 2 + step.preserve_fds
        self.prepared = False

    def prepare(self) -> None:
        """Leave nothing of ours behind: signals, descriptors. A second time it does nothing."""
        if self.prepared:
            return
        self.prepared = True
        reset_signals()
        close_range_on_exec(self.last_fd + 1)
        for fd in range(3, self.last_fd + 1):
            posix.set_inheritable(fd, True)

    def execve(self) -> None:
        """Become the program; StepError if the kernel refuses."""
        try:
            posix.execve(self.program, self.args, self.env)
        except OSError as error:
            number = error.errno or 0
            raise StepError(
                "", "", f'exec: "{self.name}": {describe_errno(number)}', number
            ) from None


def find_program(name: str, search_path: str) -> str:
    """The path of the program inside the container (we are in it by now).

    As execvp(3): a name with a slash is a path, any other is looked for along
    PATH, where what may not be executed is passed over but remembered.
    """
    if "/" in name:
        problem = check_program(name)
        if problem:
            raise _not_executable(name, problem)
        return name
    remembered = 0
    for directory in search_path.split(":"):
        path = f"{directory or '.'}/{name}"
        problem = check_program(path)
        if not problem:
            return path
        if problem == errno.EACCES:
            remembered = problem
    if remembered:
        raise _not_executable(name, remembered)
    detail = f'exec: "{name}": executable file not found in $PATH'
    raise StepError("", "", detail, errno.ENOENT, hint=f"PATH is {search_path}")


def _not_executable(name: str, problem: int) -> StepError:
    words = posix.strerror(problem).lower()
    detail = f'exec: "{name}": {words}'
    if problem in (errno.ENOENT, errno.ENOTDIR):
        detail = f'exec: "{name}": stat {name}: {words}'
    elif problem == errno.EISDIR:
        # execve(2)'s own word, too: Docker and Podman know the failure (126) by it.
        detail = f"{detail}: {posix.strerror(errno.EACCES).lower()}"
    return StepError("", "", detail, problem)


def check_program(path: str) -> int:
    """0 if the path is a file that we may execute, else why not: an errno."""
    encoded = encode(path)
    try:
        mode = posix.stat(encoded).st_mode
    except OSError as error:
        return error.errno or errno.EIO
    if mode & fs.S_IFMT == fs.S_IFDIR:
        return errno.EISDIR
    if mode & fs.S_IFMT != fs.S_IFREG or not posix.access(encoded, posix.X_OK, effective_ids=True):
        return errno.EACCES
    return 0


def check_interpreter(path: str, proc_fd: int) -> None:
    """StepError if the file is a script whose interpreter is missing, which execve cannot say."""
    try:
        encoded = encode(path)
        fd = fs.open_file(lambda flags: posix.open(encoded, flags | posix.O_CLOEXEC), proc_fd)
    except OSError:  # EACCES: executable, but not readable
        return
    if fd is None:  # not any more
        return
    line = posix.read(fd, _SCRIPT_LIMIT).partition(b"\n")[0]
    posix.close(fd)
    words = line[2:].split()
    if not line.startswith(b"#!") or not words:
        return
    try:
        posix.stat(words[0])
    except (FileNotFoundError, NotADirectoryError) as error:
        interpreter = words[0].decode("utf-8", "backslashreplace")
        problem = posix.strerror(error.errno or errno.ENOENT).lower()
        detail = f'exec: "{path}": interpreter {interpreter}: {problem}'
        raise StepError("", "", detail, errno.ENOENT) from None


def find_home(root_fd: int, uid: int, proc_fd: int = -1) -> str:
    """The home directory of the uid in the container's /etc/passwd, or `/`.

    The file is the image's: read only if it is a regular file, and only so much of it.
    """

    def open_with(flags: int) -> int:
        return fs.openat2(root_fd, "etc/passwd", flags | posix.O_NOFOLLOW, fs.IN_ROOT)

    try:
        fd = fs.open_file(open_with, proc_fd)
    except OSError:
        return "/"
    if fd is None:
        return "/"
    try:
        text = posix.read(fd, _PASSWD_LIMIT)
    except OSError:
        return "/"
    finally:
        posix.close(fd)
    return home_of(text.decode("utf-8", "surrogateescape"), uid)


def home_of(passwd: str, uid: int) -> str:
    """The home directory of the uid in the text of a passwd(5) file, or `/`."""
    wanted = str(uid)
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) >= 6 and fields[2] == wanted and "\0" not in fields[5]:
            return fields[5] or "/"
    return "/"
