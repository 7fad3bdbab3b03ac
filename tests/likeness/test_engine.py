"""The engines: one model on both, nothing imported before a sweep, and a plain word where something is missing."""

import importlib.util
import subprocess
import sys

import pytest

from clearing.likeness.engine import SPARK_MASTER, DuckEngine, EngineMissingError, SparkEngine, engine_from
from clearing.likeness.lines import explained
from clearing.likeness.model import FIELDS, PARTS, even_model, read_model, shipped_model
from clearing.likeness.sweep import thresholds_of
from clearing.likeness.training import Known, counted
from tenants.kernel.errors import Invalid
from tenants.profile import load_tenants, read_profile
from tests.benchmarks.bench_near_duplicates import figures, model_of
from tests.benchmarks.likeness_corpus import VARIANTS, Corpus, corpus
from tests.style.checks import ROOT

PAIRS = 600
THRESHOLD = 990_000


@pytest.fixture(scope="module")
def given() -> Corpus:
    return corpus(77, PAIRS)


def test_the_shipped_model_finds_nearly_all_variants_and_hardly_anything_else(given: Corpus) -> None:
    found = DuckEngine().pairs([facts.line() for facts in given.lines], shipped_model(), THRESHOLD)
    precision, recall, _ = figures(found, given, THRESHOLD)
    assert recall >= 0.98, recall
    assert precision >= 0.98, precision
    assert len({pair.kind for pair in given.pairs if pair.same}) == len(VARIANTS)


@pytest.mark.long
def test_a_model_counted_over_these_pairs_alone_tells_them_apart_too(given: Corpus) -> None:
    lines = [facts.line() for facts in given.lines]
    found = DuckEngine().pairs(lines, model_of(given), THRESHOLD)
    precision, recall, _ = figures(found, given, THRESHOLD)
    assert min(precision, recall) >= 0.97


def test_own_pairs_move_the_shipped_model_and_do_not_replace_it(given: Corpus) -> None:
    met = DuckEngine().pairs([facts.line() for facts in given.lines], even_model(), 0)
    same = frozenset(frozenset((pair.left, pair.right)) for pair in given.pairs if pair.same)
    few = counted(met[:20], Known(same), shipped_model())
    for name, levels in shipped_model().levels.items():
        for (m, u), (before_m, before_u) in zip(few.levels[name], levels, strict=True):
            assert abs(m - before_m) < PARTS * 0.05
            assert abs(u - before_u) < PARTS * 0.05
    assert few.digest != shipped_model().digest


def test_pairs_of_one_invoice_teach_nothing_about_slips_in_its_number(given: Corpus) -> None:
    met = DuckEngine().pairs([facts.line() for facts in given.lines], even_model(), 0)
    same = frozenset(frozenset((pair.left, pair.right)) for pair in given.pairs if pair.same)
    taught = counted(met, Known(frozenset(), same), shipped_model())
    for (m, _), (before, _) in zip(taught.levels["invoice"], shipped_model().levels["invoice"], strict=True):
        assert abs(m - before) <= 1  # rounded down


def test_the_models_text_is_the_model() -> None:
    assert read_model(shipped_model().text()) == shipped_model()
    for field in FIELDS:
        levels = shipped_model().levels[field.name]
        assert len(levels) == len(field.levels) + 1
        assert all(0 < part < PARTS for pair in levels for part in pair)


def test_lines_that_are_nobodys_give_no_pairs() -> None:
    assert DuckEngine().pairs([], shipped_model(), 1) == []


def test_absent_fields_are_not_explained() -> None:
    assert explained((-1,) * len(FIELDS)) == "[]"
    assert '"field":"invoice"' in explained((1, 0, 0, 0, 0, 0, -1))


def test_an_environment_that_names_a_cluster_is_obeyed() -> None:
    assert isinstance(engine_from({}), DuckEngine)
    assert isinstance(engine_from({SPARK_MASTER: "local[2]"}), SparkEngine)


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is not None, reason="pyspark is installed")
def test_a_missing_library_is_named_in_both_languages() -> None:
    with pytest.raises(EngineMissingError) as missing:
        SparkEngine("local[1]").pairs([], shipped_model(), 1)
    assert "clearing[linkage]" in missing.value.text.zh
    assert "pip install" in missing.value.text.en


@pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed: pip install 'clearing[spark]'"
)
@pytest.mark.long
def test_spark_scores_every_pair_as_duckdb_does() -> None:
    lines = [facts.line() for facts in corpus(5, 200).lines]
    ours, theirs = (engine.pairs(lines, shipped_model(), 1000) for engine in (DuckEngine(), SparkEngine("local[2]")))
    assert ours
    assert sorted(ours, key=str) == sorted(theirs, key=str)


@pytest.mark.parametrize("module", ["clearing.schedule", "clearing.app", "clearing.likeness.sweep", "clearing.cli"])
def test_nothing_waits_for_the_libraries_before_a_sweep(module: str) -> None:
    looked = f"import sys, {module}; print(sorted({{'splink', 'duckdb', 'pyarrow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", looked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


TENANT = (ROOT / "tenants/regions/jiangsu/tenant.toml").read_text()


def test_every_tenant_has_its_threshold() -> None:
    assert thresholds_of() == {one.tenant: one.near_duplicate_percent * PARTS // 100 for one in load_tenants()}
    assert read_profile(f"near_duplicate_percent = 80\n{TENANT}").near_duplicate_percent == 80


@pytest.mark.parametrize("percent", ["49", "100", "-1", '"99"', "99.5"])
def test_a_threshold_that_is_none_is_refused(percent: str) -> None:
    with pytest.raises(Invalid):
        read_profile(f"near_duplicate_percent = {percent}\n{TENANT}")
