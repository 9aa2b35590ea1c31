"""The builder: Rust sources in, SBF programs and their IDLs out, with stock rustc and llvmlite (docs/building.md)."""
