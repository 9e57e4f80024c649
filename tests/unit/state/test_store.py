"""The state directory: whole files, one creator, and no crash on what somebody left there."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci import jsonio
from pyoci.engine.create import render_config
from pyoci.engine.delete import read_cgroups_made
from pyoci.errors import ContainerExists, ContainerNotFound, StateError
from pyoci.paths import clean
from pyoci.record import replace
from pyoci.state import store
from pyoci.state.store import ContainerState, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = ContainerState(
    container_id="web",
    oci_version="1.3.0",
    bundle="/bundle",
    rootfs="/bundle/rootfs",
    created="2026-01-02T03:04:05.000000006Z",
    annotations=(("k", "v"), ("", "é\n")),
    cgroup_path="/sys/fs/cgroup/web",
    cgroups_made=("/sys/fs/cgroup/web",),
    pid=7,
    start_time=8,
    creator_pid=9,
    creator_start_time=10,
    being_created=True,
    own_pid_namespace=False,
    exit_status=3,
    unit="pyoci-web.scope",
    unit_bus="unix:path=/run/dbus/system_bus_socket",
    unit_description="pyoci container web in /run/pyoci",
    unit_inode=11,
)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
paths = texts.map(lambda text: clean(f"/c{text}"))
numbers = st.integers(0, 2**31)
states = st.builds(
    ContainerState,
    container_id=st.just("web"),
    oci_version=texts,
    bundle=texts,
    rootfs=texts,
    created=texts,
    annotations=st.dictionaries(texts, texts, max_size=3).map(lambda made: tuple(made.items())),
    cgroup_path=paths,
    cgroups_made=st.lists(paths, max_size=3).map(tuple),
    pid=numbers,
    start_time=numbers,
    creator_pid=numbers,
    creator_start_time=numbers,
    being_created=st.booleans(),
    own_pid_namespace=st.booleans(),
    exit_status=st.none() | st.integers(0, 255),
)
units = st.fixed_dictionaries(
    {
        "unit": texts.filter(bool),
        "unit_bus": texts,
        "unit_description": texts,
        "unit_inode": numbers,
    }
)
junk = st.sampled_from([None, True, False, 0, -1, 1.5, "", "x", [], ["x"], [1], {}, {"": 1}])


@pytest.fixture
def root(tmp_path: Path) -> Iterator[str]:
    """A state root; afterwards no descriptor of ours is left open."""
    before = os.listdir("/proc/self/fd")
    yield str(tmp_path / "root")
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def dir_fd(root: str) -> Iterator[int]:
    fd = store.make_directory(root, "web")
    yield fd
    os.close(fd)


# --- the document


@given(states, st.just({}) | units)
def test_round_trip(state: ContainerState, unit: dict[str, Any]) -> None:
    state = replace(state, **unit)
    written = jsonio.dumps(to_json(state))
    assert from_json(jsonio.loads(written), "web") == state
    assert json.loads(written)["id"] == "web"


def test_names_are_runcs_where_they_mean_the_same() -> None:
    made = to_json(STATE)
    assert made["init_process_pid"] == 7
    assert made["init_process_start"] == 8
    assert made["cgroup_paths"] == {"": "/sys/fs/cgroup/web"}


def test_systemd_is_only_in_a_state_that_has_a_unit() -> None:
    assert to_json(STATE)["systemd"] == {
        "unit": "pyoci-web.scope",
        "bus": "unix:path=/run/dbus/system_bus_socket",
        "description": "pyoci container web in /run/pyoci",
        "cgroup_inode": 11,
    }
    assert "systemd" not in to_json(replace(STATE, unit=""))


def places(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all members of the document, itself included."""
    found = [path]
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    return found


def changed(value: Any, path: tuple[str, ...], new: object) -> Any:  # noqa: ANN401  (JSON)
    """The document with another value at the path; without the member, if new is `...`."""
    if not path:
        return new
    copy = dict(value)
    if len(path) == 1 and new is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


def outcome(document: object) -> ContainerState | StateError:
    try:
        return from_json(document, "web")
    except StateError as error:
        return error


@given(st.sampled_from(places(to_json(STATE))), junk | st.just(...))
def test_a_damaged_document_is_a_state_error_or_another_state(
    path: tuple[str, ...], new: object
) -> None:
    found = outcome(changed(to_json(STATE), path, new))
    if isinstance(found, StateError):
        assert found.message.startswith("container web: state.json is damaged: ")
        assert "\n" not in found.message
        assert "delete --force" in found.hint
    else:
        # Then it is one that we could have written.
        assert from_json(to_json(found), "web") == found


def test_every_member_is_needed() -> None:
    document = to_json(STATE)
    free = {
        ("id",),
        ("systemd",),
        ("pyoci", "exit_status"),
        *(("annotations", key) for key, _ in STATE.annotations),
    }
    for path in places(document)[1:]:
        found = outcome(changed(document, path, ...))
        assert isinstance(found, StateError) is (path not in free), path


