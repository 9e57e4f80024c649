"""The process that an exec is given in a file: a process object as config.json has one."""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.host.files import read_json_file
from pyoci.record import replace
from pyoci.spec.accept import accept
from pyoci.spec.parse import parse_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyoci.spec.model import Process


def with_labels_of(container: Process, process: Process) -> Process:
    """The process, confined as the container where it says nothing of its own."""
    return replace(
        process,
        apparmor_profile=process.apparmor_profile or container.apparmor_profile,
        selinux_label=process.selinux_label or container.selinux_label,
    )


def read_process_file(path: str) -> Process:
    """The process object in a JSON file; ConfigError where the schema does not accept it."""
    found = read_json_file(path)
    if not isinstance(found, dict):
        raise ConfigError("process", f"expected an object in {path}")
    # As part of a config, so that an error says `process.args` as it does there.
    config = {"ociVersion": "1.0.0", "root": {"path": "/"}, "process": found}
    if accept(config):
        return parse_process(found)
    from pyoci.spec.report import explain

    raise explain(config)
