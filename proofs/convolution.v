(* The convolution from its definition, its matrix, and the substitution.

   A tap is an offset (u, v), "u rows up and v columns left", with a C x C block of weights:

     conv(x)[i, j] = sum over the taps t of K_t x[i - u_t, j - v_t],    x = 0 outside the image.

   A kernel of shape (C, C, kh, kw) with dilation and anchor is such a set of taps: kernel.v. *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.
From CInC Require Import images.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(* The pixel itself, or one before it in raster order: a row above, or the same row and not to
   the right. *)
Definition not_later (offset : int * int) : bool :=
  (0 < offset.1) || (offset.1 == 0) && (0 <= offset.2).

Section Taps.

Variables (R : comRingType) (C H W : nat).
Variables (tap : finType) (offset : tap -> int * int).

Local Notation image := (image R C H W).
Local Notation pixel := (pixel H W).

Section Definitions.

Variable K : tap -> 'M[R]_C.

(* The sum over some of the taps, read at pixel s. *)
Definition tap_sum (some : pred tap) (x : image) (s : pixel) : 'cV[R]_C :=
  \sum_(t | some t) K t *m read x (s.1%:Z - (offset t).1) (s.2%:Z - (offset t).2).

(* conv with the padding at the top left corner, and at any corner.
   Python: cinc_ref.conv, cinc_ref.theory.exact_conv. *)
Definition conv_top_left (x : image) : image := [ffun s => tap_sum predT x s].
Definition conv (f : corner) (x : image) : image := flip f (conv_top_left (flip f x)).

(* The corner block B, the taps that read the pixel itself. *)
Definition corner_block : 'M[R]_C := \sum_(t | offset t == (0, 0)) K t.

(* Tap sets that are causal in raster order. *)
Definition causal : Prop := forall t, K t != 0 -> not_later (offset t).

(* What pixel s reads from pixel s', and the matrix of conv. *)
Definition block (f : corner) (s s' : pixel) : 'M[R]_C :=
  \sum_(t | ((flip_pixel f s').1%:Z == (flip_pixel f s).1%:Z - (offset t).1) &&
            ((flip_pixel f s').2%:Z == (flip_pixel f s).2%:Z - (offset t).2)) K t.
Definition matrix_of_taps (f : corner) : 'M[R]_(H * W * C) :=
  \matrix_(k, l) block f (pixel_of k) (pixel_of l) (channel_of k) (channel_of l).

(* Substitution in raster order: from the image 0, pixel after pixel,

     x[s] = B^-1 (y[s] - sum over the other taps of K_t x[earlier pixel]).

   Python: cinc_ref.conv_inverse, cinc_ref.theory.exact_inverse. *)
Fixpoint substituted (B_inverse : 'M[R]_C) (y : image) (pixels : nat) : image :=
  if pixels is n.+1 then
    let x := substituted B_inverse y n in
    [ffun s => if number s == n
               then B_inverse *m (y s - tap_sum [pred t | offset t != (0, 0)] x s)
               else x s]
  else [ffun => 0].
Definition substitute_top_left B_inverse y := substituted B_inverse y (H * W).
Definition substitute (f : corner) B_inverse (y : image) : image :=
  flip f (substitute_top_left B_inverse (flip f y)).

End Definitions.

(* The same convolution seen from its output: the pixels reversed, which is the opposite corner,
   and the blocks transposed. Python: cinc_ref.theory.exact_conv and
   cinc_ref.theory.exact_inverse with transpose=True. *)
Definition transposed_conv (K : tap -> 'M[R]_C) f := conv (fun t => (K t)^T) (opposite f).
Definition transposed_substitute (K : tap -> 'M[R]_C) f (B_inverse : 'M[R]_C) :=
  substitute (fun t => (K t)^T) (opposite f) B_inverse^T.

(* ---- The matrix is that of the convolution ---- *)

Lemma tap_sum_blocks K x s :
  tap_sum K predT x s = \sum_(s' : 'I_H * 'I_W) block K top_left s s' *m x s'.
Proof.
rewrite /tap_sum; under eq_bigr do rewrite read_sum mulmx_sumr.
under [RHS]eq_bigr do rewrite /block mulmx_suml.
by rewrite (exchange_big_dep predT).
Qed.

Lemma convE K f x s : conv K f x s = \sum_(s' : 'I_H * 'I_W) block K f s s' *m x s'.
Proof.
rewrite !ffunE tap_sum_blocks (reindex_inj (inv_inj (@flip_pixelK H W f))) /=.
by apply: eq_bigr => s' _; rewrite ffunE flip_pixelK.
Qed.

(* "M is the matrix of conv": conv(x).ravel() = M x.ravel(), in pixel-major order.
   Python: cinc_ref.convolution_matrix. *)
Theorem matrix_of_conv K f x : flatten (conv K f x) = matrix_of_taps K f *m flatten x.
Proof.
apply/colP => k; rewrite !mxE convE summxE.
under eq_bigr do rewrite mxE.
rewrite pair_bigA /= (reindex (fun l : 'I_(H * W * C) => (pixel_of l, channel_of l))) /=.
  by apply: eq_bigr => l _; rewrite !mxE.
exists (fun p => position p.1 p.2) => [l _ | [s c] _] /=; first exact: position_of.
by rewrite pixel_of_position channel_of_position.
Qed.

(* ---- The order of indices ---- *)

(* A tap that is not later reads a pixel whose number is not larger, and the same pixel only
   with the offset 0. Python: cinc_ref.theory.prove (formulas 1 to 3). *)
Lemma order_of_indices (s s' : pixel) (o : int * int) :
  not_later o -> s'.1%:Z = s.1%:Z - o.1 -> s'.2%:Z = s.2%:Z - o.2 ->
  (number s' <= number s)%N /\ (number s' = number s -> o = (0, 0)).
Proof.
case: s s' o => [i j] [i' j'] [u v]; rewrite /not_later /number /= => order row column.
have eu : u = i%:Z - i'%:Z by rewrite row opprB addrC subrK.
have ev : v = j%:Z - j'%:Z by rewrite column opprB addrC subrK.
have {order} [above | [same left]] : (i' < i)%N \/ i' = i /\ (j' <= j)%N.
  case/orP: order => [|/andP[]]; rewrite ?eu ?ev ?subr_gt0 ?subr_eq0 ?subr_ge0.
    by rewrite ltz_nat; left.
  by move=> /eqP[e]; rewrite lez_nat; right; split; first exact: val_inj.
- have before : (i' * W + j' < i * W + j)%N.
    apply: (@leq_trans (i'.+1 * W)); first by rewrite mulSn addnC ltn_add2r.
    exact: leq_trans (leq_mul above (leqnn W)) (leq_addr _ _).
  by split=> [|e]; [exact: ltnW | rewrite e ltnn in before].
rewrite same; split=> [|/addnI e]; first by rewrite leq_add2l.
by rewrite eu ev same e !subrr.
Qed.

(* ---- Reading a causal tap set ---- *)

Section Causal.

Variables (K : tap -> 'M[R]_C) (K_causal : causal K).
Local Notation B := (corner_block K).
Local Notation others := [pred t | offset t != (0, 0)].

Lemma read_no_later t (s : pixel) : K t != 0 -> offset t != (0, 0) ->
  (forall x : image, read x (s.1%:Z - (offset t).1) (s.2%:Z - (offset t).2) = 0) \/
  exists2 s' : pixel, (number s' < number s)%N &
    forall x : image, read x (s.1%:Z - (offset t).1) (s.2%:Z - (offset t).2) = x s'.
Proof.
move=> K_t o_t.
have [[s' [row column] reads] | [outside _]] :=
  @readP R C H W (s.1%:Z - (offset t).1) (s.2%:Z - (offset t).2); last by left.
right; exists s' => //.
have [le eq] := order_of_indices (K_causal K_t) (esym row) (esym column).
by rewrite ltn_neqAle le andbT; apply: contraNneq o_t => /eq ->.
Qed.

Lemma tap_sum_earlier (x x' : image) s :
  (forall s', (number s' < number s)%N -> x s' = x' s') ->
  tap_sum K others x s = tap_sum K others x' s.
Proof.
move=> same; apply: eq_bigr => t o_t.
have [->|K_t] := eqVneq (K t) 0; first by rewrite !mul0mx.
have [none | [s' before reads]] := read_no_later s K_t o_t; first by rewrite !none.
by rewrite !reads same.
Qed.

Lemma tap_sum_split (x : image) s :
  tap_sum K predT x s = B *m x s + tap_sum K others x s.
Proof.
rewrite /tap_sum (bigID [pred t | offset t == (0, 0)]) /=; congr (_ + _).
rewrite mulmx_suml; apply: eq_bigr => t /eqP ->.
by rewrite !subr0 read_pixel.
Qed.

End Causal.

End Taps.
