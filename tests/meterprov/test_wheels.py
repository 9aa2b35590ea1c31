"""Wheels for the node: judged by the node's Python and machine, never by the operator's."""

from pathlib import Path

import pytest
from tests.meterprov.cards import make_wheel

from meterprov.system import SYSTEMS
from meterprov.wheels import Wheel, WheelsError, from_folder, own_wheel

TRIXIE, BOOKWORM = SYSTEMS["trixie"], SYSTEMS["bookworm"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a node needs, with requirements that only some machines have."""
    there = tmp_path / "wheels"
    there.mkdir()
    make_wheel(there, "pip-26.0-py3-none-any.whl")
    make_wheel(there, "solders-0.29.0-cp310-abi3-manylinux_2_28_aarch64.whl", requires=("typing-extensions>=4.2",))
    make_wheel(there, "typing_extensions-4.16.0-py3-none-any.whl")
    make_wheel(there, "cffi-2.1.1-cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.whl")
    make_wheel(there, "unasked-1.0-py3-none-any.whl")
    return there


def _own(tmp_path: Path, *requires: str, extras: tuple[str, ...] = ()) -> Wheel:
    path = make_wheel(tmp_path, "meterbridge-0.1.0-py3-none-any.whl", requires=requires, extras=extras)
    return own_wheel(path, tmp_path, print)


def test_what_is_needed_is_taken_and_nothing_else(tmp_path: Path, folder: Path) -> None:
    own = _own(tmp_path, "solders==0.29.0", "cffi>=2")
    names = [wheel.name for wheel in from_folder(own, folder, TRIXIE)]
    assert names == ["cffi", "meterbridge", "pip", "solders", "typing-extensions"]


def test_a_wheel_for_another_python_is_refused(tmp_path: Path, folder: Path) -> None:
    own = _own(tmp_path, "solders==0.29.0", "cffi>=2")
    with pytest.raises(WheelsError, match=r"cffi-2\.1\.1.* does not run on bookworm \(cp311, aarch64\)"):
        from_folder(own, folder, BOOKWORM)


@pytest.mark.parametrize(
    "tag", ["py3-none-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_99_aarch64", "py2-none-any"]
)
def test_a_wheel_for_another_machine_or_a_newer_system_is_refused(tmp_path: Path, folder: Path, tag: str) -> None:
    make_wheel(folder, f"other-1.0-{tag}.whl")
    with pytest.raises(WheelsError, match=r"other-1\.0-.* does not run on trixie"):
        from_folder(_own(tmp_path, "other"), folder, TRIXIE)


def test_markers_are_judged_by_the_nodes_environment(tmp_path: Path, folder: Path) -> None:
    own = _own(
        tmp_path,
        'only-for-pi; platform_machine == "aarch64"',
        'only-for-old; python_version < "3.12"',
        'only-for-desks; platform_machine == "x86_64"',
        'only-for-mac; sys_platform == "darwin"',
    )
    with pytest.raises(WheelsError, match=r"wheels are missing for trixie: only-for-pi$"):
        from_folder(own, folder, TRIXIE)
    (folder / "cffi-2.1.1-cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.whl").unlink()
    with pytest.raises(WheelsError, match=r"wheels are missing for bookworm: only-for-(pi|old), only-for-(pi|old)$"):
        from_folder(own, folder, BOOKWORM)


def test_extras_of_a_requirement_count_too(tmp_path: Path, folder: Path) -> None:
    make_wheel(folder, "httpx-1.0-py3-none-any.whl", requires=('h2>=4; extra == "http2"',), extras=("http2",))
    assert from_folder(_own(tmp_path, "httpx"), folder, TRIXIE)
    with pytest.raises(WheelsError, match=r"wheels are missing for trixie: h2>=4"):
        from_folder(_own(tmp_path, "httpx[http2]"), folder, TRIXIE)


def test_a_version_that_is_too_old_counts_as_missing(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(WheelsError, match=r"wheels are missing for trixie: solders>=0\.30"):
        from_folder(_own(tmp_path, "solders>=0.30"), folder, TRIXIE)


def test_two_versions_of_one_project_are_refused(tmp_path: Path, folder: Path) -> None:
    make_wheel(folder, "typing_extensions-4.15.0-py3-none-any.whl")
    with pytest.raises(WheelsError, match=r"two versions of typing-extensions: typing_extensions-4\.1"):
        from_folder(_own(tmp_path, "solders"), folder, TRIXIE)


def test_what_is_no_wheel_is_told(tmp_path: Path, folder: Path) -> None:
    (folder / "solders-0.29.0-cp310-abi3-manylinux_2_28_aarch64.whl").write_bytes(b"cut")
    with pytest.raises(WheelsError, match=r"it is no whole wheel"):
        from_folder(_own(tmp_path, "solders"), folder, TRIXIE)
    (folder / "solders.whl").write_bytes(b"")
    with pytest.raises(WheelsError, match=r"the name is not a wheel's"):
        from_folder(_own(tmp_path, "solders"), folder, TRIXIE)
    with pytest.raises(WheelsError, match=r"there is no such wheel; name one with --wheel"):
        own_wheel(tmp_path / "none.whl", tmp_path, print)
