"""Attention blocks of the fusion, in plain MatMul and Softmax so that every runtime imports them."""

import torch
from torch import Tensor, nn

__all__ = ["CrossBlock", "SelfBlock"]

HEADS = 8
HEAD_DIM = 64
ATTENTION_DIM = HEADS * HEAD_DIM
HIDDEN_DIM = 1024
CROSS_UNITS = 2
SELF_LAYERS = 3


class CrossBlock(nn.Module):
    """One modality attends to the other (paper, 3.3.2; 512 attention and 1,024 hidden dimensions from 4.2.2).

    The keys and values of the attended modality are projected once and serve both units.

    Args:
        width: features a frame, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, ATTENTION_DIM)
        self.value = nn.Linear(width, ATTENTION_DIM)
        self.units = nn.ModuleList(_CrossUnit(width) for _ in range(CROSS_UNITS))

    def forward(self, queries: Tensor, attended: Tensor) -> Tensor:
        """Both (N, T, width) float32, of the asking and the attended modality; returns (N, T, width)."""
        key, value = self.key(attended), self.value(attended)
        for unit in self.units:
            queries = unit(queries, key, value)
        return queries


class SelfBlock(nn.Sequential):
    """Three layers of self-attention within one modality (paper, 3.3.4).

    Args:
        width: features a frame, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__(*(_SelfLayer(width) for _ in range(SELF_LAYERS)))


class _CrossUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, ATTENTION_DIM)
        self.output = nn.Linear(ATTENTION_DIM, ATTENTION_DIM)
        self.attention_norm = nn.LayerNorm(ATTENTION_DIM)
        self.feed_forward = nn.Sequential(
            nn.Linear(ATTENTION_DIM, HIDDEN_DIM), nn.ReLU(), nn.Linear(HIDDEN_DIM, ATTENTION_DIM)
        )
        self.feed_forward_norm = nn.LayerNorm(ATTENTION_DIM)
        self.narrow = nn.Linear(ATTENTION_DIM, width)

    def forward(self, queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
        hidden = self.attention_norm(self.output(_attend(self.query(queries), key, value)))
        hidden = self.feed_forward_norm(hidden + self.feed_forward(hidden))
        answer: Tensor = queries + self.narrow(hidden)
        return answer


class _SelfLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, ATTENTION_DIM)
        self.key = nn.Linear(width, ATTENTION_DIM)
        self.value = nn.Linear(width, ATTENTION_DIM)
        self.output = nn.Linear(ATTENTION_DIM, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        attended = _attend(self.query(features), self.key(features), self.value(features))
        normed: Tensor = self.norm(features + self.output(attended))
        return normed


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention over 8 heads of 64 (paper, equations 1 to 3); all (N, T, 512)."""
    frames = query.shape[1]
    query, key, value = (_split_heads(item) for item in (query, key, value))
    weights = torch.softmax(torch.matmul(query * HEAD_DIM**-0.5, key.transpose(2, 3)), dim=-1)
    return torch.matmul(weights, value).transpose(1, 2).reshape(-1, frames, ATTENTION_DIM)


def _split_heads(features: Tensor) -> Tensor:
    return features.reshape(-1, features.shape[1], HEADS, HEAD_DIM).transpose(1, 2)
