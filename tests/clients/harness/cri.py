"""The CRI by gRPC, as the kubelet speaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from cri_api.v1 import api_pb2, api_pb2_grpc

from tests.clients.harness.image import BUSYBOX_IMAGE
from tests.clients.harness.machine import cgroup_driver
from tests.clients.harness.process import PATIENCE
from tests.support.containers import wait_until

NAMESPACE = "tests"


class Cri:
    """The runtime service with one handler (the runtime of a RuntimeClass)."""

    def __init__(self, socket: Path, handler: str, logs: Path) -> None:
        """Connect; the logs of the containers go below the directory."""
        self.channel = grpc.insecure_channel(f"unix://{socket}")
        self.service = api_pb2_grpc.RuntimeServiceStub(self.channel)
        self.handler = handler
        self.logs = logs
        self.pods: list[Pod] = []

    def call(self, method: str, **fields: Any) -> Any:  # noqa: ANN401
        """Call a method with the fields of its request; its response."""
        request = getattr(api_pb2, f"{method}Request")(**fields)
        return getattr(self.service, method)(request, timeout=PATIENCE)

    def make_pod(self, **settings: Any) -> Pod:  # noqa: ANN401
        """Run a pod's sandbox, in the host's network unless the settings say otherwise."""
        self.pods.append(Pod(self, f"{self.handler}-{len(self.pods)}", **settings))
        return self.pods[-1]

    def close(self) -> None:
        """Remove all pods and hang up."""
        for pod in self.pods:
            pod.remove()
        self.channel.close()


class Pod:
    """A pod's sandbox, and its containers."""

    def __init__(
        self,
        cri: Cri,
        name: str,
        *,
        namespaces: dict[str, Any] | None = None,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        """Run it."""
        self.cri = cri
        self.logs = cri.logs / name
        self.logs.mkdir()
        linux = settings.pop("linux", {})
        context = linux.pop("security_context", {})
        options = {"network": api_pb2.NODE, "pid": api_pb2.CONTAINER} | (namespaces or {})
        parent = "system.slice" if cgroup_driver() == "systemd" else "/pods"
        self.config = api_pb2.PodSandboxConfig(
            metadata=api_pb2.PodSandboxMetadata(name=name, uid=name, namespace=NAMESPACE),
            log_directory=str(self.logs),
            linux=api_pb2.LinuxPodSandboxConfig(
                cgroup_parent=parent,
                security_context=api_pb2.LinuxSandboxSecurityContext(
                    namespace_options=api_pb2.NamespaceOption(**options), **context
                ),
                **linux,
            ),
            **settings,
        )
        self.id = cri.call(
            "RunPodSandbox", config=self.config, runtime_handler=cri.handler
        ).pod_sandbox_id

    def status(self) -> Any:  # noqa: ANN401
        """PodSandboxStatus."""
        return self.cri.call("PodSandboxStatus", pod_sandbox_id=self.id).status

    def create(self, name: str, *args: str, **settings: Any) -> Container:  # noqa: ANN401
        """Create a container of busybox that is to run these arguments."""
        linux = settings.pop("linux", {})
        context = linux.pop("security_context", {})
        config = api_pb2.ContainerConfig(
            metadata=api_pb2.ContainerMetadata(name=name),
            image=api_pb2.ImageSpec(image=BUSYBOX_IMAGE),
            command=args,
            log_path=f"{name}.log",
            linux=api_pb2.LinuxContainerConfig(
                security_context=api_pb2.LinuxContainerSecurityContext(**context), **linux
            ),
            **settings,
        )
        made = self.cri.call(
            "CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config
        )
        return Container(self.cri, made.container_id, self.logs / f"{name}.log")

    def run(self, name: str, *args: str, **settings: Any) -> Container:  # noqa: ANN401
        """Create a container and start it."""
        container = self.create(name, *args, **settings)
        container.start()
        return container

    def stop(self) -> None:
        """StopPodSandbox."""
        self.cri.call("StopPodSandbox", pod_sandbox_id=self.id)

    def remove(self) -> None:
        """Stop and remove it with all its containers, unless that has been done."""
        if self.id not in [item.id for item in self.cri.call("ListPodSandbox").items]:
            return
        self.stop()
        self.cri.call("RemovePodSandbox", pod_sandbox_id=self.id)


class Container:
    """A container of a pod."""

    def __init__(self, cri: Cri, container_id: str, log: Path) -> None:
        """Take its id and where its log is."""
        self.cri = cri
        self.id = container_id
        self.log = log

    def call(self, method: str, **fields: Any) -> Any:  # noqa: ANN401
        """Call a method about this container."""
        return self.cri.call(method, container_id=self.id, **fields)

    def start(self) -> None:
        """StartContainer."""
        self.call("StartContainer")

    @property
    def status(self) -> Any:  # noqa: ANN401
        """ContainerStatus."""
        return self.call("ContainerStatus").status

    def exec(self, *args: str, timeout: int = 0) -> Any:  # noqa: ANN401
        """ExecSync."""
        return self.call("ExecSync", cmd=args, timeout=timeout)

    def wait(self) -> Any:  # noqa: ANN401
        """The status once it has ended."""
        wait_until(lambda: self.status.state == api_pb2.CONTAINER_EXITED, PATIENCE)
        return self.status

    def read_log(self) -> list[tuple[str, str]]:
        """The stream and the text of each line in the log."""
        lines = [line.split(" ", 3) for line in self.log.read_text().splitlines()]
        return [(line[1], line[3]) for line in lines]

    def output(self) -> str:
        """What it wrote, once it has ended."""
        self.wait()
        return "\n".join(text for _, text in self.read_log())
