"""A training that was interrupted goes on where it was, and comes to the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a training, in the file ``path`` while it is not over."""

    path: Path
    model: Any
    optimizer: Any
    schedule: Any
    #: It is written every so many steps: a multiple of the steps whose clips are sorted together,
    #: so that what goes on goes on between two sortings.
    every_steps: int = 100

    def resume(self) -> int:
        """Bring everything to where an earlier run was; the steps it had done, 0 without one."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        return int(state["step"])

    def save(self, step: int) -> None:
        """Write the state down, if it is time."""
        if step % self.every_steps:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "step": step,
        }
        torch.save(state, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def over(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
