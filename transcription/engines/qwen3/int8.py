"""Linear layers with 8-bit weights for the CPU, in which no row disturbs another.

torch's dynamic quantisation takes one scale for the activations of a whole batch, so that the
text of a clip would depend on its neighbours. Here every row is scaled by its own largest value
and then quantised on one fixed grid: the products are sums of integers, hence exactly the same
in any batch, and more precise than with a scale for all rows (relative error of one layer on
random numbers: 0.016, against 0.021 at 128 rows).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

#: Activations lie within ±63 of the zero point 64: with all 8 bits, the pairwise sums of the
#: AVX2 kernel could overflow 16 bits and would be cut off without a sign.
_ACTIVATION_STEPS = 63
_ACTIVATION_ZERO_POINT = 64
#: Weights lie within ±127, one scale for each output.
_WEIGHT_STEPS = 127
#: So many rows of a weight are in float32 at once while it is packed.
_ROWS_AT_ONCE = 4096
#: A row of zeros is divided by this instead of by 0.
_SMALLEST_SCALE = 1e-30
#: The kernels that take a fixed grid and give float32: on every x86 with AVX2. ("x86" would
#: choose others on processors with VNNI.)
_BACKEND = "fbgemm"


def cpu_has_int8() -> bool:
    """Whether this torch has the int8 kernels that ``Int8Linear`` needs on this processor."""
    return (
        _BACKEND in torch.backends.quantized.supported_engines
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    )


class Int8Linear(nn.Module):
    """What a linear layer computes, with 8-bit weights; float32 in, float32 out, CPU alone."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        with _backend(), warnings.catch_warnings():
            # Announced for a later torch than the pinned one; there is no other way to pack
            # weights for these kernels yet.
            warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", module=r".*")
            quantised, scales = _quantised(weight)
            self._packed = torch.ops.quantized.linear_prepack(quantised, None)
        self.bias: torch.Tensor | None
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float())
        #: Bytes of the packed weights, which torch does not count as parameters.
        self.packed_bytes = weight.numel() + 4 * len(scales)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``values`` is float32, shape (…, inputs); the result float32, shape (…, outputs)."""
        rows = values.reshape(-1, values.shape[-1])
        scales = rows.abs().amax(dim=1, keepdim=True).clamp_min_(_SMALLEST_SCALE)
        result: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows / scales, 1.0 / _ACTIVATION_STEPS, _ACTIVATION_ZERO_POINT, self._packed
        )
        result.mul_(scales)
        if self.bias is not None:
            result.add_(self.bias)
        return result.view(*values.shape[:-1], -1)


def _quantised(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The weight as qint8, shape (outputs, inputs), and its scales, shape (outputs,).

    Some rows at a time: the head alone would be 0.6 GB in float32, more than all the rest.
    """
    integers = torch.empty(weight.shape, dtype=torch.int8)
    scales = torch.empty(len(weight))
    zero_points = torch.zeros(len(weight), dtype=torch.long)
    for start in range(0, len(weight), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        exact = weight[rows].float()
        scales[rows] = exact.abs().amax(dim=1).clamp_min(_SMALLEST_SCALE) / _WEIGHT_STEPS
        integers[rows] = torch.quantize_per_channel(
            exact, scales[rows].double(), zero_points[rows], axis=0, dtype=torch.qint8
        ).int_repr()
    quantised = torch._make_per_channel_quantized_tensor(
        integers, scales.double(), zero_points, axis=0
    )
    return quantised, scales


class StoredEmbedding(nn.Module):
    """An embedding that stays in the precision of its file and answers in float32.

    A table of 152,000 tokens is read one row at a time: at 2 bytes a value it costs half the
    memory and not a digit.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.weight = nn.Parameter(embedding.weight.detach(), requires_grad=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """``tokens`` is int64, shape (…,); the result float32, shape (…, width)."""
        return nn.functional.embedding(tokens, self.weight).float()


def to_int8(model: nn.Module) -> None:
    """Put ``Int8Linear`` for every linear layer of the model, in place; the rest in float32.

    One layer at a time: beside the model, as it was loaded, no second one comes into memory.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, Int8Linear(child))
            elif isinstance(child, nn.Embedding):
                setattr(parent, name, StoredEmbedding(child))
    stored = {id(part.weight) for part in model.modules() if isinstance(part, StoredEmbedding)}
    for parameter in model.parameters():
        if id(parameter) not in stored:
            parameter.data = parameter.data.float()
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.data = buffer.data.float()


def memory_bytes(model: nn.Module) -> int:
    """Bytes that the weights of the model take, packed ones included."""
    plain = sum(p.numel() * p.element_size() for p in [*model.parameters(), *model.buffers()])
    return plain + sum(
        part.packed_bytes for part in model.modules() if isinstance(part, Int8Linear)
    )


@contextmanager
def _backend() -> Iterator[None]:
    """Pack for our kernels, and leave torch's choice for others as it was."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = _BACKEND
    try:
        yield
    finally:
        torch.backends.quantized.engine = before
