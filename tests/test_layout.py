"""The house: three rooms in a row, each importing to its left alone, and no circle of files in any of them."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# A room's name when it is imported, and its folder.
ROOMS = {"lambda_keras": "lambda_keras", "lambda_keras.zoo": "zoo", "lambda_keras.export": "export"}


def modules_of(room):
    """Path of each module by its name."""
    found = {}
    for path in sorted((ROOT / ROOMS[room]).rglob("*.py")):
        parts = path.relative_to(ROOT / ROOMS[room]).with_suffix("").parts
        found[".".join((room, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = {name: path for room in ROOMS for name, path in modules_of(room).items()}


def imports_of(module):
    """Names of the modules of this project that a file imports, inside functions too, but not for types alone."""
    nodes = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    imported = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "typing.TYPE_CHECKING":
            nodes += node.orelse
            continue
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            # Of a package a name is one of its files, or what its own file has.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= names & MODULES.keys()
            imported |= set() if names <= MODULES.keys() else {node.module}
        elif isinstance(node, ast.Call):
            # Of `importlib.import_module`, or of a function that hands a module's name to it.
            imported |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)} - ROOMS.keys()
        nodes += ast.iter_child_nodes(node)
    return imported & MODULES.keys() - {module}


IMPORTS = {module: imports_of(module) for module in MODULES}


def room_of(module):
    """The innermost room of a module."""
    return max((room for room in ROOMS if module == room or module.startswith(f"{room}.")), key=len)


def importers(package, imported):
    """Modules of a package that import something of another, as `module: imported`."""
    return sorted(
        f"{module}: {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if f"{module}.".startswith(f"{package}.") and f"{target}.".startswith(f"{imported}.")
    )


@pytest.mark.parametrize("room", ROOMS)
def test_no_files_of_a_room_import_each_other_in_a_circle(room):
    graph = {
        module: {target for target in targets if room_of(target) == room}
        for module, targets in IMPORTS.items()
        if room_of(module) == room
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_to_its_right(room):
    order = list(ROOMS)
    to_the_right = [
        f"{module}: {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if room_of(module) == room and order.index(room_of(target)) > order.index(room)
    ]
    assert to_the_right == []


def test_weights_know_no_architecture():
    assert importers("lambda_keras.weights", "lambda_keras.applications") == []


def test_what_export_imports_of_the_zoo():
    """Its models, its data and its detectors, and how a command fails and prints."""
    allowed = {"models", "data", "detection", "errors", "command_line"}
    imported = {line.split("lambda_keras.zoo.")[1] for line in importers("lambda_keras.export", "lambda_keras.zoo")}
    assert {name.partition(".")[0] for name in imported} <= allowed


def test_the_imports_are_found():
    """Otherwise all of the above would hold of nothing."""
    assert "lambda_keras.applications.building" in IMPORTS["lambda_keras.applications.registry"]
    assert "lambda_keras.applications.resnet_trunk" in IMPORTS["lambda_keras.applications.lambda_resnet"]
    assert "lambda_keras.weights.loader" not in IMPORTS["lambda_keras.weights"]
    assert importers("lambda_keras.applications", "lambda_keras.weights")
    assert importers("lambda_keras.export", "lambda_keras.zoo.models")
