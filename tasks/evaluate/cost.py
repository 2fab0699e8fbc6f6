"""What an answer costs: seconds a view, and the memory that the network takes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from model.data.reader import ViewReader
    from model.data.views import View
    from model.predict import Predictor

WARM_UP, TIMED = 2, 12
"""Views that are answered one at a time before, and while, the clock runs."""


def measure_cost(predictor: Predictor, reader: ViewReader, views: Sequence[View]) -> dict[str, float]:
    """`latency`, `latency_p95` (seconds a view, one at a time, decoding left out) and `memory` (bytes).

    `memory` is that of weights and buffers; on a GPU the peak while answering. Timings depend on the machine and on
    what else it does, so they are no part of the published evaluation.
    """
    batches = [reader.batch([view]) for view in views[: WARM_UP + TIMED]]
    on_gpu = any(parameter.is_cuda for parameter in predictor.network.parameters())
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for batch in batches:
        begun = time.perf_counter()
        predictor.predict(batch.views, batch.text)  # its answer is on the CPU, so the GPU is done
        seconds.append(time.perf_counter() - begun)
    timed = seconds[WARM_UP:] or seconds
    memory = float(torch.cuda.max_memory_allocated()) if on_gpu else float(bytes_of(predictor.network))
    return {"latency": float(np.median(timed)), "latency_p95": float(np.quantile(timed, 0.95)), "memory": memory}


def bytes_of(network: torch.nn.Module) -> int:
    """Bytes of the weights and buffers."""
    return sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))


def encoded(cost: dict[str, float]) -> str:
    """As the ref `cost/<evaluation>` holds it."""
    return json.dumps(cost, sort_keys=True)
