import re

from node.settings import DEFAULTS

from tests.support import PROJECT


def test_gravity_ini_as_shipped_says_what_counts_without_it():
    text = (PROJECT / "Gravity.ini").read_text()
    shipped = dict(re.findall(r'(?m)^(\w+) *= *"?([^"\n]*)"?$', text))
    assert {key: shipped[key] for key in DEFAULTS} == DEFAULTS
