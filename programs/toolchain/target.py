"""The rustc target `sbf-solana`: LLVM's BPF back end, Solana's name for the operating system."""

import json

NAME = "sbf-solana"
SPECIFICATION: dict[str, str | int | bool] = {
    "arch": "bpf",
    "os": "solana",
    "llvm-target": "bpfel",
    "cpu": "v2",
    "data-layout": "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128",
    "target-pointer-width": 64,
    "linker-flavor": "bpf",
    "linker-is-gnu": False,
    "obj-is-bitcode": True,  # our "linker" gets bitcode
    "dynamic-linking": True,
    "crt-objects-fallback": "false",
    "dll-prefix": "",
    "no-builtins": True,
    "panic-strategy": "abort",
    "position-independent-executables": True,
    "singlethread": True,
    "atomic-cas": True,  # lowered to plain loads and stores
    "min-atomic-width": 8,
    "max-atomic-width": 64,
    "merge-functions": "disabled",
}


def specification() -> str:
    """The text of sbf-solana.json."""
    return json.dumps(SPECIFICATION, indent=1, sort_keys=True)
