import pytest

from helpers.claims import CONFIG
from pj.config import loading


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return loading.load(tmp_path / "config.yaml")
