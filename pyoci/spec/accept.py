"""Accept or refuse a config.json; generated from schemas/config.schema.json by schemas/generate.py.

Do not edit: change the schema and run ``python3 -m schemas.generate``. This module says only yes or
no, and imports nothing: report.py says where and why. Functions and sets of words are named after
the definitions and properties of the schema.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STR = frozenset((str,))


def _boolean_or_none(value: object) -> bool:
    return value is None or type(value) is bool


def _integer(value: object, minimum: int, maximum: int) -> bool:
    return type(value) is int and minimum <= value <= maximum


def _integer_or_none(value: object, minimum: int, maximum: int) -> bool:
    return value is None or (type(value) is int and minimum <= value <= maximum)


def _word(value: object, words: set[str]) -> bool:
    return type(value) is str and value in words


def _text(value: object, matches: Callable[[str], bool]) -> bool:
    return type(value) is str and matches(value)


def _strings(value: object) -> bool:
    return type(value) is list and _STR.issuperset(map(type, value))


def _strings_or_none(value: object) -> bool:
    return value is None or (type(value) is list and _STR.issuperset(map(type, value)))


def _words_or_none(value: object, words: set[str]) -> bool:
    return value is None or (
        type(value) is list and _STR.issuperset(map(type, value)) and words.issuperset(value)
    )


def _array_or_none(value: object, check: Callable[[object], bool]) -> bool:
    return value is None or (type(value) is list and all(map(check, value)))


def _object_or_none(value: object) -> bool:
    return value is None or type(value) is dict


def _string_map_or_none(value: object) -> bool:
    return value is None or (type(value) is dict and _STR.issuperset(map(type, value.values())))


def _map_or_none(value: object, check: Callable[[object], bool]) -> bool:
    return value is None or (type(value) is dict and all(map(check, value.values())))


_SEMVER_TEXT_1 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"


def _semver_text(rest: str) -> bool:
    # matches '^(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)(-[0-9A-Za-z-]+([.][0-9A-Za-z-]+)*)?([+][0-9A-Za-z-]+([.][0-9A-Za-z-]+)*)?$'
    if rest.startswith("0"):
        rest = rest[1:]
    elif rest and rest[0] in "123456789":
        rest = rest[1:]
        rest = rest.lstrip("0123456789")
    else:
        return False
    if not rest.startswith("."):
        return False
    rest = rest[1:]
    if rest.startswith("0"):
        rest = rest[1:]
    elif rest and rest[0] in "123456789":
        rest = rest[1:]
        rest = rest.lstrip("0123456789")
    else:
        return False
    if not rest.startswith("."):
        return False
    rest = rest[1:]
    if rest.startswith("0"):
        rest = rest[1:]
    elif rest and rest[0] in "123456789":
        rest = rest[1:]
        rest = rest.lstrip("0123456789")
    else:
        return False
    if rest.startswith("-"):
        rest = rest[1:]
        if not rest or rest[0] not in _SEMVER_TEXT_1:
            return False
        rest = rest[1:].lstrip(_SEMVER_TEXT_1)
        while rest.startswith("."):
            rest = rest[1:]
            if not rest or rest[0] not in _SEMVER_TEXT_1:
                return False
            rest = rest[1:].lstrip(_SEMVER_TEXT_1)
    if rest.startswith("+"):
        rest = rest[1:]
        if not rest or rest[0] not in _SEMVER_TEXT_1:
            return False
        rest = rest[1:].lstrip(_SEMVER_TEXT_1)
        while rest.startswith("."):
            rest = rest[1:]
            if not rest or rest[0] not in _SEMVER_TEXT_1:
                return False
            rest = rest[1:].lstrip(_SEMVER_TEXT_1)
    return not rest


def _root(value: object) -> bool:
    return (
        type(value) is dict
        and "path" in value
        and type(value["path"]) is str
        and ("readonly" not in value or type(value["readonly"]) is bool)
    )


def _id_mapping(value: object) -> bool:
    return (
        type(value) is dict
        and "containerID" in value
        and "hostID" in value
        and "size" in value
        and _integer(value["containerID"], 0, 4294967294)
        and _integer(value["hostID"], 0, 4294967294)
        and _integer(value["size"], 0, 4294967295)
    )


def _mount(value: object) -> bool:
    return (
        type(value) is dict
        and "destination" in value
        and type(value["destination"]) is str
        and ("source" not in value or type(value["source"]) is str)
        and ("type" not in value or type(value["type"]) is str)
        and ("options" not in value or _strings_or_none(value["options"]))
        and ("uidMappings" not in value or _array_or_none(value["uidMappings"], _id_mapping))
        and ("gidMappings" not in value or _array_or_none(value["gidMappings"], _id_mapping))
    )


def _console_size(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "height" in value
        and "width" in value
        and _integer(value["height"], 0, 18446744073709551615)
        and _integer(value["width"], 0, 18446744073709551615)
    )


def _id(value: object) -> bool:
    return _integer(value, 0, 4294967294)


def _user(value: object) -> bool:
    return (
        type(value) is dict
        and "uid" in value
        and "gid" in value
        and _integer(value["uid"], 0, 4294967294)
        and _integer(value["gid"], 0, 4294967294)
        and ("umask" not in value or _integer_or_none(value["umask"], 0, 4294967295))
        and ("additionalGids" not in value or _array_or_none(value["additionalGids"], _id))
        and ("username" not in value or type(value["username"]) is str)
    )


def _capabilities(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("bounding" not in value or _strings_or_none(value["bounding"]))
        and ("effective" not in value or _strings_or_none(value["effective"]))
        and ("inheritable" not in value or _strings_or_none(value["inheritable"]))
        and ("permitted" not in value or _strings_or_none(value["permitted"]))
        and ("ambient" not in value or _strings_or_none(value["ambient"]))
    )


def _rlimit_type_text(rest: str) -> bool:
    # matches '^RLIMIT_[A-Z]+$'
    if not rest.startswith("RLIMIT_"):
        return False
    rest = rest[7:]
    if not rest or rest[0] not in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        return False
    rest = rest[1:].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return not rest


def _rlimit(value: object) -> bool:
    return (
        type(value) is dict
        and "type" in value
        and "soft" in value
        and "hard" in value
        and _text(value["type"], _rlimit_type_text)
        and _integer(value["soft"], 0, 18446744073709551615)
        and _integer(value["hard"], 0, 18446744073709551615)
    )


_SCHEDULER_POLICY = {
    "SCHED_OTHER",
    "SCHED_FIFO",
    "SCHED_RR",
    "SCHED_BATCH",
    "SCHED_ISO",
    "SCHED_IDLE",
    "SCHED_DEADLINE",
}


_SCHEDULER_FLAG = {
    "SCHED_FLAG_RESET_ON_FORK",
    "SCHED_FLAG_RECLAIM",
    "SCHED_FLAG_DL_OVERRUN",
    "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS",
    "SCHED_FLAG_UTIL_CLAMP_MIN",
    "SCHED_FLAG_UTIL_CLAMP_MAX",
}


def _scheduler(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "policy" in value
        and _word(value["policy"], _SCHEDULER_POLICY)
        and ("nice" not in value or _integer(value["nice"], -2147483648, 2147483647))
        and ("priority" not in value or _integer(value["priority"], -2147483648, 2147483647))
        and ("flags" not in value or _words_or_none(value["flags"], _SCHEDULER_FLAG))
        and ("runtime" not in value or _integer(value["runtime"], 0, 18446744073709551615))
        and ("deadline" not in value or _integer(value["deadline"], 0, 18446744073709551615))
        and ("period" not in value or _integer(value["period"], 0, 18446744073709551615))
    )


_IO_PRIORITY_CLASS = {
    "IOPRIO_CLASS_RT",
    "IOPRIO_CLASS_BE",
    "IOPRIO_CLASS_IDLE",
}


def _io_priority(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "class" in value
        and "priority" in value
        and _word(value["class"], _IO_PRIORITY_CLASS)
        and _integer(value["priority"], -2147483648, 2147483647)
    )


def _cpu_list_text(rest: str) -> bool:
    # matches '^[0-9, -]*$'
    rest = rest.lstrip("0123456789, -")
    return not rest


def _exec_cpu_affinity(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("initial" not in value or _text(value["initial"], _cpu_list_text))
        and ("final" not in value or _text(value["final"], _cpu_list_text))
    )


def _process(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "cwd" in value
        and ("args" not in value or _strings_or_none(value["args"]))
        and ("env" not in value or _strings_or_none(value["env"]))
        and type(value["cwd"]) is str
        and ("terminal" not in value or type(value["terminal"]) is bool)
        and ("consoleSize" not in value or _console_size(value["consoleSize"]))
        and ("commandLine" not in value or type(value["commandLine"]) is str)
        and ("user" not in value or _user(value["user"]))
        and ("capabilities" not in value or _capabilities(value["capabilities"]))
        and ("rlimits" not in value or _array_or_none(value["rlimits"], _rlimit))
        and ("noNewPrivileges" not in value or type(value["noNewPrivileges"]) is bool)
        and (
            "oomScoreAdj" not in value
            or _integer_or_none(value["oomScoreAdj"], -2147483648, 2147483647)
        )
        and ("apparmorProfile" not in value or type(value["apparmorProfile"]) is str)
        and ("selinuxLabel" not in value or type(value["selinuxLabel"]) is str)
        and ("scheduler" not in value or _scheduler(value["scheduler"]))
        and ("ioPriority" not in value or _io_priority(value["ioPriority"]))
        and ("execCPUAffinity" not in value or _exec_cpu_affinity(value["execCPUAffinity"]))
    )


def _hook(value: object) -> bool:
    return (
        type(value) is dict
        and "path" in value
        and type(value["path"]) is str
        and ("args" not in value or _strings_or_none(value["args"]))
        and ("env" not in value or _strings_or_none(value["env"]))
        and ("timeout" not in value or _integer_or_none(value["timeout"], 1, 9223372036854775807))
    )


def _hooks(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("prestart" not in value or _array_or_none(value["prestart"], _hook))
        and ("createRuntime" not in value or _array_or_none(value["createRuntime"], _hook))
        and ("createContainer" not in value or _array_or_none(value["createContainer"], _hook))
        and ("startContainer" not in value or _array_or_none(value["startContainer"], _hook))
        and ("poststart" not in value or _array_or_none(value["poststart"], _hook))
        and ("poststop" not in value or _array_or_none(value["poststop"], _hook))
    )


_NAMESPACE_TYPE = {
    "pid",
    "network",
    "mount",
    "ipc",
    "uts",
    "user",
    "cgroup",
    "time",
}


def _namespace(value: object) -> bool:
    return (
        type(value) is dict
        and "type" in value
        and _word(value["type"], _NAMESPACE_TYPE)
        and ("path" not in value or type(value["path"]) is str)
    )


def _time_offset(value: object) -> bool:
    return (
        type(value) is dict
        and (
            "secs" not in value
            or _integer(value["secs"], -9223372036854775808, 9223372036854775807)
        )
        and ("nanosecs" not in value or _integer(value["nanosecs"], 0, 4294967295))
    )


_DEVICE_TYPE = {
    "c",
    "b",
    "u",
    "p",
}


_DEVICE_ANY_OF_2_TYPE = {
    "p",
}


def _device_any_of(value: dict[str, object]) -> bool:
    if "major" in value and "minor" in value:
        return True
    return "type" not in value or _word(value["type"], _DEVICE_ANY_OF_2_TYPE)


def _device(value: object) -> bool:
    return (
        type(value) is dict
        and "type" in value
        and "path" in value
        and _word(value["type"], _DEVICE_TYPE)
        and type(value["path"]) is str
        and (
            "major" not in value
            or _integer(value["major"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "minor" not in value
            or _integer(value["minor"], -9223372036854775808, 9223372036854775807)
        )
        and ("fileMode" not in value or _integer_or_none(value["fileMode"], 0, 4294967295))
        and ("uid" not in value or _integer_or_none(value["uid"], 0, 4294967294))
        and ("gid" not in value or _integer_or_none(value["gid"], 0, 4294967294))
        and _device_any_of(value)
    )


def _net_device(value: object) -> bool:
    return type(value) is dict and ("name" not in value or type(value["name"]) is str)


_DEVICE_RULE_TYPE = {
    "a",
    "c",
    "b",
    "",
}


def _device_rule_access_text(rest: str) -> bool:
    # matches '^[rwm]*$'
    rest = rest.lstrip("rwm")
    return not rest


def _device_rule(value: object) -> bool:
    return (
        type(value) is dict
        and "allow" in value
        and type(value["allow"]) is bool
        and ("type" not in value or _word(value["type"], _DEVICE_RULE_TYPE))
        and (
            "major" not in value
            or _integer_or_none(value["major"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "minor" not in value
            or _integer_or_none(value["minor"], -9223372036854775808, 9223372036854775807)
        )
        and ("access" not in value or _text(value["access"], _device_rule_access_text))
    )


def _memory(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and (
            "limit" not in value
            or _integer_or_none(value["limit"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "reservation" not in value
            or _integer_or_none(value["reservation"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "swap" not in value
            or _integer_or_none(value["swap"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "kernel" not in value
            or _integer_or_none(value["kernel"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "kernelTCP" not in value
            or _integer_or_none(value["kernelTCP"], -9223372036854775808, 9223372036854775807)
        )
        and ("swappiness" not in value or _integer_or_none(value["swappiness"], 0, 100))
        and ("disableOOMKiller" not in value or _boolean_or_none(value["disableOOMKiller"]))
        and ("useHierarchy" not in value or _boolean_or_none(value["useHierarchy"]))
        and ("checkBeforeUpdate" not in value or _boolean_or_none(value["checkBeforeUpdate"]))
    )


def _cpu(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("shares" not in value or _integer_or_none(value["shares"], 0, 18446744073709551615))
        and (
            "quota" not in value
            or _integer_or_none(value["quota"], -9223372036854775808, 9223372036854775807)
        )
        and ("burst" not in value or _integer_or_none(value["burst"], 0, 18446744073709551615))
        and ("period" not in value or _integer_or_none(value["period"], 0, 18446744073709551615))
        and (
            "realtimeRuntime" not in value
            or _integer_or_none(value["realtimeRuntime"], -9223372036854775808, 9223372036854775807)
        )
        and (
            "realtimePeriod" not in value
            or _integer_or_none(value["realtimePeriod"], 0, 18446744073709551615)
        )
        and ("cpus" not in value or type(value["cpus"]) is str)
        and ("mems" not in value or type(value["mems"]) is str)
        and (
            "idle" not in value
            or _integer_or_none(value["idle"], -9223372036854775808, 9223372036854775807)
        )
    )


def _pids(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and (
            "limit" not in value
            or _integer_or_none(value["limit"], -9223372036854775808, 9223372036854775807)
        )
    )


def _weight_device_any_of(value: dict[str, object]) -> bool:
    if "weight" in value:
        return True
    return "leafWeight" in value


def _weight_device(value: object) -> bool:
    return (
        type(value) is dict
        and "major" in value
        and "minor" in value
        and _integer(value["major"], -9223372036854775808, 9223372036854775807)
        and _integer(value["minor"], -9223372036854775808, 9223372036854775807)
        and ("weight" not in value or _integer_or_none(value["weight"], 0, 65535))
        and ("leafWeight" not in value or _integer_or_none(value["leafWeight"], 0, 65535))
        and _weight_device_any_of(value)
    )


def _throttle_device(value: object) -> bool:
    return (
        type(value) is dict
        and "major" in value
        and "minor" in value
        and "rate" in value
        and _integer(value["major"], -9223372036854775808, 9223372036854775807)
        and _integer(value["minor"], -9223372036854775808, 9223372036854775807)
        and _integer(value["rate"], 0, 18446744073709551615)
    )


def _block_io(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("weight" not in value or _integer_or_none(value["weight"], 0, 65535))
        and ("leafWeight" not in value or _integer_or_none(value["leafWeight"], 0, 65535))
        and ("weightDevice" not in value or _array_or_none(value["weightDevice"], _weight_device))
        and (
            "throttleReadBpsDevice" not in value
            or _array_or_none(value["throttleReadBpsDevice"], _throttle_device)
        )
        and (
            "throttleWriteBpsDevice" not in value
            or _array_or_none(value["throttleWriteBpsDevice"], _throttle_device)
        )
        and (
            "throttleReadIOPSDevice" not in value
            or _array_or_none(value["throttleReadIOPSDevice"], _throttle_device)
        )
        and (
            "throttleWriteIOPSDevice" not in value
            or _array_or_none(value["throttleWriteIOPSDevice"], _throttle_device)
        )
    )


def _hugepage_limit_page_size_text(rest: str) -> bool:
    # matches '^[1-9][0-9]*[KMG]B$'
    if not rest or rest[0] not in "123456789":
        return False
    rest = rest[1:]
    rest = rest.lstrip("0123456789")
    if not rest or rest[0] not in "KMG":
        return False
    rest = rest[1:]
    if not rest.startswith("B"):
        return False
    rest = rest[1:]
    return not rest


def _hugepage_limit(value: object) -> bool:
    return (
        type(value) is dict
        and "pageSize" in value
        and "limit" in value
        and _text(value["pageSize"], _hugepage_limit_page_size_text)
        and _integer(value["limit"], 0, 18446744073709551615)
    )


def _network_priority(value: object) -> bool:
    return (
        type(value) is dict
        and "name" in value
        and "priority" in value
        and type(value["name"]) is str
        and _integer(value["priority"], 0, 4294967295)
    )


def _network(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("classID" not in value or _integer_or_none(value["classID"], 0, 4294967295))
        and ("priorities" not in value or _array_or_none(value["priorities"], _network_priority))
    )


def _rdma_any_of(value: dict[str, object]) -> bool:
    if "hcaHandles" in value:
        return True
    return "hcaObjects" in value


def _rdma(value: object) -> bool:
    return (
        type(value) is dict
        and ("hcaHandles" not in value or _integer_or_none(value["hcaHandles"], 0, 4294967295))
        and ("hcaObjects" not in value or _integer_or_none(value["hcaObjects"], 0, 4294967295))
        and _rdma_any_of(value)
    )


def _resources(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("devices" not in value or _array_or_none(value["devices"], _device_rule))
        and ("memory" not in value or _memory(value["memory"]))
        and ("cpu" not in value or _cpu(value["cpu"]))
        and ("pids" not in value or _pids(value["pids"]))
        and ("blockIO" not in value or _block_io(value["blockIO"]))
        and (
            "hugepageLimits" not in value
            or _array_or_none(value["hugepageLimits"], _hugepage_limit)
        )
        and ("network" not in value or _network(value["network"]))
        and ("rdma" not in value or _map_or_none(value["rdma"], _rdma))
        and ("unified" not in value or _string_map_or_none(value["unified"]))
    )


_SECCOMP_ACTION = {
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
}


_SECCOMP_ARCHITECTURE = {
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
}


_SECCOMP_FLAG = {
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
}


_SECCOMP_OPERATOR = {
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
}


def _seccomp_argument(value: object) -> bool:
    return (
        type(value) is dict
        and "index" in value
        and "value" in value
        and "op" in value
        and _integer(value["index"], 0, 4294967295)
        and _integer(value["value"], 0, 18446744073709551615)
        and ("valueTwo" not in value or _integer(value["valueTwo"], 0, 18446744073709551615))
        and _word(value["op"], _SECCOMP_OPERATOR)
    )


def _seccomp_rule(value: object) -> bool:
    return (
        type(value) is dict
        and "names" in value
        and "action" in value
        and (_strings(value["names"]) and value["names"] != [])
        and _word(value["action"], _SECCOMP_ACTION)
        and ("errnoRet" not in value or _integer_or_none(value["errnoRet"], 0, 4294967295))
        and ("args" not in value or _array_or_none(value["args"], _seccomp_argument))
    )


def _seccomp(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "defaultAction" in value
        and _word(value["defaultAction"], _SECCOMP_ACTION)
        and (
            "defaultErrnoRet" not in value
            or _integer_or_none(value["defaultErrnoRet"], 0, 4294967295)
        )
        and (
            "architectures" not in value
            or _words_or_none(value["architectures"], _SECCOMP_ARCHITECTURE)
        )
        and ("flags" not in value or _words_or_none(value["flags"], _SECCOMP_FLAG))
        and ("listenerPath" not in value or type(value["listenerPath"]) is str)
        and ("listenerMetadata" not in value or type(value["listenerMetadata"]) is str)
        and ("syscalls" not in value or _array_or_none(value["syscalls"], _seccomp_rule))
    )


_LINUX_ROOTFS_PROPAGATION = {
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "unbindable",
    "runbindable",
}


def _rdt_line_text(rest: str) -> bool:
    # matches '^[^\n]*$'
    return "\n" not in rest


def _rdt_line(value: object) -> bool:
    return _text(value, _rdt_line_text)


def _intel_rdt_mem_bw_schema_text(rest: str) -> bool:
    # matches '^MB:[^\n]*$'
    if not rest.startswith("MB:"):
        return False
    rest = rest[3:]
    return "\n" not in rest


def _intel_rdt(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("closID" not in value or type(value["closID"]) is str)
        and ("schemata" not in value or _array_or_none(value["schemata"], _rdt_line))
        and ("l3CacheSchema" not in value or type(value["l3CacheSchema"]) is str)
        and (
            "memBwSchema" not in value or _text(value["memBwSchema"], _intel_rdt_mem_bw_schema_text)
        )
        and ("enableMonitoring" not in value or type(value["enableMonitoring"]) is bool)
    )


_MEMORY_POLICY_MODE = {
    "MPOL_DEFAULT",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_WEIGHTED_INTERLEAVE",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_LOCAL",
}


_MEMORY_POLICY_FLAG = {
    "MPOL_F_NUMA_BALANCING",
    "MPOL_F_RELATIVE_NODES",
    "MPOL_F_STATIC_NODES",
}


def _memory_policy(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "mode" in value
        and _word(value["mode"], _MEMORY_POLICY_MODE)
        and ("nodes" not in value or type(value["nodes"]) is str)
        and ("flags" not in value or _words_or_none(value["flags"], _MEMORY_POLICY_FLAG))
    )


_PERSONALITY_DOMAIN = {
    "LINUX",
    "LINUX32",
}


def _personality(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and "domain" in value
        and _word(value["domain"], _PERSONALITY_DOMAIN)
        and ("flags" not in value or _strings_or_none(value["flags"]))
    )


def _linux(value: object) -> bool:
    return value is None or (
        type(value) is dict
        and ("namespaces" not in value or _array_or_none(value["namespaces"], _namespace))
        and ("uidMappings" not in value or _array_or_none(value["uidMappings"], _id_mapping))
        and ("gidMappings" not in value or _array_or_none(value["gidMappings"], _id_mapping))
        and ("timeOffsets" not in value or _map_or_none(value["timeOffsets"], _time_offset))
        and ("devices" not in value or _array_or_none(value["devices"], _device))
        and ("netDevices" not in value or _map_or_none(value["netDevices"], _net_device))
        and ("cgroupsPath" not in value or type(value["cgroupsPath"]) is str)
        and ("resources" not in value or _resources(value["resources"]))
        and ("sysctl" not in value or _string_map_or_none(value["sysctl"]))
        and ("seccomp" not in value or _seccomp(value["seccomp"]))
        and (
            "rootfsPropagation" not in value
            or _word(value["rootfsPropagation"], _LINUX_ROOTFS_PROPAGATION)
        )
        and ("maskedPaths" not in value or _strings_or_none(value["maskedPaths"]))
        and ("readonlyPaths" not in value or _strings_or_none(value["readonlyPaths"]))
        and ("mountLabel" not in value or type(value["mountLabel"]) is str)
        and ("intelRdt" not in value or _intel_rdt(value["intelRdt"]))
        and ("memoryPolicy" not in value or _memory_policy(value["memoryPolicy"]))
        and ("personality" not in value or _personality(value["personality"]))
    )


def accept(value: object) -> bool:
    """Whether the value, any JSON value, is a config.json by the schema."""
    return (
        type(value) is dict
        and "ociVersion" in value
        and "root" in value
        and _text(value["ociVersion"], _semver_text)
        and _root(value["root"])
        and ("mounts" not in value or _array_or_none(value["mounts"], _mount))
        and ("process" not in value or _process(value["process"]))
        and ("hostname" not in value or type(value["hostname"]) is str)
        and ("domainname" not in value or type(value["domainname"]) is str)
        and ("hooks" not in value or _hooks(value["hooks"]))
        and ("annotations" not in value or _string_map_or_none(value["annotations"]))
        and ("linux" not in value or _linux(value["linux"]))
        and ("freebsd" not in value or _object_or_none(value["freebsd"]))
        and ("solaris" not in value or _object_or_none(value["solaris"]))
        and ("vm" not in value or _object_or_none(value["vm"]))
        and ("windows" not in value or _object_or_none(value["windows"]))
        and ("zos" not in value or _object_or_none(value["zos"]))
    )
