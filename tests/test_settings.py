import ast
import inspect
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines import settings as settings_module
from pipelines.errors import IngestError, WrongUsageError
from pipelines.ingest.tasks import take_in
from pipelines.settings import Settings, load_settings


def test_every_setting_has_a_sentence_beneath_it():
    tree = ast.parse(inspect.getsource(settings_module))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    documented = {
        field.target.id
        for field, after in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and str(after.value.value).endswith(".")
    }
    assert documented == set(Settings.model_fields)


def test_settings_are_read_when_asked_for_and_not_at_import(monkeypatch, tmp_path):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    assert load_settings().lake_root == str(tmp_path / "lake")
    monkeypatch.setenv("AISLE_LAKE_URI", "s3://shop/lake")
    assert load_settings().lake_root == "s3://shop/lake"


def test_an_unknown_promotion_policy_is_refused(monkeypatch):
    monkeypatch.setenv("AISLE_PROMOTION_POLICY", "always")
    with pytest.raises(ValidationError, match="promotion_policy"):
        load_settings()


def test_secrets_do_not_show_when_settings_are_printed():
    assert "hush" not in repr(Settings(home=Path("var"), s3_secret_access_key="hush"))


def test_a_secret_may_stand_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "source").write_text("mysql://shop:s3cret@db/shop\n")
    monkeypatch.setenv("AISLE_SHOP_SOURCE_FILE", str(tmp_path / "source"))
    settings = load_settings()
    assert settings.shop_source is not None
    assert settings.shop_source.get_secret_value() == "mysql://shop:s3cret@db/shop"
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("AISLE_SHOP_SOURCE_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(WrongUsageError, match="AISLE_SHOP_SOURCE_FILE: expected a file"):
        load_settings()


def test_a_password_in_a_dags_configuration_is_refused_and_not_repeated(monkeypatch, tmp_path):
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    with pytest.raises(
        IngestError, match=r"^mysql://shop:\*\*\*@db/shop: expected a source without"
    ) as refused:
        take_in("mysql://shop:s3cret@db/shop")
    assert "s3cret" not in str(refused.value)
