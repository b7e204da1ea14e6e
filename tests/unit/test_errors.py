"""The error tree and how an error reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from release_manager import errors
from release_manager.errors import InvalidInputError, ReleaseManagerError, TenantNotFoundError


def _walk(error: type[ReleaseManagerError]) -> Iterator[type[ReleaseManagerError]]:
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _walk(child)


def test_an_error_tells_the_tenant_the_problem_and_the_remedy() -> None:
    error = TenantNotFoundError("there is no such tenant", remedy="List them", tenant="acme")
    assert str(error) == "tenant acme: there is no such tenant. List them."


def test_an_error_about_no_tenant_starts_with_the_problem() -> None:
    assert str(InvalidInputError("is it wrong?", remedy="Look!")) == "is it wrong? Look!"


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn = re.findall(r"(\w+Error)", str(errors.__doc__))
    assert drawn == [
        ReleaseManagerError.__name__,
        *(child.__name__ for child in _walk(ReleaseManagerError)),
    ]


@pytest.mark.parametrize(
    "error", list(_walk(ReleaseManagerError)), ids=lambda error: error.__name__
)
def test_the_exit_code_is_the_one_drawn_for_its_branch(error: type[ReleaseManagerError]) -> None:
    drawn = dict(re.findall(r"(\w+Error) +exit code (\d+)", str(errors.__doc__)))
    branch = next(parent.__name__ for parent in error.__mro__ if parent.__name__ in drawn)
    assert error.exit_code == int(drawn[branch])
