"""std's hooks."""

from toolchain.lowering.hooks import replace_hooks

PANIC = """define internal void @_ZN3std9panicking15panic_with_hook(ptr %a, ptr %b, ptr %location, i1 %c) {
start:
  store i64 1, ptr @COUNT
  ret void
}
"""


def test_a_panic_reports_its_place_and_touches_no_static() -> None:
    text = replace_hooks(PANIC)
    assert "@COUNT" not in text
    assert "%h.file = load ptr, ptr %location" in text
    assert "call void @sol_panic_(ptr %h.file, i64 %h.len, i64 %h.line.wide, i64 %h.column.wide)" in text
    assert text.count("declare void @sol_panic_(ptr, i64, i64, i64)") == 1


def test_out_of_memory_aborts() -> None:
    text = replace_hooks("define void @_ZN3std5alloc8rust_oom(i64 %a) {\nstart:\n  ret void\n}\n")
    assert "call void @abort()" in text
    assert "ret void" not in text


def test_other_functions_stay() -> None:
    text = "define void @f() {\n  ret void\n}\n"
    assert replace_hooks(text) == text
