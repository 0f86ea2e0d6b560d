"""How long looking around three servers takes, and how much load it puts on them, beside one SSH call for each probe.

    python bench/assess.py [--runs 3] [--folder-seconds 2] [--json out.json]

Starts a lab and asks its three sources the same probes in two ways, in turn, A B, A B: Crossdock's (all servers at
once, two sessions each) and one `ssh` for each probe, server by server, as a shell script would. Load is the processor
time of each server's sshd and its sessions, as the kernel counts it, and of the probes, as their shell counts it. Both
ways must bring the same answers, or the bench ends with an error. Last: one whole `crossdock move assess`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossdock.edges.probing import ScriptProber
from crossdock.edges.ssh import SshHost
from crossdock.hub.moves.surroundings import parse_hosts
from crossdock.lab.lab import Lab
from crossdock.move.inventory.observe import FIRST, SECOND, Observed, observe

_TICKS = os.sysconf("SC_CLK_TCK")
#: What changes from one moment to the next, or is ended by its own clock.
_FLEETING = frozenset({"peers", "programs", "space", "sizes", "system", "ports"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder-seconds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Lab(Path(tempfile.mkdtemp(prefix="cd-bench-")), size="tiny") as lab:
        hosts = {name: SshHost(name, name, str(lab.ssh_config)) for name in lab.sources}
        roots = {name: str(source.wordpress.root) for name, source in lab.sources.items()}
        ways: dict[str, Callable[[], dict[str, Observed]]] = {
            "crossdock": lambda: at_once(hosts, roots, options.folder_seconds),
            "one ssh a probe": lambda: one_by_one(hosts, roots, options.folder_seconds),
        }
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.runs):
            answers = []
            for name, way in ways.items():
                before, began = load(lab), time.perf_counter()
                answers.append(way())
                seconds = time.perf_counter() - began
                time.sleep(0.5)  # a session that is just ending is counted when its sshd has waited for it
                probes = sum(one.cpu_seconds for one in answers[-1].values())
                figures[name].append((seconds, load(lab) - before + probes))
            compare(*answers)
        whole = assess(lab)
    tell(figures, whole, options.folder_seconds)
    if options.json:
        options.json.write_text(json.dumps({"seconds_and_cpu": figures, "assess_seconds": whole}, indent=1))


def at_once(hosts: dict[str, SshHost], roots: dict[str, str], folder_seconds: int) -> dict[str, Observed]:
    with ThreadPoolExecutor(len(hosts)) as pool:
        jobs = {
            name: pool.submit(observe, ScriptProber(host), parse_hosts, root=roots[name], folder_seconds=folder_seconds)
            for name, host in hosts.items()
        }
        return {name: job.result() for name, job in jobs.items()}


def one_by_one(hosts: dict[str, SshHost], roots: dict[str, str], folder_seconds: int) -> dict[str, Observed]:
    script = resources.files("crossdock.move.inventory").joinpath("collect.sh").read_bytes()
    found = {}
    for name, host in hosts.items():
        settings = {"ROOTS": roots[name], "CERTIFICATES": "", "FOLDER_SECONDS": str(folder_seconds)}
        answers, cpu_seconds = {}, 0.0
        for probe in (*FIRST, *SECOND):
            told = ScriptProber(host).probe(script, [probe], settings)
            answers |= told.answers
            cpu_seconds += told.cpu_seconds
        found[name] = Observed(name, answers, cpu_seconds=cpu_seconds)
    return found


def load(lab: Lab) -> float:
    """Processor seconds of the sources' sshds and their sessions, without the commands in these."""
    pids = [one["pid"] for one in lab.status() if one["daemon"] == "sshd" and one["server"] in lab.sources]
    return sum(_ticks(int(pid)) for pid in pids) / _TICKS


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14))


def compare(one: dict[str, Observed], other: dict[str, Observed]) -> None:
    for name, seen in one.items():
        for probe, told in seen.answers.items():
            there = other[name].answers[probe]
            if probe not in _FLEETING and (told.out, told.files, told.problem) != (
                there.out,
                there.files,
                there.problem,
            ):
                raise RuntimeError(f"{name}: {probe} answers differently: {told} and {there}")


def assess(lab: Lab) -> float:
    """Seconds of one whole `crossdock move assess`: start, both sides' facts, servers, DNS, front pages."""
    command = [str(Path(sys.executable).with_name("crossdock")), "move", "assess", "-c", str(lab.config)]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def tell(figures: dict[str, list[tuple[float, float]]], whole: float, folder_seconds: int) -> None:
    table = Table("", "seconds", "processor seconds on three servers", box=None)
    for name, runs in figures.items():
        seconds, cpu = (statistics.median(one[at] for one in runs) for at in (0, 1))
        table.add_row(name, f"{seconds:.1f}", f"{cpu:.2f}")
    Console().print(table)
    mine, theirs = (statistics.median(one[0] for one in runs) for runs in figures.values())
    print(f"crossdock / one ssh a probe: {mine / theirs:.2f} of the time")
    print(f"crossdock move assess as a whole: {whole:.1f} s; folders are measured for {folder_seconds} s at most")
    print(f"{os.cpu_count()} cores for all servers and for us")


if __name__ == "__main__":
    main()
