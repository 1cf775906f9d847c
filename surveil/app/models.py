"""The models thread: fits and loads the models of the features that cameras use."""

from __future__ import annotations

from surveil.clock import Clock, Stop
from surveil.features.base import ModelPlace, Shared
from surveil.features.registry import FEATURES
from surveil.versions import PERIOD_S, Keeper


class ModelKeepers:
    """One keeper for each feature with models, made when the first camera uses it.

    `use` is the main thread's; the rest belongs to the models thread.
    """

    def __init__(self, shared: Shared, models: ModelPlace) -> None:
        self._shared = shared
        self._models = models
        self._used: tuple[str, ...] = ()
        self._keepers: dict[str, Keeper] = {}

    def use(self, feature: str) -> None:
        """Look after the models of a feature from now on."""
        if feature not in self._used:
            self._used = (*self._used, feature)

    def run_once(self) -> None:
        """Let every keeper do what is due."""
        for name in self._used:
            make = FEATURES[name].keeper
            if name not in self._keepers and make is not None:
                self._keepers[name] = make(self._shared, self._models)
            if name in self._keepers:
                self._keepers[name].run_once()

    def run(self, stop: Stop, clock: Clock) -> None:
        """Look every few seconds until `stop`."""
        while not clock.sleep(PERIOD_S, stop):
            self.run_once()
