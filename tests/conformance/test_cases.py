"""A case's id is the case: it reads back, whatever the case, and what cannot be read is said in one line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases import DATA_FORMATS, DTYPES, LAYERS, Case, CaseError, parse
from conformance.grids import BOUNDS, grid, misused

numbers = st.integers(1, 10**6)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(sorted(LAYERS)))
    layer = LAYERS[name]
    groups = draw(st.integers(1, 64)) if layer.plain else 1
    multiplier = draw(st.integers(1, 64)) if layer.multiplied else 1
    channels = draw(st.integers(1, 1000)) * groups
    each = st.tuples(*[numbers] * layer.rank)
    return Case(
        layer=name,
        padding=draw(st.sampled_from(layer.paddings)),
        input_shape=(draw(numbers), *draw(each), channels),
        kernel_size=draw(each),
        filters=channels * multiplier if layer.depthwise else draw(st.integers(1, 1000)) * groups,
        strides=draw(each),
        dilation_rate=draw(each),
        output_padding=draw(st.none() | st.tuples(*[st.integers(0, 99)] * layer.rank)) if layer.transposed else None,
        groups=groups,
        dtype=draw(st.sampled_from(DTYPES)),
        data_format=draw(st.sampled_from(DATA_FORMATS)),
        use_bias=draw(st.booleans()),
        data=draw(st.sampled_from(layer.data)),
        depth_multiplier=multiplier,
    )


@given(cases())
def test_every_case_reads_back(case: Case) -> None:
    assert parse(str(case)) == case


@pytest.mark.parametrize("name", BOUNDS)
def test_every_case_of_a_grid_reads_back_and_no_two_share_an_id(name: str) -> None:
    ids = [str(case) for case in grid(name)]
    assert tuple(map(parse, ids)) == grid(name)
    assert len(set(ids)) == len(ids)


def test_every_misuse_reads_back() -> None:
    ids = [str(case) for case in misused()]
    assert tuple(map(parse, ids)) == tuple(misused())
    assert len(set(ids)) == len(ids)
    misuse = "conv2d-valid-in2x5x6x4-k3x2-f4-s1x1-filters=negative@symbolic"
    assert parse(misuse).misuse == "filters=negative@symbolic"
    assert str(parse(misuse)) == misuse


def test_ids_are_written_as_documented() -> None:
    case = Case(
        "conv2d_transpose", "same", (2, 5, 7, 3), (3, 2), 4, (2, 1), (1, 2), (1, 0), 1, "float16", "channels_first", False, "wide_input"
    )
    assert str(case) == "conv2d_transpose-same-in2x5x7x3-k3x2-f4-s2x1-d1x2-op1x0-float16-channels_first-nobias-wide_input"
    assert str(Case("conv2d", "valid", (1, 4, 4, 6), (3, 3), 4, (1, 1), groups=2)) == "conv2d-valid-in1x4x4x6-k3x3-f4-s1x1-g2"
    assert str(Case("conv1d", "causal", (1, 4, 6), (3,), 4, (1,))) == "conv1d-causal-in1x4x6-k3-f4-s1"
    depthwise = Case("depthwise_conv2d", "same", (1, 4, 4, 3), (3, 3), 6, (2, 2), depth_multiplier=2)
    assert str(depthwise) == "depthwise_conv2d-same-in1x4x4x3-k3x3-s2x2-m2"
    separable = Case("separable_conv1d", "valid", (1, 4, 3), (3,), 5, (1,), data="wide_pointwise", depth_multiplier=2)
    assert str(separable) == "separable_conv1d-valid-in1x4x3-k3-f5-s1-m2-wide_pointwise"


def test_optional_parts_may_come_in_any_order() -> None:
    assert parse("conv2d-same-s1x1-nobias-f4-g2-in1x4x4x2-k3x3") == parse("conv2d-same-in1x4x4x2-k3x3-f4-s1x1-g2-nobias")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot read '' in case id '': expected a layer"),
        ("conv9d-same-in1x1x1x1-k1x1-f1-s1x1", "cannot read 'conv9d'"),
        ("conv2d", "cannot read its end in case id 'conv2d': expected a padding (valid, same)"),
        ("conv2d-full-in1x1x1x1-k1x1-f1-s1x1", "cannot read 'full'"),
        ("conv2d-same-in1x1x1x1-k1x1-f1-s1y1", "cannot read 's1y1'"),
        ("conv2d-same-in1x1x1x1-k1x1-f1-s01x1", "cannot read 's01x1'"),
        ("conv2d-same-in1x1x1x1-k1x1-f1-s1x1-q3", "cannot read 'q3'"),
        ("conv2d-same-in1x1x1x1-k1x1-f1-s1x1-s2x2", "cannot read 's2x2' in case id", ),
        ("conv2d-same-in1x1x1x1-k1x1-f1x2-s1x1", "cannot read 'f1x2'"),
        ("conv2d-same-in1x1x1x1-k1x1-f99999999999-s1x1", "cannot read 'f99999999999'"),
        ("conv2d-same-k1x1-f1-s1x1", "lacks its part 'in' (input_shape)"),
        ("conv2d-same-in1x1x1-k1x1-f1-s1x1", "in needs 4 number(s), got in1x1x1"),
        ("conv2d-same-in1x0x1x1-k1x1-f1-s1x1", "every number of in must be at least 1"),
        ("conv2d-same-in1x1x1x1-k1x1-f1-s1x1-op0x0", "op is for transposed layers"),
        ("conv2d_transpose-same-in1x1x1x2-k1x1-f2-s1x1-g2", "g is not for transposed, depthwise and separable layers"),
        ("conv2d-same-in1x1x1x2-k1x1-f2-s1x1-m2", "m is for depthwise and separable layers: conv2d has no depth_multiplier"),
        ("depthwise_conv2d-same-in1x1x1x2-k1x1-f2-s1x1", "f is not for depthwise layers, whose filters are channels times m"),
        ("depthwise_conv2d-same-k1x1-s1x1", "lacks its part 'in' (input_shape)"),
        ("depthwise_conv1d-causal-in1x4x2-k2-s1", "cannot read 'causal'"),
        ("conv2d-causal-in1x1x1x2-k1x1-f2-s1x1", "cannot read 'causal'"),
        ("conv2d-same-in1x1x1x2-k1x1-f2-s1x1-wide_pointwise", "unknown data 'wide_pointwise'"),
        ("conv3d-same-in1x2x2x1-k1x1-f1-s1x1", "in needs 5 number(s), got in1x2x2x1"),
        ("conv2d-same-in1x1x1x3-k1x1-f2-s1x1-g2", "g must divide channels and filters"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse(text)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("field", [{"layer": "dense"}, {"padding": "full"}, {"dtype": "int8"}, {"data_format": "NHWC"}, {"data": "zeros"}])
def test_fields_outside_their_domain_are_refused(field: dict[str, str]) -> None:
    fields = {"layer": "conv2d", "padding": "same", "input_shape": (1, 2, 2, 1), "kernel_size": (1, 1), "filters": 1, "strides": (1, 1)}
    with pytest.raises(CaseError, match="unknown"):
        Case(**{**fields, **field})  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_any_text_is_a_case_or_an_error_of_one_line(text: str) -> None:
    try:
        parse(text)
    except CaseError as error:
        assert len(str(error).splitlines()) == 1


GOOD: dict[str, Any] = {
    "layer": "conv2d", "padding": "valid", "input_shape": (2, 5, 7, 3), "kernel_size": (3, 2), "filters": 4, "strides": (2, 1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layer": "dense"}, "unknown layer 'dense': expected one of " + ", ".join(LAYERS)),
        ({"padding": "full"}, "unknown padding 'full': expected one of valid, same"),
        ({"dtype": "int8"}, "unknown dtype 'int8': expected one of float32, float64, float16, bfloat16, mixed_float16, mixed_bfloat16"),
        ({"data_format": "nhwc"}, "unknown data_format 'nhwc': expected one of channels_last, channels_first"),
        ({"data": "wide"}, "unknown data 'wide': expected one of symmetric, wide_input, wide_kernel"),
        ({"input_shape": (2, 5, 3)}, "in needs 4 number(s), got in2x5x3"),
        ({"kernel_size": (3,)}, "k needs 2 number(s), got k3"),
        ({"kernel_size": (3, 0)}, "every number of k must be at least 1, got k3x0"),
        ({"filters": 0}, "every number of f must be at least 1, got f0"),
        ({"strides": (0, 1)}, "every number of s must be at least 1, got s0x1"),
        ({"dilation_rate": (1, 1, 1)}, "d needs 2 number(s), got d1x1x1"),
        ({"groups": 0}, "every number of g must be at least 1, got g0"),
        ({"depth_multiplier": 0}, "every number of m must be at least 1, got m0"),
        ({"layer": "depthwise_conv2d"}, "the filters of depthwise_conv2d are channels times depth_multiplier, 3, got 4"),
        ({"layer": "conv2d_transpose", "output_padding": (1,)}, "op needs 2 number(s), got op1"),
    ],
)
def test_what_makes_no_case_is_said_in_these_words(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CaseError) as caught:
        Case(**{**GOOD, **fields})
    assert str(caught.value) == message


EXPECTED_PART = (
    "in<numbers>, k<numbers>, s<numbers>, d<numbers>, op<numbers>, f<numbers>, g<numbers>, m<numbers>, float32, float64, float16, bfloat16,"
    " mixed_float16, mixed_bfloat16, channels_last, channels_first, symmetric, wide_input, wide_kernel, wide_pointwise, nobias, bias"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dense-same", "cannot read 'dense' in case id 'dense-same': expected a layer (" + ", ".join(LAYERS) + ")"),
        ("conv2d", "cannot read its end in case id 'conv2d': expected a padding (valid, same)"),
        ("conv2d-full", "cannot read 'full' in case id 'conv2d-full': expected a padding (valid, same)"),
        ("conv2d-same", "case id 'conv2d-same' lacks its part 'in' (input_shape)"),
        ("conv2d-same-x9", f"cannot read 'x9' in case id 'conv2d-same-x9': expected one of {EXPECTED_PART}"),
        ("conv2d-same-f1x2", "cannot read 'f1x2' in case id 'conv2d-same-f1x2': expected one number"),
        (
            "conv2d-same-in1x4x4x1-k1x1-f1-s1x1-colour=red",
            "case id 'conv2d-same-in1x4x4x1-k1x1-f1-s1x1-colour=red': unknown misuse 'colour=red' of conv2d: see conformance.misuses",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_these_words(text: str, message: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_shapes_in_the_layout_of_the_case() -> None:
    case = Case(**GOOD)
    assert case.in_layout((2, 5, 7, 3)) == (2, 5, 7, 3)
    assert Case(**GOOD, data_format="channels_first").in_layout((2, 5, 7, 3)) == (2, 3, 5, 7)


def test_arguments_of_the_layer_are_those_that_differ_from_its_defaults() -> None:
    plain = Case(**{**GOOD, "strides": (1, 1)})
    assert plain.layer_arguments() == {"filters": 4, "kernel_size": (3, 2), "data_format": "channels_last"}
    other = Case(
        layer="conv2d_transpose", padding="same", input_shape=(2, 5, 7, 3), kernel_size=(3, 2), filters=4, strides=(2, 1),
        dilation_rate=(1, 2), output_padding=(1, 0), dtype="float16", data_format="channels_first", use_bias=False,
    )  # fmt: skip
    assert other.layer_arguments() == {
        "filters": 4, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same", "output_padding": (1, 0), "dilation_rate": (1, 2),
        "use_bias": False, "dtype": "float16", "data_format": "channels_first",
    }  # fmt: skip
    assert Case(**{**GOOD, "input_shape": (2, 5, 7, 4), "groups": 2}).layer_arguments()["groups"] == 2
    depthwise = parse("depthwise_conv1d-same-in1x4x3-k3-s2-m2")
    assert depthwise.layer_arguments() == {
        "kernel_size": (3,), "strides": (2,), "padding": "same", "depth_multiplier": 2, "data_format": "channels_last",
    }  # fmt: skip


def test_shapes_of_the_kernels_are_those_of_keras() -> None:
    depthwise, separable = parse("depthwise_conv1d-same-in1x4x3-k5-s2-m2"), parse("separable_conv2d-same-in1x4x4x3-k5x4-f7-s2x2-m2")
    assert (depthwise.kernel_shape, depthwise.filters, depthwise.kernel_names) == ((5, 3, 2), 6, ("kernel",))
    assert (separable.kernel_shape, separable.pointwise_shape) == ((5, 4, 3, 2), (1, 1, 6, 7))
    assert separable.kernel_names == ("depthwise_kernel", "pointwise_kernel")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mixed_policy_computes_in_the_type_of_its_name_and_keeps_float32(dtype: str) -> None:
    case = parse(f"conv2d-valid-in1x4x4x6-k3x3-f4-s1x1-{dtype}")
    assert case.dtype == dtype
    assert case.layer_arguments().get("dtype", "float32") == dtype
    of = {"mixed_float16": ("float16", "float32"), "mixed_bfloat16": ("bfloat16", "float32")}
    assert (case.compute_dtype, case.variable_dtype) == of.get(dtype, (dtype, dtype))
