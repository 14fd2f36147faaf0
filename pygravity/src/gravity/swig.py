"""Who keeps an object alive: SWIG's `thisown` and `__disown__`, which programs may use on callback objects."""

from __future__ import annotations

from typing import Self

_kept: dict[int, object] = {}


class SwigObject:
    """An object that its program owns, unless it says otherwise: then it lives to the end of the program."""

    @property
    def thisown(self) -> bool:
        """Whether the program has to keep this object alive."""
        return id(self) not in _kept

    @thisown.setter
    def thisown(self, thisown: bool) -> None:
        if thisown:
            _kept.pop(id(self), None)
        else:
            _kept[id(self)] = self

    def __disown__(self) -> Self:
        """Keep this object alive to the end of the program; return it, for use as an argument."""
        self.thisown = False
        return self
