"""Networks from content to item vectors, as published; the same for warm and cold items."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MixtureOfExperts(nn.Module):
    """The adaptor of UniSRec (Hou et al., KDD 2022): parametric whitenings, mixed by a gate.

    An expert is (dropout(x) − b) W; the gate is a softmax of x G, with noise in training whose
    scale is learnt.

    Args:
        content_dim: dimension c of the content.
        dim: dimension d of an item vector.
        experts: number of experts.
        dropout: rate at which the experts' inputs are dropped.

    Example:
        >>> import torch
        >>> adaptor = MixtureOfExperts(content_dim=8, dim=4)
        >>> adaptor(torch.randn(3, 5, 8)).shape
        torch.Size([3, 5, 4])
    """

    def __init__(self, content_dim: int, dim: int, experts: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(experts, content_dim))
        self.weight = nn.Parameter(torch.empty(experts, content_dim, dim).normal_(0.0, 0.02))
        self.gate = nn.Parameter(torch.zeros(content_dim, experts))
        self.noise = nn.Parameter(torch.zeros(content_dim, experts))

    def forward(self, content: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` of content ``[..., c]``."""
        logits = content @ self.gate
        if self.training:
            scale = F.softplus(content @ self.noise) + 1e-2
            logits = logits + torch.randn_like(logits) * scale
        share = logits.softmax(-1)
        shift = torch.einsum("kc,kcd->kd", self.bias, self.weight)
        # Σ share_k (x − b_k) W_k, one expert at a time: all of them would be eight tables.
        mixed = -share @ shift
        for expert, weight in enumerate(self.weight):
            mixed = mixed + share[..., expert, None] * (self.dropout(content) @ weight)
        return mixed


class ResidualAdaptor(nn.Module):
    """The projection of item texts of LIGER (Yang et al., 2024, arXiv 2411.18814).

    Three layers that narrow the content, each with a linear way round it, then a linear one.

    Args:
        content_dim: dimension c of the content.
        dim: dimension d of an item vector.
        dropout: rate at which the content and each layer's outputs are dropped.

    Example:
        >>> import torch
        >>> adaptor = ResidualAdaptor(content_dim=9, dim=4)
        >>> adaptor(torch.randn(3, 5, 9)).shape
        torch.Size([3, 5, 4])
    """

    def __init__(self, content_dim: int, dim: int, dropout: float = 0.2) -> None:
        super().__init__()
        # 768 -> 768, 512, 256 in the paper.
        widths = [content_dim, content_dim, *(max(dim, content_dim * n // 3) for n in (2, 1))]
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU(), nn.Dropout(dropout))
            for a, b in pairwise(widths)
        )
        self.skips = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(widths))
        self.end = nn.Linear(widths[-1], dim)

    def forward(self, content: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` of content ``[..., c]``."""
        hidden = self.dropout(content)
        for layer, skip in zip(self.layers, self.skips):
            hidden = layer(hidden) + skip(hidden)
        return self.end(hidden)
