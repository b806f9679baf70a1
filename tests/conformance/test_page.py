"""The page has everything in itself, in few bytes, and nothing of a results file becomes markup or script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conformance.__main__ import main
from conformance.cases import Case, parse
from conformance.features import FEATURES
from conformance.grids import grid
from conformance.outcomes import Outcome, Verdict
from conformance.page import data, embedded, page
from conformance.records import Writer, case_record
from conformance.results import Run, read

Write = Callable[..., Run]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes and reads a run of a few cases of the smallest grid, one kind of which is wrong."""

    def writer(name: str, message: str = "no\nX.\n..", more: dict[str, Any] | None = None, **environment: Any) -> Run:
        path = tmp_path / f"{name}.jsonl"
        results = Writer(path, "smoke", ("eager",))
        results.environment({"keras": "3.11.3", "backend": "torch", "versions": {"torch": "2.13.0"}, "flags": {}, **environment})
        for case in grid("smoke")[::3]:
            verdict = Verdict(Outcome.WRONG_VALUE, message, (0, 0, 0, 0)) if bug(case) else Verdict(Outcome.CONFORMS)
            results.case({**case_record(case, "forward", "eager", verdict, None, 0.1), **(more or {})})
        results.close(complete=True)
        return read(path)

    return writer


def bug(case: Case) -> bool:
    return case.layer == "conv2d_transpose" and case.padding == "same"


class Parsed(HTMLParser):
    """The elements of a page, and the text within its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text: str) -> None:
        self.texts.append((self.elements[-1][0] if self.elements else "", text))

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag and text.strip()]


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- \\u003c & ' \" {{ 7 * 7 }} \u2028"


def test_no_text_of_a_results_file_becomes_markup(write: Write) -> None:
    run = write(
        EVIL[:9].replace("/", "_"), message=EVIL, more={"deviation": EVIL, "characteristics": {EVIL: EVIL}}, keras=EVIL, subject=EVIL
    )
    text = page([run])
    parsed = Parsed(text)
    tags = [tag for tag, _ in parsed.elements]
    assert tags.count("script") == 2
    assert "img" not in tags
    told = json.loads(parsed.within("script")[0])
    assert any("alert(1)" in message for message in told["messages"])
    assert "49" not in re.findall(r"<title>(.*)</title>", text)[0]
    assert embedded("</script>&\u2028") == '"\\u003c/script\\u003e\\u0026\\u2028"'


def test_the_page_needs_nothing_from_elsewhere(write: Write) -> None:
    text = page([write("run")])
    parsed = Parsed(text)
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") or name == "style" for name in attributes)  # forbidden by the page's own policy
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)


def test_the_policy_names_the_script_and_the_style_that_are_there(write: Write) -> None:
    parsed = Parsed(page([write("run")]))
    policy = next(
        attributes["content"] or "" for tag, attributes in parsed.elements if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style, script = parsed.within("style")[0], parsed.within("script")[1]
    for directive, content in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_columns_hold_every_case_of_every_run(write: Write) -> None:
    one, other = write("one"), write("other", backend="jax")
    last = list(other.entries)[-1]
    fewer = Run(other.path, other.environment, {key: entry for key, entry in other.entries.items() if key != last}, True, ("a note",))
    told = data([one, fewer])
    assert told["ids"] == [str(case) for case, _, _ in one.entries]
    assert {len(told[name]) for name in ("ids", "layer", "bits", "mode", "claim", "axes")} == {len(one.entries)}
    for i, (case, _, _) in enumerate(one.entries):
        assert told["layers"][told["layer"][i]] == case.keras_name
        assert [name for bit, (name, _) in enumerate(told["features"]) if told["bits"][i] >> bit & 1] == [
            n for n, f in FEATURES.items() if f(case)
        ]
        assert told["outcomes"][int(told["runs"][0]["outcomes"][i])] == one.entries[case, "eager", "forward"].outcome
    assert told["runs"][1]["outcomes"][-1] == "."
    assert told["runs"][1]["outcomes"][:-1] == told["runs"][0]["outcomes"][:-1]
    assert told["runs"][1]["notes"] == ["a note"]
    assert told["runs"][0]["rules"][0].startswith("Conv2DTranspose with padding same: wrong_value - all ")
    failing = {i for i, (case, _, _) in enumerate(one.entries) if bug(case)}
    assert set(told["scripts"]) == failing
    assert all('os.environ["KERAS_BACKEND"] = "{backend}"' in script for script in told["scripts"].values())


def test_geometry_is_the_references(write: Write) -> None:
    run = write("run")
    told = data([run])
    place = next(i for i, (case, _, _) in enumerate(run.entries) if told["axes"][i] and not case.transposed and case.padding == "same")
    case = next(key[0] for i, key in enumerate(run.entries) if i == place)
    for axis, (n, k, s, d) in zip(
        told["axes"][place], zip(case.size, case.kernel_size, case.strides, case.dilation_rate, strict=True), strict=True
    ):
        big, small, kernel, stride, dilation, before = told["geometry"][axis]
        assert (big, small, kernel, stride, dilation) == (n, -(-n // s), k, s, d)
        assert before == max((small - 1) * s + (k - 1) * d + 1 - n, 0) // 2


def test_a_hostile_file_makes_no_page_that_is_slow_to_make(tmp_path: Path) -> None:
    """Sizes of nine digits: no operands are made for them, and no number is not one of JSON."""
    path = tmp_path / "run.jsonl"
    ids = ["conv2d-same-in999999999x999999999x1x1-k1x1-f1-s1x1", "conv2d_transpose-same-in1x1x1x1-k1x1-f1-s999999999x999999999"]
    with path.open("w", encoding="utf-8") as file:
        file.write('{"kind": "environment", "schema": 1, "keras": "3", "backend": "torch", "flags": {"x": NaN}}\n')
        for text in ids:
            record = case_record(
                parse(text), "forward", "eager", Verdict(Outcome.WRONG_VALUE, "no", (9, 9, 9, 9), float("inf")), None, 1e300
            )
            file.write(json.dumps(record) + "\n")
    told = data([read(path)])
    assert told["scripts"] == {}
    assert told["runs"][0]["errors"] == {0: "inf", 1: "inf"}
    assert embedded(told)


def test_the_command_writes_the_page_and_says_what_it_could_not_read(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write("run")
    lines = run.path.read_text(encoding="utf-8").splitlines(keepends=True)
    run.path.write_text("".join(lines[:-1]), encoding="utf-8")
    target = tmp_path / "page.html"
    assert main(["page", str(run.path), "-o", str(target)]) == 0
    shown = capsys.readouterr().out
    assert "note: " in shown
    assert "the run was interrupted" in shown
    assert f"{target}: 1 run, {len(run.entries)} cases" in shown
    assert "the run was interrupted" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.jsonl", "-o", "x.html"], "cannot read results file missing.jsonl"),
        (["{run}", "-o", "missing/x.html"], "cannot write missing/x.html"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(write: Write, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = write("run")
    assert main(["page", *(text.format(run=run.path) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_without_jinja_the_command_says_what_to_install(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["page", str(write("run").path), "-o", "x.html"]) == 2
    assert "the page needs jinja2: pip install 'convformance[report]'" in capsys.readouterr().err
