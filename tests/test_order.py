from tests.conftest import HEAVY, TESTS


def test_the_heavy_files_are_there():
    assert [name for name in HEAVY if not (TESTS / name).is_file()] == []
