"""Tables of results that were measured on several devices, and what stands beside those of docs/performance.md."""

import re

import pytest

from benchmarks import performance_tables, tables

MAKEFILE = (tables.ROOT / "Makefile").read_text(encoding="utf-8")
PERFORMANCE = (tables.ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
# The CSV files of the tables of docs/performance.md.
MEASURED = sorted({tables.TABLES[name].file for name in re.findall(r"<!-- table: (.*) -->", PERFORMANCE)})


def test_each_device_has_a_table_of_its_own(tmp_path, monkeypatch):
    file = tmp_path / "startup.csv"
    file.write_text(
        "what,seconds,versions,device,date,form\n"
        "import keras,6.98,keras 3,one CPU,2026-01-01,\n"
        "import keras,3.00,keras 3,another CPU,2026-01-02,short\n"
        "lambda-zoo --help,0.12,keras 3,one CPU,2026-01-01,\n"
    )
    monkeypatch.setitem(tables.TABLES, "startup", tables.TABLES["startup"]._replace(file=file))
    assert tables.render("<!-- table: startup -->\nold\n<!-- end -->\n") == (
        "<!-- table: startup -->\n"
        "| what | seconds |\n|---|--:|\n| import keras | 6.98 |\n| lambda-zoo --help | 0.12 |\n\n"
        "Measured on: one CPU; keras 3; 2026-01-01.\n\n"
        "| what | seconds |\n|---|--:|\n| import keras | 3.00 |\n\n"
        "Measured on: another CPU; keras 3; 2026-01-02; short form.\n"
        "<!-- end -->\n"
    )


def test_pairs_compare_a_fused_lambda_resnet_with_the_efficientnet_as_it_is():
    def row(mode, policy, seconds, other_seconds):
        figures = {"seconds": seconds, "other_seconds": other_seconds, "ratio": "", "ratio_of_fastest_other": ""}
        return {"model": "ours", "image_size": 1, "other": "theirs", "other_image_size": 2, "mode": mode} | {
            "policy": policy,
            **figures,
        }

    rows = [
        row("training", "float32", "9", "9"),
        row("inference", "float32", "0.4", "0.6"),
        row("inference", "mixed_bfloat16", "0.3", "0.8"),
        row("inference, both fused", "float32", "0.2", "0.5"),
        row("inference, both fused", "mixed_bfloat16", "0.1", "0.7"),
    ]
    networks = "| `ours` at 1 | theirs at 2 | inference, LambdaResNet fused"
    # 0.6 and 0.8 seconds as they are, over 0.2 and 0.1 of ours.
    assert performance_tables.pairs_table(rows).splitlines()[5:7] == [
        f"{networks} | float32 | **3.00** | 3.00 |",
        f"{networks} | mixed_bfloat16 | **8.00** | 6.00 |",
    ]


@pytest.mark.parametrize("file", MEASURED, ids=lambda file: file.stem)
def test_a_table_of_performance_has_a_plot_and_is_measured_by_make(file):
    assert file.with_suffix(".png").is_file()
    for target in ("bench", "bench-full"):
        recipe = MAKEFILE.split(f"\n{target}: ")[1].split("\n\n")[0]
        assert f"$(BIN)/python -m benchmarks.{file.stem}" in recipe, target
