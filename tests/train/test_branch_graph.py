"""A branch as nodes of a graph gives what it gives in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from tests import smallmodel
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.train.output.branch_graph import with_branch


@pytest.mark.parametrize("order", ["residual", "seed", "paper"])
def test_a_branch_in_the_graph_is_the_branch_in_pytorch(tmp_path: Path, order: str) -> None:
    smallmodel.text_tower(tmp_path)
    torch.manual_seed(1)
    network = TwoBranchNetwork(4, 4, hidden=64, dim=4, order=order, dropout=0.5, text_scale=0.5)
    for parameter in network.parameters():  # the last layer is not zero any more
        torch.nn.init.normal_(parameter)
    network.embed_texts(torch.randn(32, 4))  # statistics of a batch norm
    network.eval()
    tower = onnx.load(tmp_path / "text.onnx")
    once = with_branch(tower, network.text_branch, 0.5)
    twice = with_branch(once, network.text_branch, 0.5)  # over a model that has a branch already
    ids, mask = np.array([[2, 4, 5, 3], [2, 6, 3, 0]]), np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    rows = run(tower, ids, mask)
    for graph in (once, twice):
        with torch.inference_mode():
            rows = network.embed_texts(torch.from_numpy(rows)).numpy()
        found = run(graph, ids, mask)
        assert (found * rows).sum(axis=1).min() > 0.9999


def run(model: onnx.ModelProto, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == [model.graph.output[0].name]
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
