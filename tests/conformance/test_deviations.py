"""Known deviations: the built-in list is sound, an entry covers what it says and nothing else, and a bad file is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import deviations
from conformance.cases import DTYPES, parse
from conformance.claims import CLAIMS
from conformance.deviations import Deviation, DeviationsError
from conformance.facts import CASE_FACTS
from conformance.grids import grid, misused
from conformance.outcomes import Outcome, Verdict
from conformance.subjects import MODES

ENVIRONMENT: dict[str, Any] = {
    "keras": "3.15.1",
    "backend": "tensorflow",
    "device": "cpu",
    "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
    "flags": {"onednn": True},
}
CASE = parse("conv2d_transpose-same-in2x5x7x3-k3x2-f4-s2x1-op1x0")


def entry(tmp_path: Path, body: str) -> Deviation:
    path = tmp_path / "own.toml"
    path.write_text(f'[[deviation]]\nid = "own"\noutcome = "declined"\nreason = "because"\n{body}\n', encoding="utf-8")
    return deviations.load([path])[-1]


@pytest.mark.parametrize("known", deviations.load(), ids=lambda known: known.id)
def test_every_built_in_entry_covers_a_case_of_the_standard_grid(known: Deviation) -> None:
    dtype = next(dtype for dtype in DTYPES if known.speaks_of(dtype=dtype))
    cases = [replace(case, dtype=dtype) for case in (misused() if known.of_misuses else grid("standard"))]
    ways = [(mode, claim) for claim in CLAIMS for mode in MODES if known.speaks_of(mode=mode, claim=claim)]
    assert any(known.covers(case, *way) for way in ways for case in cases)
    assert len(known.reason.split()) > 5


@pytest.mark.parametrize(
    ("body", "covered"),
    [
        ("", True),
        ('where = { layer = "conv2d_transpose", padding = ["same"] }', True),
        ('where = { layer = "conv2d" }', False),
        ('where = { batch = "> 1", use_bias = true }', True),
        ('where = { batch = "> 2" }', False),
        ('any_axis = { kernel = "even", stride = 1 }', True),
        ('any_axis = { kernel = "even", stride = 2 }', False),  # each is true of another axis
        ('any_axis = { output_padding = "given" }', True),
        ('any_axis = { output_padding = "none" }', False),
        ('all_axes = { size = "odd" }', True),
        ('all_axes = { stride = "!= 1" }', False),
        ("first_axis = { kernel = 3 }\nlast_axis = { kernel = 2, output = 6 }", True),
        ("first_axis = { kernel = 2 }", False),
        ('where = { mode = "eager", claim = "forward" }', True),
        ('where = { claim = "gradient" }', False),
        ('where = { claim = { not = ["gradients"] } }', True),
        ('where = { claim = { not = ["gradients", "forward"] } }', False),
    ],
)
def test_an_entry_covers_what_its_conditions_say(tmp_path: Path, body: str, covered: bool) -> None:
    assert entry(tmp_path, body).covers(CASE, "eager", "forward") is covered


@pytest.mark.parametrize(
    ("body", "applies"),
    [
        ("", True),
        ('environment = { backend = "tensorflow", onednn = true }', True),
        ("environment = { onednn = false }", False),
        ('environment = { backend = "jax" }', False),
        ('environment = { unknown = "x" }', False),
        ('versions = { keras = ">=3.3,<4", tensorflow = ">=2.16" }', True),
        ('versions = { keras = "<3.15" }', False),
        ('versions = { jax = ">=0.1" }', False),
    ],
)
def test_an_entry_applies_to_its_environment(tmp_path: Path, body: str, applies: bool) -> None:
    assert entry(tmp_path, body).applies(ENVIRONMENT) is applies


def test_development_versions_count(tmp_path: Path) -> None:
    known = entry(tmp_path, 'versions = { keras = ">=3.15" }')
    assert known.applies({**ENVIRONMENT, "versions": {"keras": "3.16.0.dev2026112103"}})
    assert not known.applies({**ENVIRONMENT, "versions": {"keras": "nightly"}})


def test_an_entry_says_one_outcome_and_its_message(tmp_path: Path) -> None:
    known = entry(tmp_path, 'message = "not (yet )?supported"')
    assert known.says(Verdict(Outcome.DECLINED, "dilation is not supported"))
    assert not known.says(Verdict(Outcome.DECLINED, "out of memory"))
    assert not known.says(Verdict(Outcome.WRONG_VALUE, "not supported"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("deviation = 3", "expected only [[deviation]] entries"),
        ("[other]\nx = 1", "expected only [[deviation]] entries, got other"),
        ("[[deviation]\n", "not valid TOML"),
        ('\n\n[[deviation]]\nid = "a"\n', ":3: outcome must be given as text"),
        ('[[deviation]]\nid = "a"\noutcome = "fine"\nreason = "r"', ":1: unknown outcome 'fine'"),
        ('[[deviation]]\nid = "a"\noutcome = "conforms"\nreason = "r"', ":1: unknown outcome 'conforms'"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\ncolour = 1', ":1: unknown key 'colour'"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nwhere = { strides = 1 }', ":1: unknown fact 'strides'"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nwhere = { batch = "> x" }', ":1: cannot read condition '> x'"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nwhere = { batch = { not = 1 } }', ":1: cannot read condition"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nwhere = { batch = { no = [1] } }', "expected { not = [value, …] }"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nwhere = 1', ":1: where must be a table"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nmessage = "("', ":1: message is not a regular expression"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nversions = { keras = "new" }', ":1: versions must be ranges"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nheuristic = 1', ":1: heuristic must be true or false"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nalso = "crashed"', ":1: also must be a list of outcomes"),
        ('[[deviation]]\nid = "a"\noutcome = "hung"\nreason = "r"\nalso = ["fine"]', ":1: unknown outcome 'fine'"),
        ('[[deviation]]\nid = "tensorflow-bias-along-width"\noutcome = "hung"\nreason = "r"', "is already defined"),
    ],
)
def test_a_bad_file_is_one_line_that_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeviationsError) as caught:
        deviations.load([path])
    message = str(caught.value)
    assert message.startswith(str(path))
    assert says in message
    assert "\n" not in message.replace(str(path), "")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DeviationsError, match=r"cannot read deviations file .*none\.toml: No such file or directory"):
        deviations.load([tmp_path / "none.toml"])


@given(content=st.binary(max_size=300) | st.text(alphabet='[]deviation="\n {}1><even.', max_size=300).map(str.encode))
def test_any_bytes_are_entries_or_an_error_of_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "own.toml"
    path.write_bytes(content)
    try:
        deviations.load([path])
    except DeviationsError as error:
        assert len(str(error).splitlines()) == 1


def test_what_an_entry_leaves_out_has_its_default(tmp_path: Path) -> None:
    known = entry(tmp_path, "")
    assert (known.id, known.outcome, known.reason) == ("own", Outcome.DECLINED, "because")
    assert (known.link, known.message, known.heuristic) == ("", "", False)
    assert known.applies({})
    given_all = entry(tmp_path, 'link = "https://example.org/1"\nmessage = "m"\nheuristic = true')
    assert (given_all.link, given_all.message, given_all.heuristic) == ("https://example.org/1", "m", True)


def test_an_entry_may_name_other_outcomes_that_there_may_be_instead(tmp_path: Path) -> None:
    known = entry(tmp_path, 'also = ["crashed"]')
    outcomes = [outcome for outcome in Outcome if known.says(Verdict(outcome, ""))]
    assert set(outcomes) == {Outcome.DECLINED, Outcome.CRASHED}


def test_versions_of_an_environment_that_has_none_are_not_in_any_range(tmp_path: Path) -> None:
    assert not entry(tmp_path, 'versions = { keras = ">=3" }').applies({"backend": "jax"})


def test_a_default_output_padding_is_none(tmp_path: Path) -> None:
    known = entry(tmp_path, 'all_axes = { output_padding = "none" }')
    assert known.covers(parse("conv2d_transpose-same-in2x5x7x3-k3x2-f4-s2x1"), "eager", "forward")
    assert not known.covers(CASE, "eager", "forward")


def test_where_a_heuristic_entry_does_not_show_the_next_one_speaks(tmp_path: Path) -> None:
    crash, again, declined, last = (
        replace(entry(tmp_path, ""), id=name, outcome=Outcome(outcome), heuristic=heuristic)
        for name, outcome, heuristic in (
            ("crash", "crashed", True),
            ("again", "wrong_shape", True),
            ("declined", "declined", False),
            ("last", "wrong_value", False),
        )
    )
    entries = [crash, again, declined, last]

    def speaking(*outcomes: Outcome) -> list[str]:
        found = [deviations.covering(entries, CASE, "eager", "forward", Verdict(outcome)) for outcome in outcomes]
        return [each.id if each else "" for each in found]

    assert deviations.covering(entries, CASE, "eager", "forward") is crash
    assert speaking(Outcome.CRASHED, Outcome.WRONG_SHAPE, Outcome.DECLINED) == ["crash", "again", "declined"]
    # behind one that always shows nothing is asked, and what nobody says the first is held to
    assert speaking(Outcome.WRONG_VALUE, Outcome.ACCEPTED, Outcome.CONFORMS) == ["crash", "crash", "crash"]
    assert deviations.covering([], CASE, "eager", "forward", Verdict(Outcome.CRASHED)) is None
    assert deviations.covering([crash], CASE, "eager", "forward", Verdict(Outcome.DECLINED)) is crash


def test_an_entry_speaks_of_misuses_only_if_it_says_so(tmp_path: Path) -> None:
    case = parse("conv2d-valid-in2x5x6x4-k3x2-f4-s1x1")
    misuse = replace(case, misuse="filters=negative")
    silent = entry(tmp_path, 'where = { layer = "conv2d" }')
    assert silent.covers(case, "eager", "errors")
    assert not silent.covers(misuse, "eager", "errors")
    speaking = entry(tmp_path, 'where = { layer = "conv2d", argument = "filters" }')
    assert speaking.covers(misuse, "eager", "errors")
    assert not speaking.covers(case, "eager", "errors")


def test_the_first_entry_that_covers_a_case_speaks_of_it(tmp_path: Path) -> None:
    other, wide = entry(tmp_path, 'where = { layer = "conv2d" }'), entry(tmp_path, "")
    assert deviations.covering([other, wide], CASE, "eager", "forward") is wide
    assert deviations.covering([wide, other], CASE, "eager", "forward") is wide
    assert deviations.covering([other], CASE, "eager", "forward") is None
    by_claim = entry(tmp_path, 'where = { mode = "eager", claim = "forward" }')
    assert deviations.covering([by_claim], CASE, "eager", "forward") is by_claim


ALL_KEYS = "all_axes, also, any_axis, environment, first_axis, heuristic, id, last_axis, link, message, outcome, reason, versions, where"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[[deviation]]\nlink = 3", "link must be text, got 3"),
        ("[[deviation]]\nmessage = 3", "message must be text, got 3"),
        ("[[deviation]]\nenvironment = 3", "environment must be a table, got 3"),
        ("[[deviation]]\nversions = 3", "versions must be a table, got 3"),
        ("[[deviation]]\nlast_axis = 3", "last_axis must be a table, got 3"),
        ("[[deviation]]\nwhere = { strides = 1 }", f"unknown fact 'strides': expected one of {', '.join(CASE_FACTS)}"),
        (
            "[[deviation]]\ncolour = 3",
            f"unknown key 'colour': expected some of {ALL_KEYS}",
        ),
        (
            '[[deviation]]\noutcome = "fine"',
            "unknown outcome 'fine': expected one of wrong_shape, wrong_value, wrong_dtype, declined, accepted, crashed, hung",
        ),
    ],
)
def test_a_bad_entry_is_said_in_these_words(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "own.toml"
    needed = {"id": '"a"', "outcome": '"hung"', "reason": '"r"'}
    path.write_text(body + "".join(f"\n{key} = {value}" for key, value in needed.items() if f"\n{key} =" not in body), encoding="utf-8")
    with pytest.raises(DeviationsError) as caught:
        deviations.load([path])
    assert str(caught.value) == f"{path}:1: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"deviation = 3", ": expected only [[deviation]] entries, got another kind of value"),
        (b"a = 1\nb = 2", ": expected only [[deviation]] entries, got a, b"),
        (b"deviation = [3]", ":entry 1: a deviation must be a table, got 3"),
        (b"id = \xff", ": not UTF-8 text (byte 5)"),
    ],
)
def test_a_file_of_another_kind_is_said_in_these_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(DeviationsError) as caught:
        deviations.load([path])
    assert str(caught.value) == f"{path}{message}"


def test_an_empty_file_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("", encoding="utf-8")
    assert len(deviations.load([path])) == len(deviations.load())


@pytest.mark.parametrize(
    ("outcome", "body", "claim", "covered", "strict"),
    [
        ("wrong_value", "", "forward", True, True),
        ("wrong_value", "", "determinism", False, True),
        ("wrong_value", "", "special_values", True, False),
        ("wrong_value", "", "bounded", True, False),
        ("wrong_value", "", "bounded_gradients", True, True),
        ("wrong_shape", "", "special_values", True, True),
        ("wrong_shape", "", "bounded", True, True),
        ("declined", "", "determinism", True, True),
        ("declined", "", "special_values", True, True),
        ("wrong_value", 'where = { claim = "determinism" }', "determinism", True, True),
        ("wrong_value", 'where = { claim = ["forward", "special_values"] }', "special_values", True, True),
        ("wrong_value", "heuristic = true", "forward", True, False),
    ],
)
def test_what_an_entry_says_of_claims_that_show_less(
    tmp_path: Path, outcome: str, body: str, claim: str, covered: bool, strict: bool
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'[[deviation]]\nid = "own"\noutcome = "{outcome}"\nreason = "because"\n{body}\n', encoding="utf-8")
    (known,) = (each for each in deviations.load([path]) if each.id == "own")
    assert known.covers(CASE, "eager", claim) is covered
    assert known.may_conform(claim) is not strict
