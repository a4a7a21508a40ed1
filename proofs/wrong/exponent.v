(* Wrong: det M = det(B)^(H W + 1). The last proof must be rejected. *)

From mathcomp Require Import all_ssreflect all_algebra.
From CInC Require Import images convolution block_triangular theorem kernel.

Import GRing.Theory.
Local Open Scope ring_scope.

Theorem right (R : comRingType) C H W kh kw dilation p q (K : nat -> nat -> nat -> nat -> R) f :
  accepted C kh kw dilation p q K ->
  \det (convolution_matrix C H W kh kw dilation p q K f) = \det (B C p q K) ^+ (H * W).
Proof. by move=> ok; apply: kernel_determinant. Qed.

(* That it is wrong is itself a theorem: the 1x1 kernel 2 on an image of one pixel has det M = 2. *)
Theorem refuted :
  ~ forall (R : comRingType) C H W kh kw dilation p q (K : nat -> nat -> nat -> nat -> R) f,
      accepted C kh kw dilation p q K ->
      \det (convolution_matrix C H W kh kw dilation p q K f) = \det (B C p q K) ^+ (H * W + 1).
Proof.
move=> wrong; pose K (o c a b : nat) : int := 2%:Z.
have ok : accepted 1 1 1 1 0 0 K by split=> // o c a b; rewrite !ord1.
by move: (wrong _ 1 1 1 1 1 1 0 0 K (false, false) ok)%N; rewrite right // det_mx11 mxE.
Qed.

Theorem wrong (R : comRingType) C H W kh kw dilation p q (K : nat -> nat -> nat -> nat -> R) f :
  accepted C kh kw dilation p q K ->
  \det (convolution_matrix C H W kh kw dilation p q K f) = \det (B C p q K) ^+ (H * W + 1).
Proof. by move=> ok; apply: kernel_determinant. Qed.
