"""SWIG's `thisown` and `__disown__`, which programs may use to keep API objects alive."""

from __future__ import annotations

from typing import Self

_kept: dict[int, object] = {}


class SwigObject:
    """An object that its program owns; once disowned, it lives until the program ends."""

    @property
    def thisown(self) -> bool:
        """Whether the program must keep this object alive."""
        return id(self) not in _kept

    @thisown.setter
    def thisown(self, thisown: bool) -> None:
        if thisown:
            _kept.pop(id(self), None)
        else:
            _kept[id(self)] = self

    def __disown__(self) -> Self:
        """Keep this object alive until the program ends; return it, so that it can be passed on."""
        self.thisown = False
        return self
