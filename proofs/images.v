(* Images, pixels in raster order, flips, and zero padding.

   An image has H rows, W columns and C channels with entries in a commutative
   ring R. Nothing here depends on a kernel. *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory.
Local Open Scope ring_scope.

(* Quotient, remainder and m * n: the two digits of an index below m * n. *)

Section Digits.

Variables m n : nat.

Lemma ltn_quotient (k : 'I_(m * n)) : (k %/ n < m)%N.
Proof.
case: n k => [|n'] k; first by case: k => k; rewrite muln0.
by rewrite ltn_divLR.
Qed.

Lemma ltn_remainder (k : 'I_(m * n)) : (k %% n < n)%N.
Proof.
case: n k => [|n'] k; first by case: k => k; rewrite muln0.
by rewrite ltn_mod.
Qed.

Lemma ltn_index (i : 'I_m) (j : 'I_n) : (i * n + j < m * n)%N.
Proof.
by apply: (@leq_trans (i.+1 * n)); rewrite ?leq_mul // mulSn addnC ltn_add2r.
Qed.

Definition quotient k : 'I_m := Ordinal (ltn_quotient k).
Definition remainder k : 'I_n := Ordinal (ltn_remainder k).
Definition index i j : 'I_(m * n) := Ordinal (ltn_index i j).

Lemma quotient_index i j : quotient (index i j) = i.
Proof.
apply: val_inj => /=; have n_gt0 : (0 < n)%N by case: n j => [[]|].
by rewrite divnMDl // divn_small // addn0.
Qed.

Lemma remainder_index i j : remainder (index i j) = j.
Proof. by apply: val_inj => /=; rewrite modnMDl modn_small. Qed.

Lemma index_digits k : index (quotient k) (remainder k) = k.
Proof. by apply: val_inj => /=; rewrite -divn_eq. Qed.

End Digits.

Notation top_left := (false, false).

Section Images.

Variables (R : comRingType) (C H W : nat).

(* A pixel is (row, column). *)
Definition pixel : Type := ('I_H * 'I_W)%type.

(* An image gives every pixel a column of C channels: x[c, i, j] is [x (i, j) c 0]. *)
Definition image : Type := {ffun 'I_H * 'I_W -> 'cV[R]_C}.

(* The number of a pixel in raster order, i W + j. *)
Definition number (s : pixel) : nat := (s.1 * W + s.2)%N.

(* Row and column k = (i W + j) C + c of the matrix stand for channel c of pixel (i, j):
   pixel-major order, as in Python: cinc_ref.convolution_matrix. *)
Definition pixel_of (k : 'I_(H * W * C)) : pixel :=
  (quotient (quotient k), remainder (quotient k)).
Definition channel_of (k : 'I_(H * W * C)) : 'I_C := remainder k.
Definition position (s : pixel) (c : 'I_C) : 'I_(H * W * C) := index (index s.1 s.2) c.

(* The image as one column: x.transpose(1, 2, 0).ravel() in Python. *)
Definition flatten (x : image) : 'cV[R]_(H * W * C) :=
  \col_k x (pixel_of k) (channel_of k) 0.
Definition unflatten (v : 'cV[R]_(H * W * C)) : image :=
  [ffun s => \col_c v (position s c) 0].

(* Zero padding: the image at integer coordinates, and 0 outside it. *)
Definition read (x : image) (i j : int) : 'cV[R]_C :=
  if (i, j) is (Posz i', Posz j') then
    if (insub i', insub j') is (Some row, Some column) then x (row, column) else 0
  else 0.

(* A corner is a pair of truth values: whether the rows run backwards (the corner is at the
   bottom) and whether the columns do (it is at the right).
   Python: cinc_ref.geometry.Geometry.flips. *)
Definition corner : Type := (bool * bool)%type.
Definition opposite (f : corner) : corner := (~~ f.1, ~~ f.2).

Definition mirror n (backwards : bool) (i : 'I_n) : 'I_n :=
  if backwards then rev_ord i else i.
Definition flip_pixel (f : corner) (s : pixel) : pixel := (mirror f.1 s.1, mirror f.2 s.2).
Definition flip (f : corner) (x : image) : image := [ffun s => x (flip_pixel f s)].

(* ---- Elementary facts ---- *)

Lemma pixel_of_position s c : pixel_of (position s c) = s.
Proof. by rewrite /pixel_of !quotient_index remainder_index; case: s. Qed.

Lemma channel_of_position s c : channel_of (position s c) = c.
Proof. exact: remainder_index. Qed.

Lemma position_of k : position (pixel_of k) (channel_of k) = k.
Proof. by rewrite /position !index_digits. Qed.

Lemma number_pixel_of k : number (pixel_of k) = (k %/ C)%N.
Proof. by rewrite /number /= -divn_eq. Qed.

Lemma number_bound s : (number s < H * W)%N.
Proof. exact: ltn_index. Qed.

Lemma number_inj : injective number.
Proof.
move=> [i j] [i' j'] /= same; have /val_inj e : val (index i j) = val (index i' j') by [].
have := congr1 (@quotient _ _) e; have := congr1 (@remainder _ _) e.
by rewrite !quotient_index !remainder_index => -> ->.
Qed.

Lemma flattenK : cancel flatten unflatten.
Proof.
move=> x; apply/ffunP => s; rewrite ffunE; apply/colP => c.
by rewrite !mxE pixel_of_position channel_of_position.
Qed.

Lemma unflattenK : cancel unflatten flatten.
Proof. by move=> v; apply/colP => k; rewrite mxE ffunE mxE position_of. Qed.

Lemma mirrorK n b : involutive (@mirror n b).
Proof. by case: b => i; rewrite /mirror ?rev_ordK. Qed.

Lemma flip_pixelK f : involutive (flip_pixel f).
Proof. by case=> i j; rewrite /flip_pixel /= !mirrorK. Qed.

Lemma flipK f : involutive (flip f).
Proof. by move=> x; apply/ffunP => s; rewrite !ffunE flip_pixelK. Qed.

Lemma flip_top_left x : flip top_left x = x.
Proof. by apply/ffunP => -[i j]; rewrite ffunE. Qed.

(* Backwards, what lies before a place lies behind it. *)
Lemma mirror_opposite n b (i i' : 'I_n) (u : int) :
  ((mirror (~~ b) i')%:Z == (mirror (~~ b) i)%:Z - u) = ((mirror b i)%:Z == (mirror b i')%:Z - u).
Proof.
have rev_int (a : 'I_n) : (rev_ord a)%:Z = n%:Z - a.+1%:Z by rewrite /= subzn.
have turn (a a' : 'I_n) :
    ((rev_ord a')%:Z == (rev_ord a)%:Z - u) = (a%:Z == a'%:Z - u).
  rewrite !rev_int -addrA -opprD (inj_eq (addrI _)) (inj_eq oppr_inj) !intS -addrA.
  by rewrite (inj_eq (addrI _)) [RHS]eq_sym subr_eq.
by case: b; rewrite /mirror /= turn ?rev_ordK // -[in RHS]turn !rev_ordK.
Qed.

(* The padded image is 0, whatever the image is, or the image at one pixel. *)
Lemma read_pixel x (s : pixel) : read x s.1%:Z s.2%:Z = x s.
Proof. by case: s => i j; rewrite /read /= !valK. Qed.

Lemma readP i j :
  (exists2 s : pixel, i = s.1%:Z /\ j = s.2%:Z & forall x, read x i j = x s) \/
  ((forall x, read x i j = 0) /\ forall s : pixel, ~~ ((s.1%:Z == i) && (s.2%:Z == j))).
Proof.
case: i j => [i|i] [j|j]; rewrite /read; try by right; split=> // -[a b]; rewrite ?andbF.
case: insubP => [a _ <-|out_i]; last first.
  right; split=> // -[a b] /=; apply/negP => /andP[/eqP[e] _].
  by move: out_i; rewrite -e ltn_ord.
case: insubP => [b _ <-|out_j]; last first.
  right; split=> // -[a' b] /=; apply/negP => /andP[_ /eqP[e]].
  by move: out_j; rewrite -e ltn_ord.
by left; exists (a, b).
Qed.

Lemma read_sum x i j : read x i j = \sum_(s : 'I_H * 'I_W | (s.1%:Z == i) && (s.2%:Z == j)) x s.
Proof.
have [[s [-> ->] ->] | [-> none]] := readP i j; last first.
  by rewrite big_pred0 // => s; apply/negbTE/none.
by rewrite (big_pred1 s) // => -[a b]; case: s.
Qed.

Lemma read0 i j : read [ffun => 0] i j = 0.
Proof. by rewrite read_sum big1 // => s _; rewrite ffunE. Qed.

End Images.
