"""Signed 64-bit division, 128- and 256-bit arithmetic, checked multiplication.

`rt.*` functions are inlined where they are called, so that constants fold.
"""

SIGNED_DIVISION = """
declare {i64, i1} @llvm.umul.with.overflow.i64(i64, i64)
define i64 @rt.sdiv64(i64 %a, i64 %b) alwaysinline {
  %as = ashr i64 %a, 63
  %bs = ashr i64 %b, 63
  %ax = xor i64 %a, %as
  %ua = sub i64 %ax, %as
  %bx = xor i64 %b, %bs
  %ub = sub i64 %bx, %bs
  %q = udiv i64 %ua, %ub
  %s = xor i64 %as, %bs
  %x = xor i64 %q, %s
  %r = sub i64 %x, %s
  ret i64 %r
}
define i64 @rt.srem64(i64 %a, i64 %b) alwaysinline {
  %q = call i64 @rt.sdiv64(i64 %a, i64 %b)
  %m = mul i64 %q, %b
  %r = sub i64 %a, %m
  ret i64 %r
}
define i128 @rt.pack(i64 %l, i64 %h) alwaysinline {
  %lz = zext i64 %l to i128
  %hz = zext i64 %h to i128
  %hs = shl i128 %hz, 64
  %r = or i128 %hs, %lz
  ret i128 %r
}
"""

CHECKED_UNSIGNED_128 = """
define {i128, i1} @rt.umulo128(i128 %a, i128 %b) alwaysinline {
  %al = trunc i128 %a to i64
  %bl = trunc i128 %b to i64
  %aw = lshr i128 %a, 64
  %bw = lshr i128 %b, 64
  %ah = trunc i128 %aw to i64
  %bh = trunc i128 %bw to i64
  %lz = zext i64 %al to i128
  %rz = zext i64 %bl to i128
  %p = call i128 @rt.mul128(i128 %lz, i128 %rz)
  %pl = trunc i128 %p to i64
  %pw = lshr i128 %p, 64
  %ph = trunc i128 %pw to i64
  %m1 = call {i64, i1} @llvm.umul.with.overflow.i64(i64 %ah, i64 %bl)
  %m2 = call {i64, i1} @llvm.umul.with.overflow.i64(i64 %bh, i64 %al)
  %x1 = extractvalue {i64, i1} %m1, 0
  %x2 = extractvalue {i64, i1} %m2, 0
  %o1 = extractvalue {i64, i1} %m1, 1
  %o2 = extractvalue {i64, i1} %m2, 1
  %h1 = add i64 %ph, %x1
  %h = add i64 %h1, %x2
  %c1 = icmp ult i64 %h1, %x1
  %c2 = icmp ult i64 %h, %x2
  %na = icmp ne i64 %ah, 0
  %nb = icmp ne i64 %bh, 0
  %nn = and i1 %na, %nb
  %oa = or i1 %o1, %o2
  %ob = or i1 %c1, %c2
  %oc = or i1 %oa, %ob
  %o = or i1 %oc, %nn
  %r = call i128 @rt.pack(i64 %pl, i64 %h)
  %s = insertvalue {i128, i1} poison, i128 %r, 0
  %t = insertvalue {i128, i1} %s, i1 %o, 1
  ret {i128, i1} %t
}
"""

SHIFT_LEFT = """
define i128 @rt.shl128(i128 %a, i128 %s) alwaysinline {
  %al = trunc i128 %a to i64
  %aw = lshr i128 %a, 64
  %ah = trunc i128 %aw to i64
  %n = trunc i128 %s to i64
  %m = and i64 %n, 63
  %im = xor i64 %m, 63
  %hs = shl i64 %ah, %m
  %l1 = lshr i64 %al, 1
  %lc = lshr i64 %l1, %im
  %hi = or i64 %hs, %lc
  %lo = shl i64 %al, %m
  %big = icmp ugt i64 %n, 63
  %h = select i1 %big, i64 %lo, i64 %hi
  %l = select i1 %big, i64 0, i64 %lo
  %r = call i128 @rt.pack(i64 %l, i64 %h)
  ret i128 %r
}
"""


def integers() -> str:
    """All of it, each function once."""
    return "".join(
        (
            SIGNED_DIVISION,
            CHECKED_UNSIGNED_128,
            SHIFT_LEFT,
            _shift_right("lshr", fill="add i64 0, 0"),
            _shift_right("ashr", fill="ashr i64 %ah, 63"),
            _checked_signed(64, unsigned="llvm.umul.with.overflow.i64"),
            _checked_signed(128, unsigned="rt.umulo128"),
            _multiply(128, product="mul i64 {}, {}"),
            _multiply(256, product="call i128 @rt.mul128(i128 {}, i128 {})"),
            _divide("udiv", by="__udivti3"),
            _divide("urem", by="__umodti3"),
            _divide("sdiv", by="__divti3"),
            _divide("srem", by="__modti3"),
        )
    )


