"""containerd's CRI plugin, by gRPC: what the kubelet does with a runtime handler."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cri_api.v1 import api_pb2

from tests.clients.harness.containerd import Containerd
from tests.clients.harness.cri import Container, Cri, Pod
from tests.clients.harness.machine import CGROUPS, cgroup_driver
from tests.clients.harness.process import PATIENCE
from tests.support.containers import wait_until

FOREVER = ("sleep", "1000")


@pytest.fixture
def cri(containerd: Containerd, runtime_name: str, prefix: str) -> Iterator[Cri]:
    """The service, with the runtime as the handler; its pods go when the test ends."""
    logs = containerd.directory / f"logs-{prefix}"
    logs.mkdir()
    client = Cri(containerd.socket, runtime_name, logs)
    yield client
    client.close()


@pytest.fixture
def pod(cri: Cri) -> Pod:
    """A pod in the host's network."""
    return cri.make_pod()


@pytest.mark.guest
def test_run_a_pod_sandbox(pod: Pod) -> None:
    status = pod.status()
    assert (status.state, status.runtime_handler) == (api_pb2.SANDBOX_READY, pod.cri.handler)


def test_stop_a_pod_sandbox(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    pod.stop()
    assert pod.status().state == api_pb2.SANDBOX_NOTREADY
    assert container.status.state == api_pb2.CONTAINER_EXITED


def test_remove_a_pod_sandbox(cri: Cri, pod: Pod) -> None:
    pod.run("c", *FOREVER)
    pod.remove()
    with pytest.raises(grpc.RpcError) as caught:
        pod.status()
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert pod.id not in [item.id for item in cri.call("ListPodSandbox").items]


@pytest.mark.guest
def test_create_start_stop_remove(pod: Pod) -> None:
    container = pod.create("c", "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.05; done")
    assert container.status.state == api_pb2.CONTAINER_CREATED
    container.start()
    assert container.exec("true").exit_code == 0
    assert container.status.state == api_pb2.CONTAINER_RUNNING
    container.call("StopContainer", timeout=30)
    assert (container.status.state, container.status.exit_code) == (api_pb2.CONTAINER_EXITED, 6)
    container.call("RemoveContainer")
    with pytest.raises(grpc.RpcError) as caught:
        _ = container.status
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_stop_kills_after_the_timeout(pod: Pod) -> None:
    container = pod.run("c", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    assert container.exec("true").exit_code == 0
    container.call("StopContainer", timeout=1)
    assert container.status.exit_code == 137


def test_remove_a_running_container(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    container.call("RemoveContainer")
    assert [c.id for c in pod.cri.call("ListContainers").containers if c.id == container.id] == []


def test_exit_codes_and_reasons(pod: Pod) -> None:
    for name, code, reason in (("zero", 0, "Completed"), ("five", 5, "Error")):
        status = pod.run(name, "sh", "-c", f"exit {code}").wait()
        assert (status.exit_code, status.reason) == (code, reason)


def test_start_without_the_program(pod: Pod) -> None:
    container = pod.create("c", "nosuch")
    with pytest.raises(grpc.RpcError) as caught:
        container.start()
    assert 'exec: "nosuch": executable file not found in $PATH' in (caught.value.details() or "")
    assert (container.status.exit_code, container.status.reason) == (128, "StartError")


@pytest.mark.guest
def test_logs(pod: Pod) -> None:
    container = pod.run("c", "sh", "-c", "echo out; echo err >&2; exit 0")
    container.wait()
    wait_until(lambda: len(container.read_log()) == 2)
    assert sorted(container.read_log()) == [("stderr", "err"), ("stdout", "out")]


def test_reopen_the_log(pod: Pod) -> None:
    container = pod.run("c", "sh", "-c", "while :; do echo line; sleep 0.05; done")
    wait_until(container.log.exists)
    container.log.rename(container.log.with_suffix(".old"))
    container.call("ReopenContainerLog")
    wait_until(lambda: container.log.exists() and bool(container.read_log()))


@pytest.mark.guest
def test_exec_sync(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    done = container.exec("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)


def test_exec_sync_without_the_program(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    with pytest.raises(grpc.RpcError) as caught:
        container.exec("nosuch")
    assert 'exec: "nosuch": executable file not found in $PATH' in (caught.value.details() or "")


def test_exec_sync_with_a_timeout(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    with pytest.raises(grpc.RpcError) as caught:
        container.exec("sleep", "1000", timeout=1)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert container.exec("sh", "-c", "ps | grep -c '[s]leep 1000'").stdout == b"1\n"


def test_exec_many_at_once(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    request = api_pb2.ExecSyncRequest
    futures = [
        pod.cri.service.ExecSync.future(
            request(container_id=container.id, cmd=["sh", "-c", f"exit {number}"]), timeout=PATIENCE
        )
        for number in range(8)
    ]
    assert [future.result().exit_code for future in futures] == list(range(8))


def test_run_as_a_user_with_groups(pod: Pod) -> None:
    context = {
        "run_as_user": api_pb2.Int64Value(value=1000),
        "run_as_group": api_pb2.Int64Value(value=1001),
        "supplemental_groups": [3000],
    }
    container = pod.run("c", "id", linux={"security_context": context})
    assert container.output() == "uid=1000(user) gid=1001 groups=1001,2000(extra),3000"


def test_run_with_capabilities(pod: Pod) -> None:
    capabilities = api_pb2.Capability(add_capabilities=["CHOWN"], drop_capabilities=["ALL"])
    container = pod.run(
        "c",
        *("grep", "CapEff", "/proc/self/status"),
        linux={"security_context": {"capabilities": capabilities}},
    )
    assert container.output().split() == ["CapEff:", "0000000000000001"]


def test_run_with_no_new_privileges_and_seccomp(pod: Pod) -> None:
    default = api_pb2.SecurityProfile(profile_type=api_pb2.SecurityProfile.RuntimeDefault)
    container = pod.run(
        "c",
        *("grep", "-E", "^(NoNewPrivs|Seccomp):", "/proc/self/status"),
        linux={"security_context": {"no_new_privs": True, "seccomp": default}},
    )
    assert container.output().split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]


def test_run_read_only_with_a_mount(pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("volume")
    mount = api_pb2.Mount(container_path="/mnt", host_path=str(tmp_path), readonly=True)
    container = pod.run(
        "c",
        *("sh", "-c", "cat /mnt/file; touch /x /mnt/y; exit 0"),
        linux={"security_context": {"readonly_rootfs": True}},
        mounts=[mount],
    )
    output = container.output()
    assert "volume" in output
    assert output.count("Read-only file system") == 2


def test_run_with_propagation_of_mounts(pod: Pod, tmp_path: Path) -> None:
    mount = api_pb2.Mount(
        container_path="/mnt",
        host_path=str(tmp_path),
        propagation=api_pb2.PROPAGATION_HOST_TO_CONTAINER,
    )
    container = pod.run("c", "grep", " /mnt ", "/proc/self/mountinfo", mounts=[mount])
    assert " master:" in container.output()


def test_run_with_a_terminal(pod: Pod) -> None:
    container = pod.run("c", "sh", "-c", "tty; test -t 0 && echo yes", tty=True)
    assert container.output().replace("\r", "") == "/dev/pts/0\nyes"


@pytest.mark.guest
def test_run_privileged(cri: Cri) -> None:
    context = {"privileged": True}
    pod = cri.make_pod(linux={"security_context": context})
    container = pod.run(
        "c",
        *("sh", "-c", "grep CapEff /proc/self/status; test -w /proc/sys/kernel; echo $?"),
        linux={"security_context": context},
    )
    own = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines()
           if line.startswith("CapBnd")]  # fmt: skip
    assert container.output().split() == ["CapEff:", *own, "0"]


def test_masked_and_read_only_paths(pod: Pod) -> None:
    context = {"masked_paths": ["/etc/image"], "readonly_paths": ["/var/data"]}
    container = pod.run(
        "c",
        *("sh", "-c", "wc -c </etc/image; touch /var/data/x"),
        linux={"security_context": context},
    )
    lines = ["0", "touch: /var/data/x: Read-only file system"]
    assert sorted(container.output().splitlines()) == lines


def test_sysctls_of_a_pod(cri: Cri) -> None:
    pod = cri.make_pod(
        namespaces={"ipc": api_pb2.POD}, linux={"sysctls": {"kernel.shm_rmid_forced": "1"}}
    )
    container = pod.run(
        "c",
        *("cat", "/proc/sys/kernel/shm_rmid_forced"),
        linux={
            "security_context": {
                "namespace_options": api_pb2.NamespaceOption(
                    network=api_pb2.NODE, ipc=api_pb2.POD, pid=api_pb2.CONTAINER
                )
            }
        },
    )
    assert container.output() == "1"


def test_a_pid_namespace_for_the_pod(cri: Cri) -> None:
    pod = cri.make_pod(namespaces={"pid": api_pb2.POD})
    options = api_pb2.NamespaceOption(network=api_pb2.NODE, pid=api_pb2.POD)
    context = {"namespace_options": options}
    container = pod.run("c", "cat", "/proc/1/cmdline", linux={"security_context": context})
    assert container.output() == "/bin/sleep\0inf\0"


def test_the_host_s_namespaces(cri: Cri) -> None:
    namespaces = dict.fromkeys(("network", "pid", "ipc"), api_pb2.NODE)
    pod = cri.make_pod(namespaces=namespaces)
    context = {"namespace_options": api_pb2.NamespaceOption(**namespaces)}
    kinds = ("net", "pid", "ipc")
    links = [f"/proc/self/ns/{kind}" for kind in kinds]
    script = "; ".join(f"readlink {link}" for link in links)
    container = pod.run("c", "sh", "-c", script, linux={"security_context": context})
    assert container.output().split() == [os.readlink(link) for link in links]


def test_a_network_of_the_pod_s_own(cri: Cri) -> None:
    pod = cri.make_pod(namespaces={"network": api_pb2.POD}, hostname="in-the-pod")
    options = api_pb2.NamespaceOption(network=api_pb2.POD, pid=api_pb2.CONTAINER)
    container = pod.run(
        "c",
        *("sh", "-c", "hostname; ip -o -4 addr show eth0"),
        linux={"security_context": {"namespace_options": options}},
    )
    output = container.output()
    assert output.startswith("in-the-pod\n")
    assert pod.status().network.ip in output


def test_a_user_namespace(cri: Cri) -> None:
    ids = [api_pb2.IDMapping(host_id=100000, container_id=0, length=65536)]
    users = api_pb2.UserNamespace(mode=api_pb2.POD, uids=ids, gids=ids)
    pod = cri.make_pod(namespaces={"userns_options": users})
    options = api_pb2.NamespaceOption(network=api_pb2.NODE, userns_options=users)
    context = {"namespace_options": options}
    container = pod.run("c", "cat", "/proc/self/uid_map", linux={"security_context": context})
    assert container.output().split() == ["0", "100000", "65536"]


@pytest.mark.guest
def test_stats_of_a_container(pod: Pod) -> None:
    container = pod.run("c", *FOREVER)
    stats = container.call("ContainerStats").stats
    assert (stats.attributes.id, stats.cpu.timestamp > 0) == (container.id, True)


def find_cgroup(container: Container) -> Path:
    """The cgroup directory of a container's init."""
    info = json.loads(container.call("ContainerStatus", verbose=True).info["info"])
    lines = Path(f"/proc/{info['pid']}/cgroup").read_text().splitlines()
    return CGROUPS / next(line[4:] for line in lines if line.startswith("0::"))


@pytest.mark.limits
@pytest.mark.guest
def test_limits_and_their_update(pod: Pod) -> None:
    resources = api_pb2.LinuxContainerResources(
        cpu_period=100000, cpu_quota=50000, cpu_shares=512, memory_limit_in_bytes=64 << 20
    )
    container = pod.run("c", *FOREVER, linux={"resources": resources})
    cgroup = find_cgroup(container)
    values = {name: (cgroup / name).read_text().strip() for name in ("cpu.max", "memory.max")}
    assert values == {"cpu.max": "50000 100000", "memory.max": str(64 << 20)}
    assert (".scope" in cgroup.name) == (cgroup_driver() == "systemd")
    changed = api_pb2.LinuxContainerResources(
        cpu_period=100000, cpu_quota=20000, memory_limit_in_bytes=96 << 20
    )
    container.call("UpdateContainerResources", linux=changed)
    assert (cgroup / "cpu.max").read_text().split()[0] == "20000"
    assert int((cgroup / "memory.max").read_text()) == 96 << 20


@pytest.mark.limits
@pytest.mark.guest
def test_out_of_memory_is_the_reason(pod: Pod) -> None:
    resources = api_pb2.LinuxContainerResources(memory_limit_in_bytes=16 << 20)
    script = "tail /dev/zero; sleep 1000"
    container = pod.run("c", "sh", "-c", script, linux={"resources": resources})
    events = find_cgroup(container) / "memory.events"
    wait_until(lambda: "oom_kill 1" in events.read_text())
    container.call("StopContainer", timeout=0)
    wait_until(lambda: container.status.reason == "OOMKilled")
