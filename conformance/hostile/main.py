"""What the hostile level says of pyoci, runc and crun, against what is on record in verdicts.toml.

``python3 -m conformance.hostile`` runs the level on each (in namespaces where it can do no harm)
and fails for a difference; ``--write`` makes VERDICTS.md, the table for people.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LEVEL = ROOT / "tests" / "hostile"
RECORD = HERE / "verdicts.toml"
TABLE = HERE / "VERDICTS.md"
RUNTIMES = ("pyoci", "runc", "crun")

# Of each test its cases: how many passed, failed and were skipped.
Verdicts = dict[str, Counter[str]]


def find_runtime(name: str) -> str | None:
    """The program: pyoci is the one that `make build` has built."""
    return str(ROOT / "build" / "pyoci") if name == "pyoci" else shutil.which(name)


def run_level(runtime: str) -> Verdicts:
    """Run every test but the slow ones on this runtime."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        options = ("-q", "-p", "no:cacheprovider", "-m", "hostile and not slow", str(LEVEL))
        command = [sys.executable, "-B", "-m", "pytest", *options]
        command += ["--runtime", runtime, f"--junitxml={report}"]
        environment = {**os.environ, "PYOCI_STRICT_SKIPS": ""}
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
        return read_report(report.read_text(encoding="utf-8"))


def read_report(text: str) -> Verdicts:
    """The verdicts in a JUnit report; a case that failed in its teardown, too, has failed once."""
    cases: dict[tuple[str, str], str] = {}
    for case in ET.fromstring(text).iter("testcase"):  # noqa: S314  (pytest wrote it)
        module = case.get("classname", "").rpartition(".")[2]
        outcome = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        said = [outcome[child.tag] for child in case if child.tag in outcome]
        key = (f"{module}.py::{case.get('name', '').partition('[')[0]}", case.get("name", ""))
        if cases.get(key) != "failed":
            cases[key] = said[0] if said else "passed"
    verdicts: Verdicts = {}
    for (test, _), said_of_case in cases.items():
        verdicts.setdefault(test, Counter())[said_of_case] += 1
    return verdicts


def find_differences(name: str, verdicts: Verdicts, record: dict[str, Any]) -> list[str]:
    """Where these verdicts are not the recorded ones; racy tests may end either way."""
    recorded: dict[str, str] = record.get(name, {}).get("fail", {})
    racy: dict[str, str] = record.get(name, {}).get("racy", {})
    failed = {test for test, cases in verdicts.items() if cases["failed"]} - racy.keys()
    found = [f"{name}: {test} fails, which is not on record" for test in failed - recorded.keys()]
    found += [f"{name}: {test} passes, against the record" for test in recorded.keys() - failed]
    return sorted(found)


def render(versions: dict[str, str], all_verdicts: dict[str, Verdicts], record: Any) -> str:  # noqa: ANN401
    """The table: a line for each test that some runtime fails, and the counts of all."""
    lines = ["# The hostile level on three runtimes", ""]
    lines += ["Made by `make compare-hostile`; the reasons are in `verdicts.toml`.", ""]
    lines += ["| | " + " | ".join(versions.values()) + " |", "|---" * (len(versions) + 1) + "|"]
    for outcome in ("passed", "failed", "skipped"):
        sums = [sum(v[outcome] for v in all_verdicts[name].values()) for name in versions]
        lines.append(f"| cases {outcome} | " + " | ".join(map(str, sums)) + " |")
    lines += [
        "",
        "Skipped cases are about promises that only pyoci makes. Tests that some fail:",
        "",
    ]
    lines += ["| test | " + " | ".join(versions) + " | why |", "|---" * (len(versions) + 2) + "|"]
    for test in sorted({test for verdicts in all_verdicts.values() for test in verdicts}):
        cases = [all_verdicts[name].get(test, Counter()) for name in versions]
        if any(counts["failed"] for counts in cases):
            cells = " | ".join(map(describe, cases))
            lines.append(f"| `{test}` | {cells} | {'; '.join(reasons(test, record))} |")
    return "\n".join(lines) + "\n"


def describe(counts: Counter[str]) -> str:
    """The cases of one test on one runtime, in a word or two."""
    total = counts["passed"] + counts["failed"]
    if counts["failed"]:
        return "fails" if total == 1 else f"fails {counts['failed']} of {total}"
    return "passes" if total else "-"


def reasons(test: str, record: Any) -> list[str]:  # noqa: ANN401
    """What the record says of a test, by runtime."""
    found = []
    for name in RUNTIMES:
        for kind in ("fail", "racy"):
            reason = record.get(name, {}).get(kind, {}).get(test)
            if reason:
                found.append(f"{name}: {reason}")
    return found


def main() -> int:
    """Exit status: 0 as recorded, 1 a difference, 2 a runtime is missing."""
    parser = argparse.ArgumentParser(prog="conformance.hostile", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("runtimes", nargs="*", default=RUNTIMES, help="(default: all three)")
    arguments = parser.parse_args()
    record = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    all_verdicts, versions, differences = {}, {}, []
    for name in arguments.runtimes:
        runtime = find_runtime(name)
        if runtime is None:
            print(f"{name} is not installed")
            return 2
        said = subprocess.run([runtime, "--version"], capture_output=True, text=True, check=True)
        versions[name] = " ".join(said.stdout.split("\n")[0].replace("version", "").split())
        all_verdicts[name] = run_level(runtime)
        differences += find_differences(name, all_verdicts[name], record)
    text = render(versions, all_verdicts, record)
    print(text)
    if arguments.write:
        TABLE.write_text(text, encoding="utf-8")
    print("\n".join(differences) or "as recorded")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
