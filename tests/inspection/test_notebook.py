"""An Inspection in a notebook: the page, or a table where plotly is not installed."""

from __future__ import annotations

import html
import pickle
import re
import sys

import pytest

import quickpickle

HOSTILE = "</iframe><script>\"'alert(1)\x1b"


@pytest.fixture
def inspection():
    return quickpickle.inspect(pickle.dumps({HOSTILE: [1] * 100, "orders": ["x" * 1000]}))


def test_the_page_in_a_frame(inspection):
    pytest.importorskip("plotly")
    from quickpickle.inspection.page import make_page

    shown = inspection._repr_html_()
    (page,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(page) == make_page(inspection, "the pickle")
    assert re.sub(r'"[^"]*"', "", shown).count("<") == 2  # of the frame alone
    assert 'sandbox="allow-scripts"' in shown


def test_a_table_without_plotly(inspection, monkeypatch):
    monkeypatch.delitem(sys.modules, "quickpickle.inspection.page", raising=False)
    for name in ("plotly", "plotly.offline"):
        monkeypatch.setitem(sys.modules, name, None)
    shown = inspection._repr_html_()
    assert "<code>obj[&#x27;orders&#x27;]</code>" in shown
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "quickpickle[html]" in shown


def test_nothing_in_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "quickpickle.inspection.page", raising=False)
    for name in ("plotly", "plotly.offline"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "<tbody></tbody>" in quickpickle.inspect(b"")._repr_html_()
