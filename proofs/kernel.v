(* Kernels of shape (C, C, kh, kw) with a dilation, an anchor and a padded corner: the theorems
   of theorem.v as the package has them.

   A kernel is a function of four natural numbers, K o c a b as K[o, c, a, b] in Python. *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.
From CInC Require Import images convolution block_triangular theorem.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(* ---- The entries of M as a function that computes ---- *)

Section Entry.

Variables (T : Type) (zero : T) (add : T -> T -> T).
Variables (C H W kh kw dilation p q : nat) (K : nat -> nat -> nat -> nat -> T).

(* Along an axis of n pixels with the anchor at `anchor`: tap a of pixel i reads pixel i'. *)
Definition reads (backwards : bool) (n anchor a i i' : nat) : bool :=
  let from_corner j := (if backwards then n - j.+1 else j)%N in
  (from_corner i' + anchor * dilation == from_corner i + a * dilation)%N.

(* The entry of M in row k and column l. Nothing but natural numbers is needed, so Rocq evaluates
   it; a test holds it against Python's cinc_ref.convolution_matrix. *)
Definition entry (f : bool * bool) (k l : nat) : T :=
  let row := (k %/ C %/ W)%N in let column := (k %/ C %% W)%N in
  let row' := (l %/ C %/ W)%N in let column' := (l %/ C %% W)%N in
  foldr add zero
    [seq K (k %% C)%N (l %% C)%N ab.1 ab.2 |
       ab <- [seq (a, b) | a <- index_iota 0 kh, b <- index_iota 0 kw] &
       reads f.1 H p ab.1 row row' && reads f.2 W q ab.2 column column'].

End Entry.

Section Kernel.

Variables (R : comRingType) (C H W kh kw dilation p q : nat).
Implicit Types K : nat -> nat -> nat -> nat -> R.

Local Notation image := (image R C H W).
Local Notation pixel := (pixel H W).

(* The taps of a kernel: their offsets and weights. *)
Definition kernel_offset (ab : 'I_kh * 'I_kw) : int * int :=
  ((p%:Z - ab.1%:Z) * dilation%:Z, (q%:Z - ab.2%:Z) * dilation%:Z).
Definition kernel_weight K (ab : 'I_kh * 'I_kw) : 'M[R]_C := \matrix_(o, c) K o c ab.1 ab.2.

Definition kernel_conv K (f : corner) : image -> image :=
  conv kernel_offset (kernel_weight K) f.
Definition kernel_substitute K (f : corner) (B_inverse : 'M[R]_C) : image -> image :=
  substitute kernel_offset (kernel_weight K) f B_inverse.
Definition convolution_matrix K (f : corner) : 'M[R]_(H * W * C) :=
  \matrix_(k, l) entry 0 +%R C H W kh kw dilation p q K f k l.
Definition B K : 'M[R]_C := \matrix_(o, c) K o c p q.

(* The kernel of the transposed convolution: K_ab^T in the place of K_ab. *)
Definition transposed K : nat -> nat -> nat -> nat -> R := fun o c => K c o.

(* The arguments that Python accepts: the anchor is a tap, neighbouring taps are at least a pixel
   apart, and taps after the anchor in raster order are 0. Python: cinc_ref.geometry. *)
Definition accepted K : Prop :=
  [/\ (p < kh)%N, (q < kw)%N, (0 < dilation)%N &
      forall (o c : 'I_C) (a : 'I_kh) (b : 'I_kw),
        (p < a)%N || (a == p :> nat) && (q < b)%N -> K o c a b = 0].

(* ---- The definition of conv, and its matrix ---- *)

(* conv as the package defines it, padded at the top left, with the anchor (p, q), which is
   (kh - 1, kw - 1) unless given:

     conv(x)[o, i, j] = sum over c, a, b of K[o, c, a, b] x[c, i - (p - a) d, j - (q - b) d].

   Python: cinc_ref.conv. *)
Theorem conv_definition K (x : image) (s : pixel) (o : 'I_C) :
  kernel_conv K top_left x s o 0 =
  \sum_(c < C) \sum_(a < kh) \sum_(b < kw)
     K o c a b * read x (s.1%:Z - (p%:Z - a%:Z) * dilation%:Z)
                        (s.2%:Z - (q%:Z - b%:Z) * dilation%:Z) c 0.
Proof.
rewrite /kernel_conv /conv !flip_top_left ffunE /tap_sum summxE.
under [RHS]eq_bigr do rewrite pair_bigA /=.
rewrite exchange_big /=; apply: eq_bigr => -[a b] _; rewrite mxE.
by apply: eq_bigr => c _; rewrite mxE.
Qed.

(* y = flip(conv(flip(x), K)) for the padding at another corner. Python: cinc_ref.geometry.flip. *)
Theorem conv_at_a_corner K f (x : image) :
  kernel_conv K f x = flip f (kernel_conv K top_left (flip f x)).
Proof. by rewrite /kernel_conv /conv !flip_top_left. Qed.

Lemma reads_offset backwards n anchor a (i i' : 'I_n) :
  ((mirror backwards i')%:Z ==
     (mirror backwards i)%:Z - (anchor%:Z - a%:Z) * dilation%:Z) =
  reads dilation backwards n anchor a i i'.
Proof.
rewrite /reads mulrBl opprB addrA eq_sym subr_eq eq_sym -!PoszM -!PoszD eqz_nat.
by case: backwards.
Qed.

(* The entries that compute are those of the matrix of the taps. *)
Lemma convolution_matrix_of_taps K f :
  convolution_matrix K f = matrix_of_taps H W kernel_offset (kernel_weight K) f.
Proof.
apply/matrixP => k l; rewrite !mxE summxE /entry foldrE big_map big_filter big_mkcond.
rewrite big_allpairs big_mkord; under [LHS]eq_bigr do rewrite big_mkord.
rewrite pair_bigA [RHS]big_mkcond; apply: eq_bigr => -[a b] _ /=.
by rewrite !reads_offset mxE.
Qed.

(* "M is the matrix of conv": conv(x).ravel() = M x.ravel() in pixel-major order, for every image.
   Python: cinc_ref.convolution_matrix. *)
Theorem convolution_matrix_is_that_of_conv K f (x : image) :
  flatten (kernel_conv K f x) = convolution_matrix K f *m flatten x.
Proof. by rewrite convolution_matrix_of_taps matrix_of_conv. Qed.

(* ---- The kernel is a causal set of taps, and B is its corner block ---- *)

Lemma kernel_causal K : accepted K -> causal kernel_offset (kernel_weight K).
Proof.
case=> _ _ dilation_gt0 after_anchor [a b]; have d_gt0 : 0 < dilation%:Z by rewrite ltz_nat.
apply: contraNT; rewrite /not_later /= pmulr_lgt0 // pmulr_lge0 //.
rewrite mulf_eq0 (gt_eqF d_gt0) orbF subr_gt0 subr_ge0 subr_eq0 ltz_nat lez_nat eqz_nat => later.
apply/eqP/matrixP => o c; rewrite !mxE after_anchor //=.
by move: later; rewrite [a == p :> nat]eq_sym; case: ltngtP; rewrite //= -ltnNge.
Qed.

Lemma kernel_corner_block K : accepted K -> corner_block kernel_offset (kernel_weight K) = B K.
Proof.
case=> p_kh q_kw d_gt0 _; rewrite /corner_block (big_pred1 (Ordinal p_kh, Ordinal q_kw)).
  by apply/matrixP => o c; rewrite !mxE.
move=> [a b]; rewrite /kernel_offset !xpair_eqE !mulf_eq0 !subr_eq0 !eqz_nat /=.
by rewrite (gtn_eqF d_gt0) !orbF [p == a]eq_sym [q == b]eq_sym.
Qed.

(* ---- The theorems ---- *)

(* Theorem 1. "M is block lower triangular and all H W diagonal blocks are B", in pixel-major
   order and for the padding at the top left. Python: cinc_ref.theory.theorems.block_triangular. *)
Theorem kernel_block_triangular K :
  accepted K -> block_lower_triangular (B K) (convolution_matrix K top_left).
Proof.
move=> ok; rewrite convolution_matrix_of_taps -kernel_corner_block //.
exact: block_triangular (kernel_causal ok).
Qed.

(* Theorem 2. "det M = det(B)^(H W)", for every corner.
   Python: cinc_ref.theory.schwartz_zippel.determinant_at_random_points,
   cinc_ref.theory.exact_determinant. *)
Theorem kernel_determinant K f :
  accepted K -> \det (convolution_matrix K f) = \det (B K) ^+ (H * W).
Proof.
move=> ok; rewrite convolution_matrix_of_taps -kernel_corner_block //.
exact: determinant (kernel_causal ok) _.
Qed.

(* Theorem 2, triangular B. "log|det M| = H W sum_n log|K_nn|". Python: cinc_ref.log_abs_det. *)
Theorem kernel_determinant_triangular K f :
  accepted K -> is_trig_mx (B K) ->
  \det (convolution_matrix K f) = (\prod_(c < C) K c c p q) ^+ (H * W).
Proof.
move=> ok triangular; rewrite kernel_determinant // det_trig //.
by congr (_ ^+ _); apply: eq_bigr => c _; rewrite mxE.
Qed.

(* Theorem 3. "conv is invertible iff det B is a unit". Python: cinc_ref.theory.is_invertible. *)
Theorem kernel_invertible_iff K f :
  accepted K -> (0 < H * W)%N -> invertible (convolution_matrix K f) <-> is_unit (\det (B K)).
Proof.
move=> ok; rewrite convolution_matrix_of_taps -kernel_corner_block //.
exact: invertible_iff (kernel_causal ok) _.
Qed.

(* Theorem 3, second half. "If B v = 0 and v != 0, the image that holds v in its last pixel and 0
   elsewhere is not 0 and conv maps it to 0." Python: cinc_ref.theory.null_image. *)
Theorem kernel_null_image K f (v : 'cV[R]_C) :
  accepted K -> (0 < H * W)%N -> v != 0 -> B K *m v = 0 ->
  null_image H W f v != [ffun => 0] /\ kernel_conv K f (null_image H W f v) = [ffun => 0].
Proof.
move=> ok pixels v_neq0 Bv; split; first exact: null_image_is_not_0.
by apply: null_image_is_lost; [exact: kernel_causal | rewrite kernel_corner_block].
Qed.

(* Theorem 4. "The inverse is substitution in raster order", on both sides.
   Python: cinc_ref.conv_inverse, cinc_ref.theory.exact_inverse, and
   cinc_ref.theory.theorems.substitution_is_the_inverse. *)
Theorem kernel_substitution K f B_inverse (x : image) :
  accepted K -> B_inverse *m B K = 1%:M ->
  kernel_conv K f (kernel_substitute K f B_inverse x) = x /\
  kernel_substitute K f B_inverse (kernel_conv K f x) = x.
Proof.
move=> ok; rewrite -kernel_corner_block // => inverse; split.
  exact: (conv_of_substitute (kernel_causal ok) inverse).
exact: (substitute_of_conv (kernel_causal ok) inverse).
Qed.

(* Theorem 5. "A corner is a flip": M of another corner is J M J, J the permutation that flips the
   pixels. Python: cinc_ref.theory.theorems.corners_and_anchors_reduce. *)
Theorem kernel_corner_is_a_flip K f :
  convolution_matrix K f = J R C H W f *m convolution_matrix K top_left *m J R C H W f.
Proof. by rewrite !convolution_matrix_of_taps -corner_is_a_flip. Qed.

(* Theorem 7. "The transpose of M is the matrix of the opposite corner, with all blocks
   transposed". Python: cinc_ref.theory.exact_conv(..., transpose=True). *)
Theorem kernel_transpose K f :
  (convolution_matrix K f)^T = convolution_matrix (transposed K) (opposite f).
Proof.
rewrite !convolution_matrix_of_taps -transpose_is_the_opposite_corner.
by apply/matrixP => k l; rewrite !mxE !summxE; apply: eq_bigr => t _; rewrite !mxE.
Qed.

(* Theorem 7, second half. "The transposed substitution is the inverse of the transpose", on both
   sides: it is the substitution of the opposite corner, with all blocks transposed.
   Python: cinc_ref.theory.exact_inverse(..., transpose=True) and
   cinc_ref.theory.theorems.adjoint_is_transposed_substitution. *)
Theorem kernel_transposed_substitution K f (B_inverse : 'M[R]_C) (y : image) :
  accepted K -> B_inverse *m B K = 1%:M ->
  let transposed_substitute := kernel_substitute (transposed K) (opposite f) B_inverse^T in
  let M := convolution_matrix K f in
  M^T *m flatten (transposed_substitute y) = flatten y /\
  transposed_substitute (unflatten (M^T *m flatten y)) = y.
Proof.
move=> [p_kh q_kw d_gt0 after_anchor] inverse transposed_substitute M.
have ok : accepted (transposed K) by split=> // o c a b; apply: after_anchor.
have inverse_transposed : B_inverse^T *m B (transposed K) = 1%:M.
  have -> : B (transposed K) = (B K)^T by apply/matrixP => o c; rewrite !mxE.
  by rewrite -trmx_mul (mulmx1C inverse) trmx1.
rewrite /M kernel_transpose -!convolution_matrix_is_that_of_conv flattenK.
have [right left] := kernel_substitution (opposite f) y ok inverse_transposed.
by split; [congr flatten; exact: right | exact: left].
Qed.

End Kernel.

(* Theorem 3 in the paper: "M is invertible iff K_nn != 0", for one channel over a field.
   Python: cinc_ref.theory.is_invertible. *)
Theorem paper_characterization (F : fieldType) H W kh kw dilation p q
    (K : nat -> nat -> nat -> nat -> F) f :
  accepted 1 kh kw dilation p q K -> (0 < H * W)%N ->
  (convolution_matrix 1 H W kh kw dilation p q K f \in unitmx) = (K 0%N 0%N p q != 0).
Proof.
by move=> ok pixels; rewrite unitmxE kernel_determinant // unitrX_pos // unitfE det_mx11 mxE.
Qed.

(* Theorem 3 over an integral domain, for instance the integers or a field: if det B = 0, conv maps
   some image to 0 that is not 0. Python: cinc_ref.theory.null_image. *)
Theorem singular_kernel_loses_an_image (R : idomainType) C H W kh kw dilation p q
    (K : nat -> nat -> nat -> nat -> R) f :
  accepted C kh kw dilation p q K -> (0 < H * W)%N -> \det (B C p q K) = 0 ->
  exists2 x : image R C H W, x != [ffun => 0] & kernel_conv kh kw dilation p q K f x = [ffun => 0].
Proof.
move=> ok pixels; rewrite -(kernel_corner_block ok).
exact: singular_loses_an_image (kernel_causal ok) _.
Qed.
