"""memcmp, bcmp and memset by the VM's system calls."""

MEMORY = """
declare void @sol_memcmp_(ptr, ptr, i64, ptr)
declare void @sol_memmove_(ptr, ptr, i64)
declare void @sol_memset_(ptr, i64, i64)
define i32 @memcmp(ptr %a, ptr %b, i64 %n) {
  %r = alloca i32
  store i32 0, ptr %r
  call void @sol_memcmp_(ptr %a, ptr %b, i64 %n, ptr %r)
  %v = load i32, ptr %r
  ret i32 %v
}
define i32 @bcmp(ptr %a, ptr %b, i64 %n) alwaysinline {
  %v = call i32 @memcmp(ptr %a, ptr %b, i64 %n)
  ret i32 %v
}
define void @rt.memset(ptr %p, i8 %c, i64 %n) alwaysinline {
  %w = zext i8 %c to i64
  call void @sol_memset_(ptr %p, i64 %w, i64 %n)
  ret void
}
"""
