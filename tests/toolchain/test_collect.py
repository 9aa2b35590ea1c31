"""The bundle of bitcode that rustc's "linker" leaves."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from toolchain.collect import ARCHIVE, BITCODE, archive_members, bitcode_of, bundle, main, unbundle


def archive(*bodies: bytes) -> bytes:
    data = ARCHIVE
    for body in bodies:
        data += b"name/".ljust(48) + str(len(body)).encode().ljust(10) + b"`\n" + body + b"\n" * (len(body) & 1)
    return data


@given(st.lists(st.binary(max_size=40)))
def test_an_archive_gives_back_its_members(bodies: list[bytes]) -> None:
    assert archive_members(archive(*bodies)) == bodies


@given(st.lists(st.binary(min_size=1, max_size=40)))
def test_a_bundle_gives_back_its_modules(modules: list[bytes]) -> None:
    assert unbundle(bundle(modules)) == modules


def test_only_bitcode_is_collected_from_an_archive() -> None:
    assert bitcode_of(archive(b"lib.rmeta", BITCODE + b"1", b"odd", BITCODE + b"2")) == [BITCODE + b"1", BITCODE + b"2"]


def test_a_program_is_collected_with_its_libraries(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_bytes(BITCODE + b" defines entrypoint")
    (tmp_path / "b.rlib").write_bytes(archive(BITCODE + b" library"))
    main(["--flag", str(tmp_path / "a.o"), str(tmp_path / "b.rlib"), "-o", str(tmp_path / "out.so")])
    modules = unbundle((tmp_path / "out.so").read_bytes())
    assert modules == [BITCODE + b" defines entrypoint", BITCODE + b" library"]


def test_a_dependency_that_is_a_cdylib_but_no_program_leaves_an_empty_bundle(tmp_path: Path) -> None:
    (tmp_path / "a.o").write_bytes(BITCODE + b" something else")
    main([str(tmp_path / "a.o"), "-o", str(tmp_path / "out.so")])
    assert unbundle((tmp_path / "out.so").read_bytes()) == []
