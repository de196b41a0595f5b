"""HDF5 files as plain data: only what lies in the file itself is read."""

import typing

import numpy as np

if typing.TYPE_CHECKING:
    import h5py


def member(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset":
    """What a group itself holds under a name.

    A link may lead to any other file of the machine, and a data set may keep its values in one.

    Args:
        group: An open `h5py.Group`.
        name: A name, with slashes for groups within groups.

    Returns:
        An `h5py.Group` or `h5py.Dataset`.

    Raises:
        ValueError: There is no such name, or it leads out of its place, or its values are in other files.
    """
    import h5py

    for part in name.split("/"):
        # Not `part in group` nor `group.get`: they follow the link to see what is there.
        if not group.id.links.exists(part.encode()):
            raise ValueError(f"nothing is named {name!r} in {group.name!r}")
        if group.id.links.get_info(part.encode()).type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{name!r} is a link out of its place")
        group = group[part]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise ValueError(f"the values of {name!r} are not in the file")
    return group


def address(group: "h5py.Group") -> int:
    """Where a group is in its file, by whatever name it was reached."""
    import h5py

    return h5py.h5o.get_info(group.id).addr


def values(dataset: "h5py.Dataset") -> np.ndarray:
    """The numbers of a data set, as an array.

    HDF5 has no bfloat16: Keras writes its bits, and beside them the name.

    Args:
        dataset: An open `h5py.Dataset`.
    """
    # NumPy has no bfloat16 either; Keras needs this package.
    import ml_dtypes

    array = dataset[()]
    return array.view(ml_dtypes.bfloat16) if dataset.attrs.get("dtype") == "bfloat16" else array
