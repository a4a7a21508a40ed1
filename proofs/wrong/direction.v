(* Wrong: a direction with n . t >= 0 gives an order, where n . t > 0 is needed. The last proof must
   be rejected: with the taps t and -t and n . t = 0 there is no order. *)

From mathcomp Require Import all_ssreflect all_algebra.
From CInC Require Import images convolution causal_order.

Import GRing.Theory.
Local Open Scope ring_scope.

Theorem right (R : comRingType) C (tap : finType) (offset : tap -> int * int)
    (K : tap -> 'M[R]_C) (n : int * int) :
  (forall t, K t != 0 -> offset t != (0, 0) -> 0 < n.1 * (offset t).1 + n.2 * (offset t).2) ->
  forall H W, exists rank : pixel H W -> nat, causal_by offset K rank.
Proof. by move=> positive; apply: direction_orders positive. Qed.

Theorem wrong (R : comRingType) C (tap : finType) (offset : tap -> int * int)
    (K : tap -> 'M[R]_C) (n : int * int) :
  (forall t, K t != 0 -> offset t != (0, 0) -> 0 <= n.1 * (offset t).1 + n.2 * (offset t).2) ->
  forall H W, exists rank : pixel H W -> nat, causal_by offset K rank.
Proof. by move=> positive; apply: direction_orders positive. Qed.
