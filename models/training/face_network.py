"""The face network as it is trained: a small residual network on one grey 48 x 48 face.

Two heads share it: the distribution of the eight emotions' votes, and the share of voters who named an emotion at all
(`usable`; a hand over the face, a drawing or no face lowers it). Brightness and contrast are taken out inside the
network, so that a dark room and a backlit window give the same numbers in. Source of the blocks: He et al. (2016),
Deep Residual Learning for Image Recognition, CVPR; average-pooled short cuts: He et al. (2019), Bag of Tricks, CVPR.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.training.face_data import EMOTION_COUNT

WIDTHS = (16, 32, 64, 128, 256)
BLOCKS = (1, 2, 2, 1)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a short cut; halves height and width where `stride` is 2."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(width_out, width_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width_in != width_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(width_in, width_out, 1, bias=False), nn.BatchNorm2d(width_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """float [n, width_in, h, w] -> [n, width_out, h / stride, w / stride]."""
        return torch.relu(self.body(x) + self.shortcut(x))


class FaceNetwork(nn.Module):
    """float [n, 1, 48, 48] in 0..255 -> logits [n, 9]: eight emotions, then `usable`."""

    def __init__(
        self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS, dropout: float = 0.3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(1, widths[0], 3, 1, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        width_in = widths[0]
        for width, count in zip(widths[1:], blocks, strict=True):
            for block in range(count):
                layers.append(Residual(width_in, width, 2 if block == 0 else 1))
                width_in = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Linear(width_in, EMOTION_COUNT + 1)

    def forward(self, faces: Tensor) -> Tensor:
        """Logits [n, 9]."""
        mean = faces.mean(dim=(2, 3), keepdim=True)
        centred = faces - mean
        spread = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
        features = self.body(centred / (spread + 8.0))
        return cast(Tensor, self.heads(self.dropout(features.mean(dim=(2, 3)))))
