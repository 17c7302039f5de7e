"""Attributes that a playbook declares: what cannot be used is named by line and reason."""

from __future__ import annotations

import pytest

from projections.attributes import Attribute
from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook
from schemas.errors import BatonError

PRODUCT = '[[attribute]]\nname = "product"\nof = "deal"\n'
LINES = len(DEFAULT_PLAYBOOK.read_text().splitlines())


def declared(text: str) -> tuple[Attribute, ...]:
    return parse_playbook(DEFAULT_PLAYBOOK.read_text() + text, "p.toml").attributes


def test_one_name_may_be_of_several() -> None:
    of_a_touch = PRODUCT.replace("deal", "touch") + 'values = ["basic", "plus"]\n'

    assert declared(PRODUCT + of_a_touch) == (
        Attribute("product", "deal", ()),
        Attribute("product", "touch", ("basic", "plus")),
    )


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        pytest.param(PRODUCT.replace("product", "Product"), 1, "in lower_case letters", id="in capitals"),
        pytest.param(PRODUCT.replace("deal", "win"), 1, "one of lead, touch, deal", id="of a win"),
        pytest.param(PRODUCT + PRODUCT, 4, "'product' of a deal is declared twice", id="twice"),
        pytest.param(PRODUCT + "values = [1]\n", 1, "which is not a text", id="a number for a value"),
        pytest.param(PRODUCT + "is_required = true\n", 1, "there is no 'is_required'", id="another key"),
    ],
)
def test_what_cannot_be_declared_says_why(text: str, line: int, why: str) -> None:
    with pytest.raises(BatonError) as raised:
        declared(text)

    assert raised.value.where == f"p.toml:{LINES + line}"
    assert why in raised.value.why