@pytest.mark.parametrize("name", ["bundle", "rootfs", "created", "ociVersion"])
def test_what_no_path_can_be_is_damage(name: str) -> None:
    """Found by fuzzing: half of a surrogate pair got as far as open(2)."""
    good = to_json(STATE)
    from_json(good | {name: "/\udcff"}, "web")  # a byte that is no UTF-8
    with pytest.raises(StateError, match="damaged"):
        from_json(good | {name: "/\ud800"}, "web")


def test_the_id_is_the_directorys() -> None:
    assert from_json({**to_json(STATE), "id": "other"}, "web").container_id == "web"


def test_a_bool_is_no_pid() -> None:
    with pytest.raises(StateError, match="init_process_pid"):
        from_json({**to_json(STATE), "init_process_pid": True}, "web")


# --- the directory


def test_make_root_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0, 0o777):
        root = tmp_path / f"{mask}" / "a" / "b"
        before = os.umask(mask)
        try:
            store.make_root(str(root))
            store.make_root(str(root))
        finally:
            os.umask(before)
        for part in (root, root.parent, root.parent.parent):
            assert stat.S_IMODE(part.stat().st_mode) == 0o700


def test_make_root_leaves_the_mode_of_one_that_exists(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    store.make_root(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_one_creator(root: str, dir_fd: int) -> None:
    assert stat.S_IMODE(os.fstat(dir_fd).st_mode) == 0o711
    with pytest.raises(ContainerExists):
        store.make_directory(root, "web")


def test_whatever_has_the_name_has_it(root: str) -> None:
    store.make_root(root)
    Path(root, "file").touch()
    Path(root, "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(ContainerExists):
            store.make_directory(root, name)


def test_no_container(root: str) -> None:
    with pytest.raises(ContainerNotFound):
        store.open_directory(root, "web")
    store.make_root(root)
    Path(root, "file").touch()
    Path(root, "link").symlink_to("/")
    for name in ("web", "file", "link"):
        with pytest.raises(ContainerNotFound):
            store.open_directory(root, name)
    with pytest.raises(ContainerNotFound):
        store.open_directory(f"{root}/file", "web")


def test_descriptors_are_close_on_exec(root: str, dir_fd: int) -> None:
    fd = store.open_directory(root, "web")
    fifo_fd = store.make_fifo(dir_fd)
    assert not any(os.get_inheritable(one) for one in (dir_fd, fd, fifo_fd))
    os.close(fd)
    os.close(fifo_fd)


def test_lock_of_a_container_that_went(root: str) -> None:
    fd = store.make_directory(root, "web")
    store.lock(fd, "web")
    store.unlock(fd)
    store.remove_directory(root, "web", fd)
    with pytest.raises(ContainerNotFound):
        store.lock(fd, "web")
    os.close(fd)


def test_lock_keeps_others_out(root: str, dir_fd: int) -> None:
    fcntl = pytest.importorskip("fcntl")
    other_fd = store.open_directory(root, "web")
    store.lock(dir_fd, "web")
    with pytest.raises(BlockingIOError):
        fcntl.flock(other_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    store.unlock(dir_fd)
    fcntl.flock(other_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other_fd)


def test_list_ids(root: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.list_ids(root)
    for name in ("b", "a", "c"):
        os.close(store.make_directory(root, name))
    assert store.list_ids(root) == ["a", "b", "c"]


# --- the files


def test_state_is_written_and_read(root: str, dir_fd: int) -> None:
    store.write_state(dir_fd, STATE)
    assert store.read_state(dir_fd, "web") == STATE
    store.write_state(dir_fd, replace(STATE, pid=99))
    assert store.read_state(dir_fd, "web").pid == 99
    assert os.listdir(f"{root}/web") == ["state.json"]
    assert stat.S_IMODE(Path(root, "web", "state.json").stat().st_mode) == 0o600


def test_a_reader_sees_the_old_or_the_new_state(dir_fd: int) -> None:
    store.write_state(dir_fd, STATE)
    old_fd = os.open("state.json", os.O_RDONLY, dir_fd=dir_fd)
    store.write_state(dir_fd, replace(STATE, pid=99))
    assert json.loads(os.read(old_fd, 4096))["init_process_pid"] == 7
    os.close(old_fd)


def test_a_write_that_was_killed_half_way_does_no_harm(root: str, dir_fd: int) -> None:
    store.write_state(dir_fd, STATE)
    Path(root, "web", "state.json.tmp").write_text('{"id": ')
    assert store.read_state(dir_fd, "web") == STATE
    store.write_state(dir_fd, replace(STATE, pid=99))
    assert store.read_state(dir_fd, "web").pid == 99


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON value"),
        (b"{", "xpecting property name"),
        (b"{}", "pyoci is missing or of another type"),
        (b"[]", "an object is missing"),
        (b"\xff", "can't decode"),
        (b'{"a": 1, "a": 1}', "duplicate member"),
        (b"[" * 100_000, "recursion"),
        (b"9" * 5000, "4300 digits"),
    ],
)
def test_a_damaged_state(root: str, dir_fd: int, content: bytes, said: str) -> None:
    Path(root, "web", "state.json").write_bytes(content)
    with pytest.raises(StateError, match=said) as caught:
        store.read_state(dir_fd, "web")
    assert "container web: state.json is damaged: " in caught.value.message
    assert "\n" not in caught.value.message


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_directory, "EINVAL"),
        (make_fifo, "EINVAL"),
        (make_link, "ELOOP"),
        (make_nothing, "does not exist"),
    ],
)
def test_no_state_file(root: str, dir_fd: int, make: Any, said: str) -> None:  # noqa: ANN401
    make(Path(root, "web", "state.json"))
    with pytest.raises(StateError, match=said):
        store.read_state(dir_fd, "web")


