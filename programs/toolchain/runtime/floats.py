"""Comparisons of floats, as integers: a float's bits, with the negative ones mirrored, order as the float does."""

PREDICATES = ("eq", "ne", "lt", "le", "gt", "ge")
FORMATS = (("double", 64, 0x7FF << 52), ("float", 32, 0xFF << 23))
"""Type, bits, and the bits of infinity: above it lies NaN."""


def floats() -> str:
    """`rt.f<predicate>.<type>` for every ordered (o) and unordered (u) predicate."""
    comparisons = [_compare(t, n, infinity, o, p) for t, n, infinity in FORMATS for o in "ou" for p in PREDICATES]
    orderings = [
        _ordering(t, o, e, j) for t in ("double", "float") for o, e, j in (("ord", "oeq", "and"), ("uno", "une", "or"))
    ]
    return "".join(comparisons + orderings)


def _compare(t: str, n: int, infinity: int, o: str, p: str) -> str:
    return f"""
define i1 @rt.f{o}{p}.{t}({t} %a, {t} %b) alwaysinline {{
  %x = bitcast {t} %a to i{n}
  %y = bitcast {t} %b to i{n}
  %xm = and i{n} %x, {2 ** (n - 1) - 1}
  %ym = and i{n} %y, {2 ** (n - 1) - 1}
  %xn = icmp ugt i{n} %xm, {infinity}
  %yn = icmp ugt i{n} %ym, {infinity}
  %nan = or i1 %xn, %yn
  %xg = sub i{n} 0, %xm
  %yg = sub i{n} 0, %ym
  %xs = icmp slt i{n} %x, 0
  %ys = icmp slt i{n} %y, 0
  %xk = select i1 %xs, i{n} %xg, i{n} %x
  %yk = select i1 %ys, i{n} %yg, i{n} %y
  %c = icmp {p if p in ("eq", "ne") else "s" + p} i{n} %xk, %yk
  %ok = xor i1 %nan, true
  %r = {"and i1 %c, %ok" if o == "o" else "or i1 %c, %nan"}
  ret i1 %r
}}
"""


def _ordering(t: str, o: str, e: str, j: str) -> str:
    """Neither is NaN (`ord`), or one of them is (`uno`): a NaN is not equal to itself."""
    return f"""
define i1 @rt.f{o}.{t}({t} %a, {t} %b) alwaysinline {{
  %x = call i1 @rt.f{e}.{t}({t} %a, {t} %a)
  %y = call i1 @rt.f{e}.{t}({t} %b, {t} %b)
  %r = {j} i1 %x, %y
  ret i1 %r
}}
"""
