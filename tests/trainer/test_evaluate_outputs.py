"""What is written: read back and compared with what was scored."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from dunhuang_trainer.evaluate.comparison import compare, over_runs
from dunhuang_trainer.evaluate.outputs import (
    SAMPLE_COLUMNS,
    definition,
    document,
    scores_csv,
    write_scores,
)
from dunhuang_trainer.evaluate.tables import evaluation_of
from sample_scores import INF, NAN, random_scores, sample


def test_the_csv_has_a_row_per_method_and_key_with_all_digits() -> None:
    scores = random_scores(("network", "Telea"), samples=9)
    scores = [one for one in scores if (one.method, one.key) != ("Telea", "key 03")]
    rows = list(csv.DictReader(io.StringIO(scores_csv(scores))))
    assert len(rows) == 17
    assert list(rows[0])[:6] == list(SAMPLE_COLUMNS)
    found = {(row["method"], row["key"]): row for row in rows}
    for one in scores:
        row = found[one.method, one.key]
        assert row["picture"] == one.picture
        assert float(row["hole_ratio"]) == one.hole_ratio
        assert float(row["depth_px"]) == one.depth_px
        assert row["touches_border"] == str(int(one.touches_border))
        for name, value in one.values.items():
            read = float(row[name]) if row[name] else NAN
            assert np.array_equal(read, value, equal_nan=True)


def test_the_csv_tells_what_is_missing_from_what_is_infinite() -> None:
    one = sample("a, b", 'k"ey\n', 0.1 + 0.2, picture="p\udcff", depth_px=INF, psnr_hole=INF)
    other = sample("c", "z", NAN, touches_border=True)
    lines = scores_csv([other, one]).splitlines()
    assert lines == [
        "method,key,picture,hole_ratio,depth_px,touches_border,mse_hole,psnr_hole",
        '"a, b","k""ey␊",p\ufffd,0.25,inf,0,0.30000000000000004,inf',
        "c,z,z,0.25,2.5,1,,",
    ]


def test_methods_stand_in_the_order_asked_for(tmp_path: Path) -> None:
    scores = [sample(name, "x", 1.0) for name in ("Telea", "a", "b")]
    write_scores(scores, tmp_path / "scores.csv", methods=("b",))
    lines = (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["b", "a", "Telea"]


def test_the_document_is_json_and_holds_what_was_found() -> None:
    scores = random_scores(("network", "second", "Telea"))
    evaluation = evaluation_of(scores, seed=3, draws=40)
    comparison = compare(scores, "network", "second", seed=3, draws=40)
    runs = over_runs(scores, {"both": ["network", "second"]})
    found = document(evaluation, [comparison], runs)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["samples"], found["pictures"]) == (30, 7)
    assert found["bootstrap"]["draws"] == 40
    assert found["bootstrap"]["seed"] == 3
    one = evaluation.means["network"]["psnr_hole"]
    assert found["methods"]["network"]["scores"]["psnr_hole"] == {
        "mean": one.mean,
        "low": one.low,
        "high": one.high,
        "samples": one.samples,
        "pictures": one.pictures,
        "left_out_as_infinite": one.infinite,
    }
    assert set(found["definitions"]) == set(evaluation.means["network"])
    cell = next(one for one in found["cells"] if one["bucket"] == "0.1 … 0.2")
    assert (cell["measure"], cell["border"]) == ("hole ratio", "all")
    assert (cell["above"], cell["up_to"]) == (0.1, 0.2)
    assert set(cell["methods"]) == {"network", "second", "Telea"}
    assert len(found["cells"]) == 36
    empty = next(one for one in found["cells"] if one["samples"] == 0)
    assert empty["methods"]["Telea"]["mse_hole"]["mean"] is None
    flagged = [one for one in found["against_reference"] if one["behind"]]
    assert len(flagged) == len(evaluation.behind) > 0
    assert flagged[0]["mse_hole"] - flagged[0]["reference_mse_hole"] == pytest.approx(
        flagged[0]["difference"]["mean"]
    )
    pair = found["comparisons"][0]["scores"]["mse_hole"]
    assert pair["a_minus_b"]["mean"] == pytest.approx(pair["a"] - pair["b"])
    assert pair["share_of_draws_a_better"] == comparison.scores["mse_hole"].a_better
    assert len(found["comparisons"][0]["cells"]) == 36
    assert found["runs"][0]["scores"]["mse_hole"]["of_each_run"] == list(
        runs[0].scores["mse_hole"].runs
    )
    assert found["better"]["mse_hole"] == "lower"
    assert found["better"]["psnr_of_mean_mse_hole"] == "higher"


def test_what_is_infinite_is_null() -> None:
    scores = [sample("a", key, 0.0, psnr_hole=INF, depth_px=INF) for key in ("x", "y")]
    found = document(evaluation_of(scores))
    json.dumps(found, allow_nan=False)
    assert found["methods"]["a"]["scores"]["psnr_hole"]["mean"] is None
    assert found["methods"]["a"]["scores"]["psnr_hole"]["left_out_as_infinite"] == 2
    assert found["methods"]["a"]["scores"]["psnr_of_mean_mse_hole"]["low"] is None


def test_missing_keys_and_names_that_cannot_be_written() -> None:
    scores = [sample("a\udcff", "x", 1.0), sample("a\udcff", "y", 1.0), sample("b", "x\udcff", 1.0)]
    found = document(evaluation_of(scores))
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    assert found["methods"]["b"]["missing_keys"] == ["x", "y"]
    assert found["methods"]["b"]["samples"] == 1
    assert found["methods"]["a\ufffd"]["missing_keys"] == ["x\ufffd"]


def test_every_score_has_a_definition() -> None:
    assert definition("mse_hole") == "mean squared error on 0 to 255; over hole pixels"
    assert definition("ssim_gauss11_rim").endswith("at most 3 px from a known pixel")
    assert definition("psnr_of_mean_mse_whole").startswith("10 log10(255^2 / the mean of mse")
    assert definition("mse_course_wrapped").endswith("no MSE")
    assert definition("dssim") == "1 - ssim_uniform7_whole"
    assert definition("own_score") == "own_score"


def test_the_courses_figure_comes_with_its_sentence() -> None:
    scores = [sample("a", "x", 1.0, mse_course_wrapped=2.0)]
    found = document(evaluation_of(scores), course_sentence="It wraps.")
    assert found["definitions"]["mse_course_wrapped"] == "It wraps."
    assert found["methods"]["a"]["scores"]["mse_course_wrapped"]["mean"] == 2.0
    without = document(evaluation_of([sample("a", "x", 1.0)]), course_sentence="It wraps.")
    assert "mse_course_wrapped" not in without["definitions"]
