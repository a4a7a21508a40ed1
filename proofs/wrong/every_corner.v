(* Wrong: M is block lower triangular in plain pixel-major order for every corner, not only for the
   top left one. The last proof must be rejected. *)

From mathcomp Require Import all_ssreflect all_algebra.
From CInC Require Import images convolution block_triangular theorem kernel.

Import GRing.Theory.
Local Open Scope ring_scope.

Theorem right (R : comRingType) C H W kh kw dilation p q (K : nat -> nat -> nat -> nat -> R) :
  accepted C kh kw dilation p q K ->
  block_lower_triangular (B C p q K) (convolution_matrix C H W kh kw dilation p q K (false, false)).
Proof. by move=> ok; apply: kernel_block_triangular. Qed.

Theorem wrong (R : comRingType) C H W kh kw dilation p q (K : nat -> nat -> nat -> nat -> R) f :
  accepted C kh kw dilation p q K ->
  block_lower_triangular (B C p q K) (convolution_matrix C H W kh kw dilation p q K f).
Proof. by move=> ok; apply: kernel_block_triangular. Qed.
