"""A grid over several machines: the shards' results files, one behind the other, are the results of the whole run."""

from __future__ import annotations

from pathlib import Path

from conformance.results import read
from tests.conformance.test_gate import gate

SHARDS = 3


def test_results_of_shards_are_those_of_the_whole_run(tmp_path: Path) -> None:
    def results(name: str, *arguments: str) -> Path:
        file = tmp_path / name
        # shards agree on who has which case only if all collect in one order
        done = gate("--grid", "smoke", "--results", str(file), "-p", "no:randomly", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return file

    whole = read(results("whole.jsonl"))
    parts = [results(f"{n}.jsonl", "--splits", str(SHARDS), "--group", str(n)) for n in range(1, SHARDS + 1)]
    merged = tmp_path / "merged.jsonl"
    merged.write_bytes(b"".join(part.read_bytes() for part in parts))
    run = read(merged)
    assert run.complete
    assert run.notes == (f"{merged}: {SHARDS} runs of one environment, taken together",)
    assert {key: entry.outcome for key, entry in run.entries.items()} == {key: entry.outcome for key, entry in whole.entries.items()}
    sizes = [len(read(part).entries) for part in parts]
    assert max(sizes) - min(sizes) < SHARDS  # the last has the rest

    merged.write_bytes(parts[0].read_bytes() + parts[2].read_bytes())
    run = read(merged)
    assert not run.complete
    assert f"{sizes[0] + sizes[2]:,} of {len(whole.entries):,} planned checks are here" in run.notes[-1]
