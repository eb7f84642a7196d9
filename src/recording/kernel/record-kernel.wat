;; The loops over the bytes of each event when a recording is converted, sixteen bytes a turn, which JavaScript cannot do.
;; All places are offsets in one memory. `code.ts` is made of this file: see test/recording/record-kernel.test.ts.
(module
  (import "furrow" "memory" (memory 1))

  ;; Whether the event of $length bytes at $at is of a form. Of each 16 bytes of it a form has which bits count, and those
  ;; bits; the last 16 end with the event, and may overlap those before. At least 16 bytes.
  (func (export "isOf") (param $form i32) (param $length i32) (param $at i32) (result i32)
    (local $differs v128) (local $last i32)
    (local.set $last (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 16)))
    (block $done
      (loop $next
        (local.set $differs
          (v128.or (local.get $differs)
            (v128.xor
              (v128.and (v128.load (local.get $at)) (v128.load (local.get $form)))
              (v128.load offset=16 (local.get $form)))))
        (br_if $done (i32.eq (local.get $at) (local.get $last)))
        (local.set $form (i32.add (local.get $form) (i32.const 32)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $next (i32.le_u (local.get $at) (local.get $last)))
        (local.set $at (local.get $last))
        (br $next)))
    (i32.eqz (v128.any_true (local.get $differs))))

  ;; Writes a record of an event file, if the event of $length bytes at $event is of a form; gives whether it is. The payload
  ;; stands from $payload to $payloadEnd. Up to 15 bytes more are written over, and what was written of another event.
  (func (export "addRecord")
    (param $form i32) (param $length i32) (param $event i32) (param $payload i32) (param $payloadEnd i32) (param $to i32)
    (result i32)
    (local $differs v128) (local $bytes v128) (local $last i32)
    (local.set $last (i32.sub (i32.add (local.get $event) (local.get $length)) (i32.const 16)))
    (i32.store (local.get $to) (local.get $length))
    (local.set $to (i32.add (local.get $to) (i32.const 4)))
    (block $done
      (loop $next
        (local.set $bytes (v128.load (local.get $event)))
        (v128.store (local.get $to) (local.get $bytes))
        (local.set $differs
          (v128.or (local.get $differs)
            (v128.xor
              (v128.and (local.get $bytes) (v128.load (local.get $form)))
              (v128.load offset=16 (local.get $form)))))
        (br_if $done (i32.eq (local.get $event) (local.get $last)))
        (local.set $form (i32.add (local.get $form) (i32.const 32)))
        (local.set $event (i32.add (local.get $event) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br_if $next (i32.le_u (local.get $event) (local.get $last)))
        (local.set $to (i32.sub (local.get $to) (i32.sub (local.get $event) (local.get $last))))
        (local.set $event (local.get $last))
        (br $next)))
    (if (v128.any_true (local.get $differs)) (then (return (i32.const 0))))
    (call $copy (i32.add (local.get $to) (i32.const 16)) (local.get $payload) (local.get $payloadEnd))
    (i32.const 1))

  ;; Writes two messages of MCAP: the payload from $eventEnd to $end, and the event before it from $event on. Gives the
  ;; offset behind them; up to 15 bytes more are written over.
  (func (export "addMessages")
    (param $to i32) (param $event i32) (param $eventEnd i32) (param $end i32)
    (param $payloadChannel i32) (param $eventChannel i32) (param $sequence i32)
    (param $logLow i32) (param $logHigh i32) (param $publishLow i32) (param $publishHigh i32) (result i32)
    (local $log i64) (local $publish i64)
    (local.set $log (call $uint64 (local.get $logLow) (local.get $logHigh)))
    (local.set $publish (call $uint64 (local.get $publishLow) (local.get $publishHigh)))
    (local.set $to
      (call $message (local.get $to) (local.get $payloadChannel) (local.get $sequence) (local.get $log) (local.get $publish)
        (local.get $eventEnd) (local.get $end)))
    (call $message (local.get $to) (local.get $eventChannel) (local.get $sequence) (local.get $log) (local.get $publish)
      (local.get $event) (local.get $eventEnd)))

  ;; Opcode, length, channel, sequence, log time, publish time; then the bytes from $from to $end.
  (func $message
    (param $to i32) (param $channel i32) (param $sequence i32) (param $log i64) (param $publish i64)
    (param $from i32) (param $end i32) (result i32)
    (local $length i32)
    (local.set $length (i32.sub (local.get $end) (local.get $from)))
    (i32.store8 (local.get $to) (i32.const 5))
    (i64.store offset=1 (local.get $to) (i64.extend_i32_u (i32.add (local.get $length) (i32.const 22))))
    (i32.store16 offset=9 (local.get $to) (local.get $channel))
    (i32.store offset=11 (local.get $to) (local.get $sequence))
    (i64.store offset=15 (local.get $to) (local.get $log))
    (i64.store offset=23 (local.get $to) (local.get $publish))
    (local.set $to (i32.add (local.get $to) (i32.const 31)))
    (call $copy (local.get $to) (local.get $from) (local.get $end))
    (i32.add (local.get $to) (local.get $length)))

  ;; Copies the bytes from $from to $end, and up to 15 more.
  (func $copy (param $to i32) (param $from i32) (param $end i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (v128.store (local.get $to) (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next))))

  (func $uint64 (param $low i32) (param $high i32) (result i64)
    (i64.or (i64.extend_i32_u (local.get $low)) (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))))
