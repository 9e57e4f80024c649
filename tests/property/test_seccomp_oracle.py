"""Our seccomp compiler against libseccomp: both filters simulated, the same verdict everywhere.

What is compared, and every difference that is expected, is in tests/support/seccomp_comparison.py.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st

from pyoci.plan.seccomp import arches
from pyoci.plan.seccomp.compile import compile_seccomp
from pyoci.spec.model import Seccomp
from tests.support import libseccomp
from tests.support.bpf_simulator import Program
from tests.support.seccomp_comparison import (
    ARCHES,
    LIBRARY,
    MULTIPLEXED,
    TABLE_DIFFERENCES,
    VALUES,
    argument_sets,
    comparable,
    compare,
    named_numbers,
    oracle,
    possible_verdicts,
)
from tests.support.seccomp_profiles import ALL_NAMES, EXAMPLES, MACHINES, arg, profile, rule, table

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libseccomp.so.2 is not installed")

# Shrinking would take minutes: a drawn profile is small as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FEW_NAMES = """
    read write close openat socket connect sendmsg accept4 recv socketcall ipc semget msgctl
    semtimedop clone personality ioctl futex prctl breakpoint rseq clone3 openat2 mmap2
    restart_syscall
"""
# No two of them meet behind socketcall(2) or ipc(2).
SEPARATE_NAMES = """
    read write close openat socket semget clone personality ioctl futex prctl breakpoint rseq
    clone3 openat2 mmap2 restart_syscall
"""


@pytest.mark.parametrize("name", [*ARCHES])
def test_tables_agree(name: str) -> None:
    """Where both know a call they give it the same number."""
    numbers = table(ARCHES[name].table)
    for call in ALL_NAMES:
        theirs = oracle().number(name, call)
        if call in MULTIPLEXED or theirs == libseccomp.NR_SCMP_ERROR:
            continue  # libseccomp has numbers of its own for those, and lacks the newest
        if (name, call) not in TABLE_DIFFERENCES:
            assert numbers.get(call) == (theirs if theirs >= 0 else None), call


@pytest.mark.parametrize("machine", [*MACHINES])
@pytest.mark.parametrize("example", [*EXAMPLES])
def test_examples(machine: str, example: str) -> None:
    """Profiles as engines send them, on every machine that we have tables for."""
    assert compare(comparable(EXAMPLES[example](machine)), machine) > 300


values = st.one_of(
    st.sampled_from(VALUES), st.integers(0, (1 << 64) - 1), st.integers(0, 8).map(lambda n: n << 31)
)
comparisons = st.builds(
    arg,
    st.integers(0, 5),
    st.sampled_from([name.removeprefix("SCMP_CMP_") for name in libseccomp.OPERATORS]),
    values,
    values,
)
words = st.sampled_from(["KILL", "KILL_PROCESS", "TRAP", "ERRNO", "TRACE", "LOG", "ALLOW"])


def errno_for(action: str, errno: int) -> int | None:
    return errno if f"SCMP_ACT_{action}" in libseccomp.WITH_DATA else None


@st.composite
def profiles(draw: st.DrawFn, *, args: bool, shared: bool) -> tuple[Seccomp, str]:
    """(profile, machine); rules with `args`, several on one call if `shared`."""
    machine = draw(st.sampled_from([*MACHINES]))
    others = draw(st.lists(st.sampled_from(MACHINES[machine]), unique=True))
    listed = tuple(dict.fromkeys([MACHINES[machine][0], *others]))
    names = st.sampled_from((FEW_NAMES if shared else SEPARATE_NAMES).split())
    drawn = draw(st.lists(names, max_size=24, unique=not shared))
    errnos = st.integers(0, 4094)
    rules = []
    while drawn:
        size = draw(st.integers(1, 5))
        group, drawn = drawn[:size], drawn[size:]
        conditions = draw(st.lists(comparisons, max_size=3))
        action, errno = draw(words), draw(errnos)
        used = conditions if args else []
        rules.append(rule(tuple(group), action, *used, errno=errno_for(action, errno)))
    default, errno = draw(words), draw(errnos)
    made = profile(default, *rules, arches=listed, errno=errno_for(default, errno))
    return comparable(made), machine


def compare_or_reject(seccomp: Seccomp, machine: str) -> None:
    try:
        compare(seccomp, machine)
    except libseccomp.ContradictionError:
        reject()


@given(profiles(args=False, shared=True))
@settings(max_examples=50, deadline=None, phases=PHASES)
def test_rules_without_conditions(drawn: tuple[Seccomp, str]) -> None:
    """Any actions on any names, several times on the same."""
    compare_or_reject(*drawn)


@given(profiles(args=True, shared=False))
@settings(max_examples=50, deadline=None, phases=PHASES)
def test_conditions(drawn: tuple[Seccomp, str]) -> None:
    """Conjunctions of every operator on several arguments, one rule to a call."""
    compare_or_reject(*drawn)


@given(profiles(args=True, shared=True))
@settings(max_examples=50, deadline=None, phases=PHASES)
def test_alternatives(drawn: tuple[Seccomp, str]) -> None:
    """Everything at once."""
    compare_or_reject(*drawn)


@given(profiles(args=True, shared=True))
@settings(max_examples=50, deadline=None, phases=PHASES)
def test_naive_reading(drawn: tuple[Seccomp, str]) -> None:
    """No verdict contradicts the rules, on those calls too that libseccomp gets wrong."""
    seccomp, machine = drawn
    order = ">" if arches.is_big_endian(machine) else "<"
    ours = Program(compile_seccomp(seccomp, machine).program, order)
    arguments = argument_sets(seccomp)
    for arch in [ARCHES[name] for name in seccomp.architectures]:
        for number in named_numbers(seccomp, arch):
            for args in arguments:
                verdict = ours.run(number, arch.audit, args)
                where = (machine, arch.name, number, [hex(value) for value in args])
                assert verdict.action in possible_verdicts(seccomp, arch, number, args), where
                if not verdict.read_arguments:
                    break
