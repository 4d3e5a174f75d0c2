"""Augmentation of FER2013's faces: those that the paper names (4.1.1), at strengths chosen here."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

__all__ = ["augmented"]

_TURN_RADIANS, _ZOOM, _SHIFT, _BRIGHTNESS, _CONTRAST, _ERASED = 0.17, 0.1, 0.1, 0.2, 0.2, 0.3
"""Strength of the augmentations that the paper names without values (chosen here)."""


def augmented(faces: Tensor) -> Tensor:
    """Turned, shifted, zoomed, mirrored, brighter or darker, of other contrast, partly erased.

    Args:
        faces: (N, 48, 48) float32, gray values from 0 to 255; the result is alike.
    """
    count, device = len(faces), faces.device

    def draw(reach: float) -> Tensor:
        return (2 * torch.rand(count, device=device) - 1) * reach

    angle, zoom, mirror = draw(_TURN_RADIANS), 1 + draw(_ZOOM), torch.where(draw(1.0) < 0, -1.0, 1.0)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = (
        torch.stack([mirror * cosine, -sine, draw(_SHIFT)], dim=1),
        torch.stack([mirror * sine, cosine, draw(_SHIFT)], dim=1),
    )
    grid = affine_grid(torch.stack(rows, dim=1), [count, 1, *faces.shape[1:]], align_corners=False)
    moved = grid_sample(faces[:, None], grid, align_corners=False)[:, 0]
    contrast, brightness = 1 + draw(_CONTRAST)[:, None, None], 255 * draw(_BRIGHTNESS)[:, None, None]
    changed = ((moved - 127.5) * contrast + 127.5 + brightness).clamp(0, 255)
    return _erased(changed)


def _erased(faces: Tensor) -> Tensor:
    side = faces.shape[1]
    places = torch.arange(side, device=faces.device)
    tops, lefts = (torch.randint(0, side, (len(faces), 1), device=faces.device) for _ in range(2))
    heights, widths = (torch.randint(side // 8, side // 3, (len(faces), 1), device=faces.device) for _ in range(2))
    rows, columns = (places >= tops) & (places < tops + heights), (places >= lefts) & (places < lefts + widths)
    hidden = rows[:, :, None] & columns[:, None, :] & (torch.rand(len(faces), 1, 1, device=faces.device) < _ERASED)
    return torch.where(hidden, 255 * torch.rand_like(faces), faces)
