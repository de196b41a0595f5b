"""README and docs: their Python runs and prints what they say, tables are those of CSV files, links lead somewhere."""

import doctest
import io
import pathlib
import re
import shutil
import sys

import pytest

import lambda_keras as lk
from benchmarks import tables
from lambda_keras.export import cli
from lambda_keras.export.tflite.quantization import KINDS

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Comments after a print that are no output.
PROSE = {
    "those with published weights",
    "of one image, lambda layers in the paper's order",
    "(4, 8, 8, 1), both: heads, height, width, intra-depth",
    "bfloat16",  # TensorFlow prints <dtype: 'bfloat16'>.
}
# Blocks of a Python session that need a network, and for what.
NEED_A_NETWORK = {
    "README.md-1": "the published weights of lambda_resnet50ts",
    "weights.md-1": "the published weights of lambda_resnet50ts",
    "weights.md-2": "the published weights of lambda_resnet26rpt_256",
    "weights.md-3": "the published weights of ResNet-RS-50",
    "zoo.md-1": "the published weights of lambda_resnet50ts",
}


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_tables_are_made_from_the_csv_files(page):
    text = page.read_text(encoding="utf-8")
    assert tables.render(text) == text, "run `make tables`"


def test_each_table_is_on_a_page():
    pages = "".join(page.read_text(encoding="utf-8") for page in tables.PAGES)
    for name in tables.TABLES:
        assert f"<!-- table: {name} -->\n{tables.made(name)}<!-- end -->" in pages, name


def test_each_kind_of_tflite_file_has_a_row_of_what_delegates_take():
    assert {row["kind"] for row in tables.read(tables.RESULTS / "delegates.csv")} == {*KINDS}


def test_each_chosen_model_has_a_row():
    assert all(f"| `{name}` |" in tables.made("chosen models") for name in tables.CHOSEN)


def test_every_model_is_in_the_table_with_the_papers_figure_only_where_there_is_one():
    table = tables.made("models")
    for name in lk.list_models():
        assert f"| `{name}` |" in table
    row = next(line for line in table.splitlines() if "`lambda_resnet152`" in line)
    assert "| 224 | 51.40 |" in row
    assert "| 83.2 |" in row
    assert "| – |" in next(line for line in table.splitlines() if "`lambda_resnet200`" in line)


def blocks(language):
    """By name, such as `zoo.md-2`, the blocks of all pages in this language."""
    return {
        f"{page.name}-{number}": block
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL), 1
        )
    }


PYTHON = blocks("python")
SESSIONS = blocks("pycon")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """What the blocks of docs/serving.md and docs/phones.md read: the digits model in the package, exported."""
    folder = tmp_path_factory.mktemp("artifacts")
    for kind, out in (("saved-model", "served"), ("tflite", "model.tflite")):
        assert cli.main([kind, "--model", "lambda_resnet_tiny.digits", "--out", str(folder / out)]) == 0
    return folder


def test_no_block_has_a_language_that_the_tests_do_not_know():
    known = {"", "sh", "text", "python", "pycon", "yaml", "kotlin", "swift"}
    for page in PAGES:
        assert set(re.findall(r"^```(\S*)\n.*?^```$", page.read_text(encoding="utf-8"), re.M | re.S)) <= known, page


@pytest.mark.parametrize("name", PYTHON)
def test_python_blocks_run_and_print_what_their_comments_say(name, tmp_path, monkeypatch, request):
    if name.startswith(("serving.md", "phones.md")):
        shutil.copytree(request.getfixturevalue("artifacts"), tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    printed = run(PYTHON[name])
    for number, line in enumerate(PYTHON[name].splitlines(), 1):
        comment = re.fullmatch(r"\s*print\(.*\)  # (.*)", line)
        if comment and comment[1] not in PROSE:
            assert says(comment[1], printed[number]), f"{comment[1]!r} is not what was printed: {printed[number]!r}"


def run(block):
    """Runs a block, and returns by the number of the line what was printed last there."""
    printed = {}

    def record(*values, **options):
        text = io.StringIO()
        print(*values, **options, file=text)
        printed[sys._getframe(1).f_lineno] = text.getvalue().strip()

    exec(compile(block, "README", "exec"), {"__name__": "__main__", "print": record})
    return printed


def says(comment, printed):
    """Whether a comment is this output, with words before or after a colon; `…` stands for any text."""
    output = ".*".join(map(re.escape, comment.split("…")))
    if re.fullmatch(output, printed, re.DOTALL):
        return True
    return comment.startswith(f"{printed}: ") or comment.endswith(f": {printed}")


def test_python_blocks_import_only_the_library():
    for name, block in {**PYTHON, **SESSIONS}.items():
        assert not re.search(r"lambda_keras(\.| import )(zoo|export)", block), f"{name}: type a command instead"


def test_what_comments_say():
    assert says("(2, 10)", "(2, 10)")
    assert says("0.4: 0.1 for each 256 images", "0.4")
    assert says("on a CPU: Plan(x=1)", "Plan(x=1)")
    assert says("… no classifier …", "It has no classifier at all.")
    assert not says("True", "False")
    assert not says("(2, 10)", "(2, 1000)")
    assert not says("23: the scope", "2")


def test_only_blocks_that_exist_need_a_network():
    assert set(NEED_A_NETWORK) <= set(SESSIONS)


@pytest.mark.parametrize("name", NEED_A_NETWORK)
def test_sessions_that_need_a_network_come_as_far_as_that(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    code = "\n".join(example.source for example in doctest.DocTestParser().get_examples(SESSIONS[name]))
    with pytest.raises(lk.weights.WeightsError, match="There is no verified"):
        exec(compile(code, name, "exec"), {"lk": lk})


@pytest.mark.backends
@pytest.mark.parametrize("name", sorted(set(SESSIONS) - set(NEED_A_NETWORK)))
def test_other_sessions_print_what_they_say(name, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(2)}, "model.pth")
    session = doctest.DocTestParser().get_doctest(SESSIONS[name], {"lk": lk}, name, None, 0)
    output = io.StringIO()
    assert doctest.DocTestRunner().run(session, out=output.write).failed == 0, output.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
