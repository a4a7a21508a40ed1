(* The theorems, for every commutative ring R, all C, H, W, and all tap sets that are causal in
   raster order. The numbers are those of docs/theorem.md. *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.
From CInC Require Import images convolution block_triangular.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(* A matrix with a two-sided inverse, and a unit of the ring. *)
Definition invertible (R : comRingType) n (M : 'M[R]_n) : Prop :=
  exists N, M *m N = 1%:M /\ N *m M = 1%:M.
Definition is_unit (R : comRingType) (r : R) : Prop := exists r', r * r' = 1.

Section Theorems.

Variables (R : comRingType) (C H W : nat).
Variables (tap : finType) (offset : tap -> int * int).

Local Notation image := (image R C H W).
Local Notation pixel := (pixel H W).
Local Notation M := (@matrix_of_taps R C H W tap offset).
Local Notation conv := (@conv R C H W tap offset).
Local Notation substitute := (@substitute R C H W tap offset).
Local Notation transposed_conv := (@transposed_conv R C H W tap offset).
Local Notation transposed_substitute := (@transposed_substitute R C H W tap offset).

(* ---- Theorem 5: corners ---- *)

(* The permutation of the matrix's indices that flips the pixels, and its matrix J. *)
Definition flip_position (f : corner) (k : 'I_(H * W * C)) : 'I_(H * W * C) :=
  position (flip_pixel f (pixel_of k)) (channel_of k).

Lemma flip_positionK f : involutive (flip_position f).
Proof.
move=> k; rewrite /flip_position pixel_of_position channel_of_position flip_pixelK.
exact: position_of.
Qed.

Definition flip_permutation f : 'S_(H * W * C) := perm (inv_inj (flip_positionK f)).
Definition J f : 'M[R]_(H * W * C) := perm_mx (flip_permutation f).

Lemma flip_permutationV f : (flip_permutation f)^-1%g = flip_permutation f.
Proof.
apply/permP => k; apply: (@perm_inj _ (flip_permutation f)).
by rewrite permKV !permE flip_positionK.
Qed.

Lemma J_involutive f : J f *m J f = 1%:M.
Proof. by rewrite -perm_mxM -{2}flip_permutationV mulgV perm_mx1. Qed.

Lemma J_flips f (x : image) : flatten (flip f x) = J f *m flatten x.
Proof.
rewrite -row_permE; apply/colP => k.
by rewrite !mxE ffunE permE pixel_of_position channel_of_position.
Qed.

(* "A corner is a flip": the matrix of another corner is J M J, J the permutation that flips the
   pixels. Python: cinc_ref.theory.theorems.corners_and_anchors_reduce, cinc_ref.geometry.flip. *)
Theorem corner_is_a_flip K f : M K f = J f *m M K top_left *m J f.
Proof.
have J_right A : A *m J f = col_perm (flip_permutation f) A by rewrite col_permE flip_permutationV.
rewrite -row_permE J_right; apply/matrixP => k l.
by rewrite !mxE !permE !pixel_of_position !channel_of_position /block.
Qed.

(* ---- Theorem 7: the transpose is the opposite corner ---- *)

Lemma transposed_block (K : tap -> 'M[R]_C) f (s s' : pixel) :
  block offset (fun t => (K t)^T) (opposite f) s s' = (block offset K f s' s)^T.
Proof.
rewrite /block [RHS]raddf_sum; apply: eq_bigl => t.
by rewrite /flip_pixel /= !mirror_opposite.
Qed.

(* "The transpose of M is the matrix of the transposed convolution": of the opposite corner,
   with all blocks transposed. Python: cinc_ref.theory.exact_conv(..., transpose=True). *)
Theorem transpose_is_the_opposite_corner (K : tap -> 'M[R]_C) f :
  M (fun t => (K t)^T) (opposite f) = (M K f)^T.
Proof. by apply/matrixP => k l; rewrite !mxE transposed_block mxE. Qed.

(* "M^T is the matrix of the transposed convolution."
   Python: cinc_ref.theory.exact_conv(..., transpose=True). *)
Theorem matrix_of_transposed_conv K f x :
  flatten (transposed_conv K f x) = (M K f)^T *m flatten x.
Proof. by rewrite matrix_of_conv transpose_is_the_opposite_corner. Qed.

(* <g, M x> = <M^T g, x>. Python: cinc_ref.theory.theorems.adjoint_is_transposed_substitution. *)
Theorem adjoint K f (g x : image) :
  (flatten g)^T *m flatten (conv K f x) = (flatten (transposed_conv K f g))^T *m flatten x.
Proof. by rewrite matrix_of_transposed_conv matrix_of_conv trmx_mul trmxK mulmxA. Qed.

Section Causal.

Variables (K : tap -> 'M[R]_C) (K_causal : causal offset K).
Local Notation B := (corner_block offset K).

(* ---- Theorem 1: block triangular ---- *)

(* No pixel reads one that comes after it in the raster order which starts at the corner ... *)
Lemma block_above f (s s' : pixel) :
  (number (flip_pixel f s) < number (flip_pixel f s'))%N -> block offset K f s s' = 0.
Proof.
move=> before; apply: big1 => t /andP[/eqP row /eqP column]; apply: contraTeq before => K_t.
by rewrite -leqNgt (order_of_indices (K_causal K_t) row column).1.
Qed.

(* ... and it reads itself through the corner block. *)
Lemma block_diagonal f (s : pixel) : block offset K f s s = B.
Proof.
apply: eq_bigl => t; case: (offset t) => u v; rewrite xpair_eqE /=.
have self (a w : int) : (a == a - w) = (w == 0) by rewrite -subr_eq0 opprB addrC subrK.
by rewrite !self.
Qed.

(* "M is block lower triangular and all H W diagonal blocks are B", in pixel-major order and for
   the padding at the top left. Python: cinc_ref.theory.theorems.block_triangular. *)
Theorem block_triangular : block_lower_triangular B (M K top_left).
Proof.
split=> [k l before | k l b b' same row column]; rewrite mxE.
  by rewrite block_above ?mxE // /flip_pixel /= !number_pixel_of.
have -> : pixel_of l = pixel_of k by apply: number_inj; rewrite !number_pixel_of.
by rewrite block_diagonal; congr (B _ _); apply: val_inj.
Qed.

(* ---- Theorem 2: determinant ---- *)

(* "det M = det(B)^(H W)", for every corner.
   Python: cinc_ref.theory.schwartz_zippel.determinant_at_random_points,
   cinc_ref.theory.exact_determinant. *)
Theorem determinant f : \det (M K f) = \det B ^+ (H * W).
Proof.
have det_J : \det (J f) * \det (J f) = 1 by rewrite -det_mulmx J_involutive det1.
rewrite corner_is_a_flip !det_mulmx mulrAC det_J mul1r.
exact: det_block_lower_triangular block_triangular.
Qed.

(* For a triangular B, "log|det M| = H W sum_n log|K_nn|": det M = (product of B_nn)^(H W).
   Python: cinc_ref.log_abs_det. *)
Corollary determinant_triangular f :
  is_trig_mx B -> \det (M K f) = (\prod_(c < C) B c c) ^+ (H * W).
Proof. by move=> triangular; rewrite determinant det_trig. Qed.

(* ---- Theorem 3: characterization ---- *)

(* "conv is invertible iff det B is a unit". Python: cinc_ref.theory.is_invertible. *)
Theorem invertible_iff f : (0 < H * W)%N -> invertible (M K f) <-> is_unit (\det B).
Proof.
move=> pixels; split=> [[N [right_inverse _]] | [r unit_B]].
  have : \det B ^+ (H * W) * \det N = 1 by rewrite -(determinant f) -det_mulmx right_inverse det1.
  move: (\det N) => det_N; case: (H * W)%N pixels => // n _; rewrite exprS -mulrA => unit_B.
  by exists (\det B ^+ n * det_N).
have inverse : M K f *m (r ^+ (H * W) *: \adj (M K f)) = 1%:M.
  rewrite -scalemxAr mul_mx_adj scale_scalar_mx determinant mulrC -exprMn unit_B.
  by rewrite expr1n.
by exists (r ^+ (H * W) *: \adj (M K f)); split; last exact: mulmx1C.
Qed.

(* The image that holds v in its last pixel, the one opposite to the corner, and 0 elsewhere. *)
Definition null_image (f : corner) (v : 'cV[R]_C) : image :=
  [ffun s => if number (flip_pixel f s) == (H * W).-1 then v else 0].

(* "If B v = 0, the image that holds v in its last pixel and 0 elsewhere is mapped to 0."
   Python: cinc_ref.theory.null_image. *)
Theorem null_image_is_lost f v : B *m v = 0 -> conv K f (null_image f v) = [ffun => 0].
Proof.
move=> Bv; apply/ffunP => s; rewrite !ffunE; move: (flip_pixel f s) => {}s.
rewrite (tap_sum_split offset) !ffunE flip_pixelK fun_if Bv mulmx0 if_same add0r.
rewrite (@tap_sum_earlier _ _ _ _ _ _ _ K_causal _ [ffun => 0]).
  by apply: big1 => t _; rewrite read0 mulmx0.
move=> s' before; rewrite !ffunE flip_pixelK.
case: eqP => // last; move: before; rewrite last.
by rewrite ltnNge -ltnS (ltn_predK (number_bound s)) number_bound.
Qed.

Lemma null_image_is_not_0 f v : (0 < H * W)%N -> v != 0 -> null_image f v != [ffun => 0].
Proof.
move=> pixels; apply: contra => /eqP zero.
have last_bound : ((H * W).-1 < H * W)%N by rewrite prednK.
pose k := Ordinal last_bound; pose s : pixel := (quotient k, remainder k).
have last : number s = (H * W).-1 by rewrite -[RHS]/(val k) -(index_digits k).
have /(congr1 (fun x : image => x (flip_pixel f s))) := zero.
by rewrite !ffunE flip_pixelK last eqxx => ->.
Qed.

(* ---- Theorem 4: substitution ---- *)

Section Substitution.

Variables (B_inverse : 'M[R]_C) (B_inverseP : B_inverse *m B = 1%:M).

Local Notation others := [pred t | offset t != (0, 0)].

Lemma substituted_stable (y : image) (s : pixel) n m : (number s < n <= m)%N ->
  substituted offset K B_inverse y m s = substituted offset K B_inverse y n s.
Proof.
case/andP=> before; elim: m => [|m IH]; first by rewrite leqn0 => /eqP ->.
rewrite leq_eqVlt => /orP[/eqP -> // | le]; rewrite /= ffunE (IH le).
by case: eqP => // e; move: (leq_trans before le); rewrite e ltnn.
Qed.

(* The equation that every pixel solves. *)
Lemma substitute_top_leftE (y : image) (s : pixel) :
  let x := substitute_top_left offset K B_inverse y in
  x s = B_inverse *m (y s - tap_sum offset K others x s).
Proof.
rewrite /= {1}/substitute_top_left (@substituted_stable y s (number s).+1) ?ltnSn ?number_bound //.
rewrite /= ffunE eqxx; congr (_ *m (_ - _)); apply: tap_sum_earlier => // s' before.
by rewrite /substitute_top_left (@substituted_stable y s' (number s)) // before ltnW ?number_bound.
Qed.

Lemma substitute_top_left_right (y : image) :
  conv_top_left offset K (substitute_top_left offset K B_inverse y) = y.
Proof.
apply/ffunP => s; rewrite ffunE tap_sum_split substitute_top_leftE mulmxA.
by rewrite (mulmx1C B_inverseP) mul1mx subrK.
Qed.

Lemma substitute_top_left_left (x : image) :
  substitute_top_left offset K B_inverse (conv_top_left offset K x) = x.
Proof.
apply/ffunP => s; have [n] := ubnP (number s); elim: n s => // n IH s bound.
rewrite substitute_top_leftE ffunE tap_sum_split.
rewrite (tap_sum_earlier K_causal (x' := x)) => [|s' before]; last first.
  by apply: IH; apply: leq_trans before _.
by rewrite addrK mulmxA B_inverseP mul1mx.
Qed.

(* "The inverse is substitution in raster order": conv(substitute(y)) = y ... *)
Theorem conv_of_substitute f y : conv K f (substitute K f B_inverse y) = y.
Proof. by rewrite /convolution.conv flipK substitute_top_left_right flipK. Qed.

(* ... and substitute(conv(x)) = x. Python: cinc_ref.conv_inverse, cinc_ref.theory.exact_inverse,
   cinc_ref.theory.theorems.substitution_is_the_inverse. *)
Theorem substitute_of_conv f x : substitute K f B_inverse (conv K f x) = x.
Proof. by rewrite /convolution.substitute flipK substitute_top_left_left flipK. Qed.

(* In matrices: the inverse of M does to an image what substitution does to it. *)
Theorem substitute_is_the_inverse_matrix f N y :
  N *m M K f = 1%:M -> flatten (substitute K f B_inverse y) = N *m flatten y.
Proof.
move=> inverse; rewrite -{2}(conv_of_substitute f y) matrix_of_conv mulmxA inverse.
by rewrite mul1mx.
Qed.

End Substitution.

End Causal.

(* ---- Theorem 7: the transposed substitution, and how the inverse changes ---- *)

Section TransposedSubstitution.

Variables (K : tap -> 'M[R]_C) (K_causal : causal offset K).
Local Notation B := (corner_block offset K).
Variables (B_inverse : 'M[R]_C) (B_inverseP : B_inverse *m B = 1%:M).

Lemma transposed_causal : causal offset (fun t => (K t)^T).
Proof. by move=> t nonzero; apply: K_causal; rewrite -(inj_eq trmx_inj) trmx0. Qed.

Lemma transposed_corner_block : corner_block offset (fun t => (K t)^T) = B^T.
Proof. by rewrite /corner_block [RHS]raddf_sum. Qed.

Lemma transposed_inverseP : B_inverse^T *m corner_block offset (fun t => (K t)^T) = 1%:M.
Proof. by rewrite transposed_corner_block -trmx_mul (mulmx1C B_inverseP) trmx1. Qed.

(* "The transposed substitution is the inverse of the transpose": M^T of it is y ...
   Python: cinc_ref.theory.exact_inverse(..., transpose=True). *)
Theorem transposed_conv_of_substitute f y :
  transposed_conv K f (transposed_substitute K f B_inverse y) = y.
Proof. exact: (conv_of_substitute transposed_causal transposed_inverseP). Qed.

(* ... and it undoes M^T. Python: cinc_ref.theory.exact_inverse(..., transpose=True). *)
Theorem transposed_substitute_of_conv f x :
  transposed_substitute K f B_inverse (transposed_conv K f x) = x.
Proof. exact: (substitute_of_conv transposed_causal transposed_inverseP). Qed.

(* <g, M^-1 y> = <M^-T g, y>: the adjoint of the substitution is the transposed one.
   Python: cinc_ref.theory.theorems.adjoint_is_transposed_substitution. *)
Theorem adjoint_of_substitute f (g y : image) :
  (flatten g)^T *m flatten (substitute K f B_inverse y) =
  (flatten (transposed_substitute K f B_inverse g))^T *m flatten y.
Proof.
rewrite -[in LHS](transposed_conv_of_substitute f g) matrix_of_transposed_conv.
by rewrite trmx_mul trmxK -mulmxA -matrix_of_conv (conv_of_substitute K_causal).
Qed.

End TransposedSubstitution.

Lemma matrix_of_sum (A E : tap -> 'M[R]_C) f : M (fun t => A t + E t) f = M A f + M E f.
Proof. by apply/matrixP => k l; rewrite !mxE /block big_split mxE. Qed.

(* <g, M(A + E)^-1 y> - <g, M(A)^-1 y> = -<M(A + E)^-T g, M(E) M(A)^-1 y>, for every change E of
   the kernel A: what is of first order in E is the gradient.
   Python: cinc_ref.theory.theorems.adjoint_is_transposed_substitution. *)
Theorem change_with_the_kernel (A E : tap -> 'M[R]_C) (A_inverse AE_inverse : 'M[R]_C) f
    (g y : image) :
  let AE := fun t => A t + E t in
  causal offset A -> A_inverse *m corner_block offset A = 1%:M ->
  causal offset AE -> AE_inverse *m corner_block offset AE = 1%:M ->
  let x := substitute A f A_inverse y in
  (flatten g)^T *m flatten (substitute AE f AE_inverse y) - (flatten g)^T *m flatten x =
  - ((flatten (transposed_substitute AE f AE_inverse g))^T *m flatten (conv E f x)).
Proof.
move=> AE A_causal A_inverseP AE_causal AE_inverseP x.
have flat_g : (flatten g)^T = (flatten (transposed_substitute AE f AE_inverse g))^T *m M AE f.
  rewrite -[in LHS](transposed_conv_of_substitute AE_causal AE_inverseP f g).
  by rewrite matrix_of_transposed_conv trmx_mul trmxK.
rewrite -mulmxBr {}flat_g -mulmxA mulmxBr -!matrix_of_conv.
rewrite (conv_of_substitute AE_causal AE_inverseP) -mulmxN; congr (_ *m _).
rewrite [flatten (conv AE f x)]matrix_of_conv matrix_of_sum mulmxDl -!matrix_of_conv.
by rewrite (conv_of_substitute A_causal A_inverseP) opprD addrA subrr add0r.
Qed.

End Theorems.

(* ---- Theorem 3 where the unit of a ring is decided, and where 0 has no divisors ---- *)

(* "M is invertible iff det B is a unit", as MathComp's boolean tests. *)
Theorem unit_iff (R : comUnitRingType) C H W (tap : finType) (offset : tap -> int * int)
    (K : tap -> 'M[R]_C) f :
  causal offset K -> (0 < H * W)%N ->
  (@matrix_of_taps R C H W tap offset K f \in unitmx) =
  (\det (corner_block offset K) \is a GRing.unit).
Proof. by move=> causal pixels; rewrite unitmxE determinant // unitrX_pos. Qed.

(* Over an integral domain (the integers, a field): if det B = 0, some image that is not 0 is
   mapped to 0. Python: cinc_ref.theory.null_image. *)
Theorem singular_loses_an_image (R : idomainType) C H W (tap : finType)
    (offset : tap -> int * int) (K : tap -> 'M[R]_C) f :
  causal offset K -> (0 < H * W)%N -> \det (corner_block offset K) = 0 ->
  exists2 x : image R C H W, x != [ffun => 0] & conv offset K f x = [ffun => 0].
Proof.
move=> causal pixels; rewrite -det_tr => /eqP /det0P[v v_neq0 vB].
exists (null_image H W f v^T); last first.
  by apply: null_image_is_lost => //; rewrite -[_ *m _]trmxK trmx_mul trmxK vB trmx0.
by apply: null_image_is_not_0 => //; rewrite -(inj_eq trmx_inj) trmxK trmx0.
Qed.
