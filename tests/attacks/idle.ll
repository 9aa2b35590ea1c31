; A foreign program that succeeds whatever it is given: bytes of any form can stand in a transaction as its data.

target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

define i64 @entrypoint(ptr %input, ptr %data) {
  ret i64 0
}