def _shift_right(name: str, fill: str) -> str:
    return f"""
define i128 @rt.{name}128(i128 %a, i128 %s) alwaysinline {{
  %al = trunc i128 %a to i64
  %aw = lshr i128 %a, 64
  %ah = trunc i128 %aw to i64
  %n = trunc i128 %s to i64
  %m = and i64 %n, 63
  %im = xor i64 %m, 63
  %hi = {name} i64 %ah, %m
  %h1 = shl i64 %ah, 1
  %hc = shl i64 %h1, %im
  %ls = lshr i64 %al, %m
  %lo = or i64 %ls, %hc
  %fill = {fill}
  %big = icmp ugt i64 %n, 63
  %h = select i1 %big, i64 %fill, i64 %hi
  %l = select i1 %big, i64 %hi, i64 %lo
  %r = call i128 @rt.pack(i64 %l, i64 %h)
  ret i128 %r
}}
"""


def _checked_signed(n: int, unsigned: str) -> str:
    """By the unsigned product of the magnitudes, and the largest magnitude that the sign allows."""
    return f"""
define {{i{n}, i1}} @rt.smulo{n}(i{n} %a, i{n} %b) alwaysinline {{
  %as = ashr i{n} %a, {n - 1}
  %bs = ashr i{n} %b, {n - 1}
  %ax = xor i{n} %a, %as
  %ua = sub i{n} %ax, %as
  %bx = xor i{n} %b, %bs
  %ub = sub i{n} %bx, %bs
  %m = call {{i{n}, i1}} @{unsigned}(i{n} %ua, i{n} %ub)
  %p = extractvalue {{i{n}, i1}} %m, 0
  %o1 = extractvalue {{i{n}, i1}} %m, 1
  %sg = xor i{n} %as, %bs
  %l = sub i{n} {2 ** (n - 1) - 1}, %sg
  %o2 = icmp ugt i{n} %p, %l
  %o = or i1 %o1, %o2
  %px = xor i{n} %p, %sg
  %r = sub i{n} %px, %sg
  %s = insertvalue {{i{n}, i1}} poison, i{n} %r, 0
  %t = insertvalue {{i{n}, i1}} %s, i1 %o, 1
  ret {{i{n}, i1}} %t
}}
"""


def _multiply(n: int, product: str) -> str:
    """Schoolbook: halves `h`, the low half's own product from quarters `q`."""
    h, q = n // 2, n // 4
    m = 2**q - 1
    return f"""
define i{n} @rt.mul{n}(i{n} %a, i{n} %b) alwaysinline {{
  %al = trunc i{n} %a to i{h}
  %bl = trunc i{n} %b to i{h}
  %aw = lshr i{n} %a, {h}
  %bw = lshr i{n} %b, {h}
  %ah = trunc i{n} %aw to i{h}
  %bh = trunc i{n} %bw to i{h}
  %a0 = and i{h} %al, {m}
  %b0 = and i{h} %bl, {m}
  %a1 = lshr i{h} %al, {q}
  %b1 = lshr i{h} %bl, {q}
  %p00 = {product.format("%a0", "%b0")}
  %p01 = {product.format("%a0", "%b1")}
  %p10 = {product.format("%a1", "%b0")}
  %p11 = {product.format("%a1", "%b1")}
  %c = lshr i{h} %p00, {q}
  %t = add i{h} %c, %p10
  %t0 = and i{h} %t, {m}
  %t1 = lshr i{h} %t, {q}
  %u = add i{h} %t0, %p01
  %u1 = lshr i{h} %u, {q}
  %h1 = add i{h} %p11, %t1
  %h2 = add i{h} %h1, %u1
  %x1 = {product.format("%al", "%bh")}
  %x2 = {product.format("%ah", "%bl")}
  %h3 = add i{h} %h2, %x1
  %h = add i{h} %h3, %x2
  %us = shl i{h} %u, {q}
  %p0 = and i{h} %p00, {m}
  %l = or i{h} %us, %p0
  %lz = zext i{h} %l to i{n}
  %hz = zext i{h} %h to i{n}
  %hs = shl i{n} %hz, {h}
  %r = or i{n} %hs, %lz
  ret i{n} %r
}}
"""


def _divide(op: str, by: str) -> str:
    """64 bits are divided in place, more by compiler_builtins."""
    return f"""
declare void @{by}(ptr, ptr, ptr)
define i128 @rt.{op}128(i128 %a, i128 %b) {{
  %pr = alloca i128
  %pa = alloca i128
  %pb = alloca i128
  %ab = or i128 %a, %b
  %small = icmp ult i128 %ab, {2 ** (64 if op[0] == "u" else 63)}
  br i1 %small, label %s, label %l
s:
  %sa = trunc i128 %a to i64
  %sb = trunc i128 %b to i64
  %sq = u{op[1:]} i64 %sa, %sb
  %sz = zext i64 %sq to i128
  ret i128 %sz
l:
  store i128 %a, ptr %pa
  store i128 %b, ptr %pb
  call void @{by}(ptr %pr, ptr %pa, ptr %pb)
  %r = load i128, ptr %pr
  ret i128 %r
}}
"""
