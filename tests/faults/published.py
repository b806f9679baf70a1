"""The algorithms that public write-ups published, lifted from one channel to layers; see `tests.faults.writeups`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.cases import Case
from conformance.outcomes import Outcome
from reference.arguments import Array
from tests.faults.layers import Layers
from tests.faults.planting import planted
from tests.faults.writeups import article_conv2d, article_conv2d_transpose, notebook_convolution

WRONG = (Outcome.WRONG_VALUE, Outcome.WRONG_SHAPE, Outcome.DECLINED)
"""Where their loops leave the input, or a crop comes to nothing, these algorithms fall over: that is their fault, too."""


class Published(Layers):
    """Right wherever the algorithm does not claim to know the case."""

    def layer(self, case: Case, x: Array, kernel: Array) -> Array:
        if max(case.dilation_rate) > 1 or case.output_padding is not None or case.groups > 1 or not self.claims(case):
            return super().layer(case, x, kernel)
        kernel = np.swapaxes(kernel, -1, -2) if case.transposed else kernel
        filters = [
            [sum(self.one(case, item[..., c], kernel[..., c, f]) for c in range(case.channels)) for f in range(case.filters)] for item in x
        ]
        return np.moveaxis(np.array(filters, x.dtype), 1, -1)

    def claims(self, case: Case) -> bool:
        raise NotImplementedError

    def one(self, case: Case, x: Array, kernel: Array) -> Array:
        """One channel of one item with one filter."""
        raise NotImplementedError


@planted("published", *WRONG)
class NotebookConvolution(Published):
    """The number of output columns is computed from the number of input rows."""

    def claims(self, case: Case) -> bool:
        return case.layer == "conv2d" and case.padding == "valid" and max(case.strides) == 1

    def one(self, case: Case, x: Array, kernel: Array) -> Array:
        return notebook_convolution(x, kernel)


@planted("published", *WRONG, padding=("same", "valid"))
class ArticleConvolution(Published):
    """Both sides are padded alike, and the columns are bounded with the kernel's row count."""

    padding: str
    algorithm: Callable[[Array, Array, tuple[int, int], str], Array] = staticmethod(article_conv2d)

    def claims(self, case: Case) -> bool:
        return case.layer == "conv2d" and case.padding == self.padding

    def one(self, case: Case, x: Array, kernel: Array) -> Array:
        return self.algorithm(x, kernel, (case.strides[0], case.strides[1]), self.padding)


@planted("published", *WRONG, padding=("same", "valid"))
class ArticleTransposed(ArticleConvolution):
    """The crop takes the columns' end from the rows and may be negative; a kernel shorter than its stride is not extended."""

    algorithm = staticmethod(article_conv2d_transpose)

    def claims(self, case: Case) -> bool:
        return case.layer == "conv2d_transpose" and case.padding == self.padding
