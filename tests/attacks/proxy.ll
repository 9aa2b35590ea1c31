; A foreign program that passes a call on: what a thief would write.
;
;   accounts  0: the program to call; 1…: its accounts, passed on with the flags that they have here
;   data      anything (signed bytes, say, at the place where the victim expects them in its own data), then the data to
;             pass on, then their length as u16
;
; The heap holds what the call needs: metas from +0 (16 bytes each), infos from +8192 (56 each), the instruction at +16384.

target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

%meta = type { ptr, i8, i8 }
%info = type { ptr, ptr, i64, ptr, ptr, i64, i8, i8, i8 }
%instruction = type { ptr, ptr, i64, ptr, i64 }

declare i64 @sol_invoke_signed_c(ptr, ptr, i64, ptr, i64)

define i64 @entrypoint(ptr %input, ptr %data) {
start:
  %count = load i64, ptr %input
  %first = getelementptr i8, ptr %input, i64 8
  br label %loop

loop:
  %i = phi i64 [ 0, %start ], [ %next.i, %listed ]
  %at = phi ptr [ %first, %start ], [ %next.at, %listed ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %account, label %call

account:
  %info = getelementptr %info, ptr inttoptr (i64 12884910080 to ptr), i64 %i
  %marker = load i8, ptr %at
  %whole = icmp eq i8 %marker, -1
  br i1 %whole, label %new, label %duplicate

new:
  %signer.at = getelementptr i8, ptr %at, i64 1
  %writable.at = getelementptr i8, ptr %at, i64 2
  %executable.at = getelementptr i8, ptr %at, i64 3
  %key = getelementptr i8, ptr %at, i64 8
  %owner = getelementptr i8, ptr %at, i64 40
  %lamports = getelementptr i8, ptr %at, i64 72
  %size.at = getelementptr i8, ptr %at, i64 80
  %bytes = getelementptr i8, ptr %at, i64 88
  %signer = load i8, ptr %signer.at
  %writable = load i8, ptr %writable.at
  %executable = load i8, ptr %executable.at
  %size = load i64, ptr %size.at
  %info.lamports = getelementptr %info, ptr %info, i64 0, i32 1
  %info.size = getelementptr %info, ptr %info, i64 0, i32 2
  %info.bytes = getelementptr %info, ptr %info, i64 0, i32 3
  %info.owner = getelementptr %info, ptr %info, i64 0, i32 4
  %info.rent = getelementptr %info, ptr %info, i64 0, i32 5
  %info.signer = getelementptr %info, ptr %info, i64 0, i32 6
  %info.writable = getelementptr %info, ptr %info, i64 0, i32 7
  %info.executable = getelementptr %info, ptr %info, i64 0, i32 8
  store ptr %key, ptr %info
  store ptr %lamports, ptr %info.lamports
  store i64 %size, ptr %info.size
  store ptr %bytes, ptr %info.bytes
  store ptr %owner, ptr %info.owner
  store i64 0, ptr %info.rent
  store i8 %signer, ptr %info.signer
  store i8 %writable, ptr %info.writable
  store i8 %executable, ptr %info.executable
  ; header 88, data, room to grow 10240, up to a multiple of 8, rent epoch 8
  %end = add i64 %size, 10335
  %aligned = and i64 %end, -8
  %step = add i64 %aligned, 8
  %after.new = getelementptr i8, ptr %at, i64 %step
  br label %listed

duplicate:
  %earlier.i = zext i8 %marker to i64
  %earlier = getelementptr %info, ptr inttoptr (i64 12884910080 to ptr), i64 %earlier.i
  %copy = load [7 x i64], ptr %earlier
  store [7 x i64] %copy, ptr %info
  %after.duplicate = getelementptr i8, ptr %at, i64 8
  br label %listed

listed:
  %next.at = phi ptr [ %after.new, %new ], [ %after.duplicate, %duplicate ]
  %meta = getelementptr %meta, ptr inttoptr (i64 12884901888 to ptr), i64 %i
  %meta.writable = getelementptr %meta, ptr %meta, i64 0, i32 1
  %meta.signer = getelementptr %meta, ptr %meta, i64 0, i32 2
  %from.signer = getelementptr %info, ptr %info, i64 0, i32 6
  %from.writable = getelementptr %info, ptr %info, i64 0, i32 7
  %its.key = load ptr, ptr %info
  %its.signer = load i8, ptr %from.signer
  %its.writable = load i8, ptr %from.writable
  store ptr %its.key, ptr %meta
  store i8 %its.writable, ptr %meta.writable
  store i8 %its.signer, ptr %meta.signer
  %next.i = add i64 %i, 1
  br label %loop

call:
  %data.size.at = getelementptr i8, ptr %data, i64 -8
  %data.size = load i64, ptr %data.size.at
  %trailer.i = sub i64 %data.size, 2
  %trailer = getelementptr i8, ptr %data, i64 %trailer.i
  %length.short = load i16, ptr %trailer, align 1
  %length = zext i16 %length.short to i64
  %back = sub i64 0, %length
  %forward = getelementptr i8, ptr %trailer, i64 %back
  %program = load ptr, ptr inttoptr (i64 12884910080 to ptr)
  %passed = sub i64 %count, 1
  store ptr %program, ptr inttoptr (i64 12884918272 to ptr)
  store ptr inttoptr (i64 12884901904 to ptr), ptr inttoptr (i64 12884918280 to ptr)
  store i64 %passed, ptr inttoptr (i64 12884918288 to ptr)
  store ptr %forward, ptr inttoptr (i64 12884918296 to ptr)
  store i64 %length, ptr inttoptr (i64 12884918304 to ptr)
  %result = call i64 @sol_invoke_signed_c(ptr inttoptr (i64 12884918272 to ptr), ptr inttoptr (i64 12884910080 to ptr), i64 %count, ptr null, i64 0)
  ret i64 %result
}
