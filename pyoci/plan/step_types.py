"""Which kinds of step each part of a plan holds: for type checkers, never imported at run time."""

from __future__ import annotations

from typing import TypeAlias

from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s

BeforeStep: TypeAlias = (
    s.MakeCgroup | s.OpenNamespace | s.OpenSource | s.ConnectConsole | s.CloneInit
)
LimitStep: TypeAlias = (
    s.EnableControllers
    | s.SetUnitProperties
    | s.WriteCgroup
    | s.DelegateCgroup
    | s.AttachDeviceFilter
)
BesideStep: TypeAlias = (
    s.StartUnit
    | s.WriteIdMaps
    | s.SetOomScoreAdj
    | s.MoveNetDevice
    | s.RunHooks
    | s.SendSeccompListener
    | s.SendPidfd
)
NamespaceInitStep: TypeAlias = (
    s.AwaitUnit
    | s.AwaitIdMaps
    | s.JoinNamespace
    | s.BecomeRoot
    | s.UnshareNamespaces
    | s.CloneSibling
    | s.OpenSource
    | s.UnshareTimeNamespace
    | s.SetTimeOffset
    | s.EnterTimeNamespace
    | s.UnshareCgroupNamespace
    | s.JoinSessionKeyring
    | s.SetLoopbackUp
    | s.SetUpTerminal
    | s.AwaitHost
    | s.RunHooks
    | s.SetHostname
    | s.SetDomainname
)
RootfsInitStep: TypeAlias = (
    r.SetPropagation
    | r.BindRootfs
    | r.MountFilesystem
    | r.BindMount
    | r.ChangeMount
    | r.MakeDirectory
    | r.MakeDevice
    | r.MakeSymlink
    | r.SetSysctl
    | r.ReadonlyPath
    | r.MaskPath
    | r.ReadonlyMount
    | r.PivotRoot
    | r.VerifyMount
    | r.ReadonlyRoot
    | r.SetRootPropagation
)
ProcessInitStep: TypeAlias = (
    s.SetRlimit
    | s.SetNoNewPrivileges
    | s.SchedulingStep
    | s.LabelStep
    | s.DropBounding
    | s.SetUser
    | s.SetCapabilities
    | s.SetUmask
    | s.ChangeDirectory
    | s.VerifyDirectory
)
InitStep: TypeAlias = NamespaceInitStep | RootfsInitStep | ProcessInitStep
