(* Theorem 8: the orders of the pixels in which a tap set is causal, for every commutative ring, all
   C, H, W and every set of taps.

   An order is given by a rank: pixels are solved rank by rank, those of one rank in any order or at
   once (raster order; the anti-diagonals of a wavefront; a direction n, by n . s). *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.
From CInC Require Import images convolution.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Ranks.

Variables (R : comRingType) (C : nat) (tap : finType) (offset : tap -> int * int).
Variable K : tap -> 'M[R]_C.

(* Every pixel reads only itself and pixels of a smaller rank. *)
Definition causal_by H W (rank : pixel H W -> nat) : Prop :=
  forall t (s s' : pixel H W), K t != 0 -> offset t != (0, 0) ->
    s'.1%:Z = s.1%:Z - (offset t).1 -> s'.2%:Z = s.2%:Z - (offset t).2 -> (rank s' < rank s)%N.

Section Substitution.

Variables (H W : nat) (rank : pixel H W -> nat) (ranks : nat).
Hypotheses (rank_bound : forall s, (rank s < ranks)%N) (K_causal : causal_by rank).

Local Notation image := (image R C H W).
Local Notation pixel := (pixel H W).
Local Notation B := (corner_block offset K).
Local Notation others := [pred t | offset t != (0, 0)].
Local Notation rest := (tap_sum offset K others).

(* The substitution, rank after rank: all pixels of one rank are solved at once. *)
Fixpoint substituted_by (B_inverse : 'M[R]_C) (y : image) (n : nat) : image :=
  if n is n'.+1 then
    let x := substituted_by B_inverse y n' in
    [ffun s => if rank s == n' then B_inverse *m (y s - rest x s) else x s]
  else [ffun => 0].
Definition substitute_by B_inverse y := substituted_by B_inverse y ranks.

Lemma rest_earlier (x x' : image) s :
  (forall s', (rank s' < rank s)%N -> x s' = x' s') -> rest x s = rest x' s.
Proof.
move=> same; apply: eq_bigr => t o_t; have [->|K_t] := eqVneq (K t) 0; first by rewrite !mul0mx.
have [[s' [row column] reads] | [outside _]] :=
  @readP R C H W (s.1%:Z - (offset t).1) (s.2%:Z - (offset t).2); last by rewrite !outside.
by rewrite !reads same // (K_causal K_t o_t).
Qed.

Variables (B_inverse : 'M[R]_C) (B_inverseP : B_inverse *m B = 1%:M).

Lemma substituted_by_stable (y : image) (s : pixel) n m : (rank s < n <= m)%N ->
  substituted_by B_inverse y m s = substituted_by B_inverse y n s.
Proof.
case/andP=> before; elim: m => [|m IH]; first by rewrite leqn0 => /eqP ->.
rewrite leq_eqVlt => /orP[/eqP -> // | le]; rewrite /= ffunE (IH le).
by case: eqP => // e; move: (leq_trans before le); rewrite e ltnn.
Qed.

Lemma substitute_byE (y : image) (s : pixel) :
  let x := substitute_by B_inverse y in x s = B_inverse *m (y s - rest x s).
Proof.
rewrite /= {1}/substitute_by (@substituted_by_stable y s (rank s).+1) ?ltnSn ?rank_bound //.
rewrite /= ffunE eqxx; congr (_ *m (_ - _)); apply: rest_earlier => s' before.
by rewrite /substitute_by (@substituted_by_stable y s' (rank s)) // before ltnW ?rank_bound.
Qed.

(* "Substitution in any such order is the inverse": conv(substitute(y)) = y ...
   Python: cinc_ref.theory.causal_order. *)
Theorem conv_of_substitute_by (y : image) :
  conv_top_left offset K (substitute_by B_inverse y) = y.
Proof.
apply/ffunP => s; rewrite ffunE tap_sum_split substitute_byE mulmxA.
by rewrite (mulmx1C B_inverseP) mul1mx subrK.
Qed.

(* ... and substitute(conv(x)) = x. Python: cinc_ref.theory.causal_order. *)
Theorem substitute_by_of_conv (x : image) :
  substitute_by B_inverse (conv_top_left offset K x) = x.
Proof.
apply/ffunP => s; have [n] := ubnP (rank s); elim: n s => // n IH s bound.
rewrite substitute_byE ffunE tap_sum_split (rest_earlier (x' := x)) => [|s' before]; last first.
  by apply: IH; apply: leq_trans before _.
by rewrite addrK mulmxA B_inverseP mul1mx.
Qed.

End Substitution.

(* Raster order is one of them where the taps are causal in raster order, and the substitution of
   convolution.v is the one by this rank. Python: cinc_ref.theory.exact_inverse. *)
Theorem raster_is_an_order H W : causal offset K -> causal_by (@number H W).
Proof.
move=> K_causal t s s' K_t o_t row column.
have [le eq] := order_of_indices (K_causal t K_t) row column.
by rewrite ltn_neqAle le andbT; apply: contraNneq o_t => /eq ->.
Qed.

(* "Given a direction n with n . t > 0 for all taps t but (0, 0), order the pixels by n . s": for
   every image size. Python: cinc_ref.theory.causal_order, whose taps are the offsets -t. *)
Theorem direction_orders (n : int * int) :
  (forall t, K t != 0 -> offset t != (0, 0) -> 0 < n.1 * (offset t).1 + n.2 * (offset t).2) ->
  forall H W, exists rank : pixel H W -> nat, causal_by rank.
Proof.
move=> positive H W; pose lowest := (`|n.1| * H%:Z + `|n.2| * W%:Z).
pose value (s : pixel H W) := n.1 * s.1%:Z + n.2 * s.2%:Z + lowest.
have value_ge0 s : 0 <= value s.
  have above (a : int) m (i : 'I_m) : 0 <= a * i%:Z + `|a| * m%:Z.
    rewrite -ler_subl_addr sub0r ler_oppl; apply: le_trans (ler_norm _) _.
    by rewrite normrN normrM ler_wpmul2l // ger0_norm // lez_nat ltnW.
  by rewrite /value /lowest addrACA addr_ge0 ?above.
exists (fun s => `|value s|%N) => t s s' K_t o_t row column.
rewrite -ltz_nat !gez0_abs // /value row column !mulrBr ltr_add2r.
rewrite addrACA -opprD ltr_subl_addr ltr_addl.
exact: positive.
Qed.

(* A step of a walk that stays inside the image, with room for L more pixels on either side. *)
Lemma step_inside (n m L : nat) (u : int) :
  (`|u| + L <= m)%N -> (m + (`|u| + L) < n)%N ->
  exists a : 'I_n, [/\ a%:Z = m%:Z - u, (L <= a)%N & (a + L < n)%N].
Proof.
case: u => p; rewrite ?absz_nat ?NegzE ?abszN ?absz_nat => low high.
  have p_m : (p <= m)%N by apply: leq_trans (leq_addr _ _) low.
  have bound : (m - p + L < n)%N.
    by apply: leq_ltn_trans high; rewrite leq_add ?leq_subr ?leq_addl.
  exists (Ordinal (leq_ltn_trans (leq_addr L _) bound)); split=> //=; first by rewrite subzn.
  by rewrite leq_subRL.
have bound : (m + p.+1 + L < n)%N by rewrite -addnA.
exists (Ordinal (leq_ltn_trans (leq_addr L _) bound)); split=> //=.
by apply: leq_trans (leq_addr _ _); apply: leq_trans (leq_addl _ _) low.
Qed.

(* Along a walk the rank falls by one at least with every step. *)
Lemma rank_falls n (rank : pixel n n -> nat) (walk : seq tap) (s : pixel n n) :
  let length := (\sum_(t <- walk) (`|(offset t).1| + `|(offset t).2|))%N in
  causal_by rank -> (forall t, t \in walk -> K t != 0 /\ offset t != (0, 0)) ->
  (length <= s.1)%N -> (s.1 + length < n)%N -> (length <= s.2)%N -> (s.2 + length < n)%N ->
  exists s' : pixel n n, [/\ s'.1%:Z = s.1%:Z - \sum_(t <- walk) (offset t).1,
    s'.2%:Z = s.2%:Z - \sum_(t <- walk) (offset t).2 & (rank s' + size walk <= rank s)%N].
Proof.
move=> /= causal; elim: walk s => [|t walk IH] s taps.
  by move=> *; exists s; rewrite !big_nil !subr0 addn0.
rewrite !big_cons; set L := (\sum_(_ <- _) _)%N in IH *.
set u := (offset t).1; set v := (offset t).2.
move=> low1 high1 low2 high2; have [K_t o_t] := taps t (mem_head _ _).
have [a [row low_a high_a]] : exists a : 'I_n, [/\ a%:Z = s.1%:Z - u, (L <= a)%N & (a + L < n)%N].
  apply: step_inside; first by apply: leq_trans low1; rewrite leq_add2r leq_addr.
  by apply: leq_ltn_trans high1; rewrite leq_add2l leq_add2r leq_addr.
have [b [column low_b high_b]] :
    exists b : 'I_n, [/\ b%:Z = s.2%:Z - v, (L <= b)%N & (b + L < n)%N].
  apply: step_inside; first by apply: leq_trans low2; rewrite leq_add2r leq_addl.
  by apply: leq_ltn_trans high2; rewrite leq_add2l leq_add2r leq_addl.
have [|s' [row' column' falls]] := IH (a, b) _ low_a high_a low_b high_b.
  by move=> t' in_walk; apply: taps; rewrite inE in_walk orbT.
exists s'; rewrite row' column' /= row column !opprD !addrA; split=> //.
rewrite addnS -addSn; apply: leq_trans (causal t s (a, b) K_t o_t row column).
by rewrite addSn ltnS.
Qed.

(* "Given weights m_t with sum m_t t = 0, there is no order": on an image that is large enough to
   follow each tap m_t times. The walk is the list of these taps; it ends where it began.
   Python: cinc_ref.theory.causal_order. *)
Theorem cycle_has_no_order (walk : seq tap) :
  walk != [::] -> (forall t, t \in walk -> K t != 0 /\ offset t != (0, 0)) ->
  \sum_(t <- walk) (offset t).1 = 0 -> \sum_(t <- walk) (offset t).2 = 0 ->
  exists n, forall rank : pixel n n -> nat, ~ causal_by rank.
Proof.
move=> some taps sum1 sum2; pose L := (\sum_(t <- walk) (`|(offset t).1| + `|(offset t).2|))%N.
exists (L + L).+1 => rank causal; pose middle : 'I_(L + L).+1 := inord L.
have middleE : middle = L :> nat by rewrite inordK // ltnS leq_addr.
have [||||s' []] := @rank_falls _ rank walk (middle, middle) causal taps; rewrite /= ?middleE //.
rewrite sum1 sum2 !subr0 => /eqP row /eqP column; rewrite !eqz_nat in row column.
have -> : s' = (middle, middle).
  case: s' row column => i j /= /eqP i_m /eqP j_m.
  by congr (_, _); apply: val_inj; rewrite /= middleE.
by rewrite -{2}[rank _]addn0 leq_add2l leqn0 size_eq0 (negbTE some).
Qed.

End Ranks.
