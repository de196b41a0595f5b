import subprocess
import sys

import pytest

from zoo.data import catalog
from zoo.errors import UserError


@pytest.mark.parametrize("row", catalog.DATASETS.values(), ids=catalog.DATASETS)
def test_rows_are_consistent(row):
    assert len(row.mean) == len(row.std) == row.channels
    assert len(set(row.class_names)) == len(row.class_names)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UserError, match=r"unknown dataset 'fashion'; did you mean 'fashion_mnist'\?"):
        catalog.find("fashion")


def test_reading_the_catalog_imports_nothing_heavy():
    code = "import sys, zoo.data.catalog; print({'tensorflow', 'sklearn', 'tensorflow_datasets'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
