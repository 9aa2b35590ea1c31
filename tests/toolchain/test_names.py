"""Names for numbered values."""

from toolchain.lowering.names import name_values

NUMBERED = """define i64 @f(i64 %0, i64 %1) {
  %3 = add i64 %0, %1
  br label %4

4:                                                ; preds = %2
  ret i64 %3
}
"""


def test_every_number_gets_a_name_and_the_first_block_its_label() -> None:
    assert (
        name_values(NUMBERED, "v")
        == """define i64 @f(i64 %v0, i64 %v1) {
v2:
  %v3 = add i64 %v0, %v1
  br label %v4

v4:                                                ; preds = %2
  ret i64 %v3
}
"""
    )


def test_named_values_stay_as_they_are() -> None:
    text = "define void @f(ptr %p) {\nstart:\n  ret void\n}\n"
    assert name_values(text, "v") == text