def test_a_state_file_that_is_gone_is_damage(root: str, dir_fd: int) -> None:
    """Without config.json a create or a delete is on its way: there is no container then."""
    Path(root, "web", "config.json").touch()
    with pytest.raises(StateError, match=r"state\.json: ENOENT"):
        store.read_state(dir_fd, "web")


def test_an_endless_file_is_not_read_to_its_end(root: str, dir_fd: int) -> None:
    path = Path(root, "web", "state.json")
    path.touch()
    os.truncate(path, 2**24 + 1)
    with pytest.raises(StateError, match="EFBIG"):
        store.read_state(dir_fd, "web")


def test_config_is_read_back(root: str, dir_fd: int) -> None:
    store.write_file(dir_fd, store.CONFIG, b'{"a": 1}')
    assert store.read_config(dir_fd, "web") == {"a": 1}
    for content in (b"[]", b"{", b"\xff"):
        Path(root, "web", "config.json").write_bytes(content)
        with pytest.raises(StateError, match=r"config\.json"):
            store.read_config(dir_fd, "web")


@pytest.mark.parametrize("own", [None, [], {}, {"cgroups_made": 1}, {"cgroups_made": [1]}])
def test_the_config_knows_the_cgroups_or_nothing(dir_fd: int, own: object) -> None:
    store.write_file(dir_fd, store.CONFIG, render_config({"a": 1}, STATE))
    assert store.read_config(dir_fd, "web")["a"] == 1
    assert read_cgroups_made(dir_fd, "web") == STATE.cgroups_made
    damages: list[object] = [{"a": 1, "pyoci": own}, []]
    damages.append({"pyoci": {"cgroups_made": ["/a", "/b/../.."]}})
    for damage in damages:
        store.write_file(dir_fd, store.CONFIG, json.dumps(damage).encode())
        assert read_cgroups_made(dir_fd, "web") == ()


def test_writing_follows_no_symlink(root: str, dir_fd: int, tmp_path: Path) -> None:
    target = tmp_path / "target"
    Path(root, "web", "config.json").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        store.write_file(dir_fd, store.CONFIG, b"{}")
    assert not target.exists()


def test_fifo(dir_fd: int) -> None:
    assert store.open_fifo(dir_fd) is None  # there is none
    reader_fd = store.make_fifo(dir_fd)
    writer_fd = store.open_fifo(dir_fd)
    assert writer_fd is not None
    os.write(writer_fd, b"0")
    assert os.read(reader_fd, 1) == b"0"
    os.close(writer_fd)
    os.close(reader_fd)
    assert store.open_fifo(dir_fd) is None  # nobody waits


def test_remove_takes_what_we_know_and_nothing_else(root: str, dir_fd: int) -> None:
    store.write_state(dir_fd, STATE)
    store.write_file(dir_fd, store.CONFIG, b"{}")
    store.write_file(dir_fd, store.RESULT, b"")
    os.close(store.make_fifo(dir_fd))
    stranger = Path(root, "web", "stranger")
    stranger.touch()
    with pytest.raises(OSError, match="not empty"):
        store.remove_directory(root, "web", dir_fd)
    assert os.listdir(f"{root}/web") == ["stranger"]
    stranger.unlink()
    store.remove_directory(root, "web", dir_fd)
    store.remove_directory(root, "web", dir_fd)  # a second one finds nothing to do
    assert os.listdir(root) == []


@pytest.mark.parametrize(
    "path", ["", "/", "relative", "/a/../b", "/a//b", "/a/", "/a/.", "/a\0b", "//a", "/\ud800"]
)
def test_a_cgroup_path_that_leads_elsewhere_is_damage(path: str) -> None:
    """Processes in it are killed and it is removed: it must be what create can have written."""
    made = to_json(replace(STATE, cgroups_made=("/sys/fs/cgroup/web", path)))
    for members in (made, to_json(STATE) | {"cgroup_paths": {"": path}}):
        with pytest.raises(StateError, match=r"cgroup path (leads elsewhere|is missing)"):
            from_json(members, "web")


def test_a_container_without_a_cgroup() -> None:
    state = replace(STATE, cgroup_path="", cgroups_made=())
    assert to_json(state)["cgroup_paths"] == {"": None}
    assert from_json(to_json(state), "web") == state
