"""The networks themselves: from an encoded row, as serving has it, to the answer of the problem kind.

Everything that is learned of the data's scale is inside, so that the exported file takes the same matrix as every other
model file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from include.models.deep.settings import Settings

FARTHEST = 8.0  # standard deviations: what lies farther out counts as that far


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a network is built for.

    Attributes:
        width: columns of the input.
        categories: column -> how many values it has.
        classes: of a multiclass problem; else 1.
        problem: the problem kind.
        image: height and width, where the columns are pixels; None for a table.
    """

    width: int
    categories: dict[int, int]
    classes: int
    problem: str
    image: tuple[int, int] | None


class Table(nn.Module):
    """Numbers standardised, with a flag where one is missing; a category is a learned vector; then dense layers."""

    def __init__(self, shape: Shape, settings: Settings) -> None:
        super().__init__()
        self.places = tuple(place for place in range(shape.width) if place not in shape.categories)
        self.categories = shape.categories
        self.register_buffer("mean", torch.zeros(len(self.places)))
        self.register_buffer("deviation", torch.ones(len(self.places)))
        # A category that training never saw, like a null, is a value of its own: the last one.
        self.vectors = nn.ModuleDict(
            {str(place): nn.Embedding(size + 1, _breadth(size)) for place, size in shape.categories.items()}
        )
        width = 2 * len(self.places) + sum(map(_breadth, shape.categories.values()))
        layers: list[nn.Module] = []
        for _ in range(settings.layers):
            layers += [nn.Linear(width, settings.hidden), nn.ReLU(), nn.Dropout(settings.dropout)]
            width = settings.hidden
        self.dense = nn.Sequential(*layers, nn.Linear(width, shape.classes))

    def learn_scale(self, features: Tensor) -> None:
        """Take mean and deviation of the training rows."""
        numbers = features[:, list(self.places)]
        known = ~numbers.isnan()
        count = known.sum(0).clamp(min=1)
        self.mean.copy_(numbers.nan_to_num(0.0).sum(0) / count)
        spread = torch.where(known, numbers - self.mean, 0.0).square().sum(0) / count
        self.deviation.copy_(torch.where(spread > 0, spread.sqrt(), 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, classes] of encoded rows [n, width]."""
        parts: list[Tensor] = []
        if self.places:
            numbers = features[:, list(self.places)]
            missing = numbers.isnan()
            scaled = (torch.where(missing, self.mean, numbers) - self.mean) / self.deviation
            parts += [scaled.clamp(-FARTHEST, FARTHEST), missing.to(features.dtype)]
        for place, size in self.categories.items():
            code = features[:, place]
            code = torch.where(code.isnan(), torch.full_like(code, size), code).clamp(0, size)
            parts.append(self.vectors[str(place)](code.long()))
        return self.dense(torch.cat(parts, 1))


class Image(nn.Module):
    """Two convolutions, a pooling, a dense layer; pixels are standardised together, a missing one is the mean."""

    def __init__(self, shape: Shape, settings: Settings) -> None:
        super().__init__()
        height, width = self.size = shape.image or (1, shape.width)
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("deviation", torch.ones(1))
        channels = settings.channels
        self.net = nn.Sequential(
            *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(settings.dropout)),
            *(nn.Linear(2 * channels * (height // 2) * (width // 2), settings.hidden), nn.ReLU()),
            *(nn.Dropout(settings.dropout), nn.Linear(settings.hidden, shape.classes)),
        )

    def learn_scale(self, features: Tensor) -> None:
        """Take mean and deviation of the training pixels."""
        known = features[~features.isnan()]
        if len(known):
            self.mean.fill_(known.mean())
            self.deviation.fill_(known.std(unbiased=False).clamp(min=1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, classes] of encoded rows [n, height x width]."""
        pixels = torch.where(features.isnan(), self.mean, features)
        return self.net(((pixels - self.mean) / self.deviation).reshape(-1, 1, *self.size))


class Answering(nn.Module):
    """A network whose output is the answer of the problem kind: [n], or [n, classes]."""

    def __init__(self, network: nn.Module, shape: Shape) -> None:
        super().__init__()
        self.network, self.problem = network, shape.problem
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))

    def learn_scale(self, features: Tensor, labels: Tensor) -> None:
        """Take the scale of the training rows, and of a quantity to be told."""
        self.network.learn_scale(features)
        if self.problem == "regression":
            self.offset.fill_(labels.mean())
            self.scale.fill_(labels.std(unbiased=False).clamp(min=1e-6))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What a fit minimises: log loss, or the squared error in the target's own deviations."""
        if self.problem == "multiclass":
            return nn.functional.cross_entropy(logits, labels.long())
        if self.problem == "binary":
            return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels)
        return nn.functional.mse_loss(logits[:, 0], (labels - self.offset) / self.scale)

    def forward(self, features: Tensor) -> Tensor:
        """Answers of encoded rows."""
        logits = self.network(features)
        if self.problem == "multiclass":
            return logits.softmax(1)
        if self.problem == "binary":
            return logits.sigmoid().flatten()
        return (logits * self.scale + self.offset).flatten()


def build(shape: Shape, settings: Settings) -> Answering:
    """A network with fresh weights, drawn by torch's global seed."""
    return Answering((Image if shape.image else Table)(shape, settings), shape)


def sensitivity(network: Answering, features: Tensor) -> Sequence[float]:
    """How far answers move when a column is missing, as shares of all, [width]."""
    with torch.no_grad():
        whole, moved = network(features), []
        for place in range(features.shape[1]):
            without = features.clone()
            without[:, place] = float("nan")
            moved.append(float((network(without) - whole).abs().mean()))
    total = sum(moved) or 1e-300
    return [each / total for each in moved]


def _breadth(size: int) -> int:
    return min(16, size // 2 + 2)
