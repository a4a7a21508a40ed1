(* Wrong: the determinant without the hypothesis that no tap reads a later pixel. The last proof must
   be rejected. *)

From mathcomp Require Import all_ssreflect all_algebra.
From CInC Require Import images convolution block_triangular theorem kernel.

Import GRing.Theory.
Local Open Scope ring_scope.

Theorem right (R : comRingType) C H W (tap : finType) (offset : tap -> int * int)
    (K : tap -> 'M[R]_C) f :
  causal offset K ->
  \det (matrix_of_taps H W offset K f) = \det (corner_block offset K) ^+ (H * W).
Proof. by move=> *; apply: determinant. Qed.

Theorem wrong (R : comRingType) C H W (tap : finType) (offset : tap -> int * int)
    (K : tap -> 'M[R]_C) f :
  \det (matrix_of_taps H W offset K f) = \det (corner_block offset K) ^+ (H * W).
Proof. by move=> *; apply: determinant. Qed.
