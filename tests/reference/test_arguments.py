"""A bad argument is a ValueError of one line that says what was wrong and what was expected, in every form alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference.test_agreement import CONV, TRANSPOSED

X, KERNEL, BACK = (1, 4, 5, 2), (3, 2, 2, 3), (3, 2, 3, 2)  # BACK: the kernel of a transposed convolution, 3 filters

# input shape, kernel shape, other arguments: message
BOTH: list[tuple[tuple[int, ...], tuple[int, ...] | None, dict[str, Any], str]] = [
    ((4, 5, 2), None, {}, "the input must have 4 axes (batch, 2 spatial, channels), got shape (4, 5, 2)"),
    ((0, 4, 5, 2), None, {}, "every size of the input must be positive, got shape (0, 4, 5, 2)"),
    (X, None, {"strides": 0}, "strides must be an integer >= 1 or 2 of them, got 0"),
    (X, None, {"strides": (1, -1)}, "strides must be an integer >= 1 or 2 of them, got (1, -1)"),
    (X, None, {"strides": (1, 1, 1)}, "strides must be an integer >= 1 or 2 of them, got (1, 1, 1)"),
    (X, None, {"strides": 1.5}, "strides must be an integer or 2 of them, got 1.5"),
    (X, None, {"strides": True}, "strides must be an integer or 2 of them, got True"),
    (X, None, {"strides": "2"}, "strides must be an integer or 2 of them, got '2'"),
    (X, None, {"dilation_rate": 0}, "dilation_rate must be an integer >= 1 or 2 of them, got 0"),
    (X, None, {"dilation_rate": None}, "dilation_rate must be an integer or 2 of them, got None"),
    (X, None, {"padding": "SAME"}, "padding must be one of valid, same, got 'SAME'"),
    (X, None, {"padding": "causal"}, "padding must be one of valid, same, got 'causal'"),
    (X, None, {"data_format": "NHWC"}, "data_format must be one of channels_last, channels_first, got 'NHWC'"),
    (X, None, {"bias": np.ones(2)}, "the bias must have shape (3,), one value a filter, got (2,)"),
    (X, None, {"bias": np.ones((3, 1))}, "the bias must have shape (3,), one value a filter, got (3, 1)"),
]
CONVOLUTION = [
    *BOTH,
    (X, (3, 2), {}, "the kernel must have at least 3 axes (*kernel_size, channels / groups, filters), got shape (3, 2)"),
    (X, KERNEL, {"rank": 1}, "the kernel must have 3 axes (*kernel_size, channels / groups, filters), got shape (3, 2, 2, 3)"),
    (X, (3, 0, 2, 3), {}, "every size of the kernel must be positive, got shape (3, 0, 2, 3)"),
    (X, (3, 2, 3, 3), {}, "the input has 2 channels, but the kernel (3, 2, 3, 3) takes 3 in each of 1 group(s): expected 3"),
    (X, KERNEL, {"groups": 2}, "the input has 2 channels, but the kernel (3, 2, 2, 3) takes 2 in each of 2 group(s): expected 4"),
    (X, (3, 2, 1, 3), {"groups": 2}, "filters must be a multiple of groups, got filters=3 and groups=2"),
    (X, KERNEL, {"groups": 0}, "groups must be an integer >= 1 or 1 of them, got 0"),
    ((1, 2, 5, 2), KERNEL, {}, "a valid window of 3 elements is larger than its input of 2"),
    (X, KERNEL, {"dilation_rate": 2}, "a valid window of 5 elements is larger than its input of 4"),
]
TRANSPOSED_ONLY = [
    *BOTH,
    (X, (3, 2), {}, "the kernel must have at least 3 axes (*kernel_size, filters, channels), got shape (3, 2)"),
    (X, BACK, {"rank": 3}, "the kernel must have 5 axes (*kernel_size, filters, channels), got shape (3, 2, 3, 2)"),
    (X, (3, 2, 0, 2), {}, "every size of the kernel must be positive, got shape (3, 2, 0, 2)"),
    (X, (3, 2, 2, 3), {"bias": None}, "the input has 2 channels, but the kernel (3, 2, 2, 3) takes 3"),
    (X, BACK, {"output_padding": -1}, "output_padding must be an integer >= 0 or 2 of them, got -1"),
    (X, BACK, {"output_padding": 1}, "output_padding must be less than strides, got (1, 1) for strides (1, 1)"),
    (X, BACK, {"strides": (3, 2), "output_padding": (2, 2)}, "output_padding must be less than strides, got (2, 2) for strides (3, 2)"),
    (X, BACK, {"output_padding": (0,)}, "output_padding must be an integer >= 0 or 2 of them, got (0,)"),
]


@pytest.mark.parametrize("form", CONV)
@pytest.mark.parametrize(("x", "kernel", "arguments", "message"), CONVOLUTION)
def test_convolution_refuses(
    form: str, x: tuple[int, ...], kernel: tuple[int, ...] | None, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared below
        CONV[form](np.ones(x), np.ones(kernel or KERNEL), **arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("form", TRANSPOSED)
@pytest.mark.parametrize(("x", "kernel", "arguments", "message"), TRANSPOSED_ONLY)
def test_transposed_convolution_refuses(
    form: str, x: tuple[int, ...], kernel: tuple[int, ...] | None, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole message is compared below
        TRANSPOSED[form](np.ones(x), np.ones(kernel or BACK), **arguments)
    assert str(caught.value) == message


def test_kronecker_form_refuses() -> None:
    from reference.kronecker import conv_transpose

    x = np.ones(X)
    with pytest.raises(ValueError, match=r"^the Kronecker form needs a kernel as large as the strides, got \(3, 2\) and \(1, 1\)$"):
        conv_transpose(x, np.ones(BACK))
    with pytest.raises(ValueError, match=r"^the Kronecker form needs a kernel without dilation, got dilation_rate \(1, 2\)$"):
        conv_transpose(x, np.ones(BACK), strides=(3, 2), dilation_rate=(1, 2))
    with pytest.raises(
        ValueError, match=r"^the Kronecker form makes an output of \(12, 10\), but output_padding \(1, 0\) asks for \(13, 10\)$"
    ):
        conv_transpose(x, np.ones(BACK), strides=(3, 2), output_padding=(1, 0))
    with pytest.raises(ValueError, match=r"^strides must be an integer >= 1 or 2 of them, got 0$"):
        conv_transpose(x, np.ones(BACK), strides=0)


def test_matrix_checks_its_arguments_too() -> None:
    from reference.convolution_matrix import matrix, transposed_matrix

    with pytest.raises(ValueError, match=r"^a valid window of 3 elements is larger than its input of 2$"):
        matrix(np.ones((3, 1, 1)), (2,))
    with pytest.raises(ValueError, match=r"^the input must have 3 axes \(batch, 1 spatial, channels\), got shape \(1, 2, 2, 1\)$"):
        matrix(np.ones((3, 1, 1)), (2, 2))
    with pytest.raises(ValueError, match=r"^output_padding must be less than strides"):
        transposed_matrix(np.ones((3, 1, 1)), (2,), output_padding=1)
    for make in (matrix, transposed_matrix):
        with pytest.raises(ValueError, match=r"^the kernel must have at least 3 axes"):
            make(np.ones(3), (2,))
