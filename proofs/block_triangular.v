(* Block triangular matrices whose diagonal blocks are all the same.

   A matrix of n x n blocks of size C has the row k = a C + b, where a = k %/ C is the number of
   the block and b = k %% C the row in it. *)

From mathcomp Require Import all_ssreflect all_fingroup all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory.
Local Open Scope ring_scope.

Section BlockTriangular.

Variables (R : comRingType) (C : nat) (B : 'M[R]_C).

(* Above the diagonal all blocks are 0, and on it they are B. *)
Definition block_lower_triangular n (M : 'M[R]_(n * C)) : Prop :=
  (forall k l : 'I_(n * C), (k %/ C < l %/ C)%N -> M k l = 0) /\
  (forall (k l : 'I_(n * C)) (b b' : 'I_C),
     (k %/ C = l %/ C)%N -> (k %% C = b)%N -> (l %% C = b')%N -> M k l = B b b').

(* The determinant of such a matrix is det(B)^n, by induction over the blocks: n.+1 * C is
   C + n * C, the first block row is (B, 0), and the rest is again of this kind. *)
Lemma det_block_lower_triangular n (M : 'M[R]_(n * C)) :
  block_lower_triangular M -> \det M = \det B ^+ n.
Proof.
elim: n M => [|n IH] M [above diagonal]; first by rewrite det_mx00.
have small (b : 'I_C) : (b %/ C = 0)%N /\ (b %% C = b)%N by rewrite divn_small ?modn_small.
have shift (k : 'I_(n * C)) : ((C + k) %/ C = (k %/ C).+1)%N /\ ((C + k) %% C = k %% C)%N.
  have C_gt0 : (0 < C)%N by case: C k => [[k]|//]; rewrite muln0.
  by rewrite modnDl divnDl ?dvdnn // divnn C_gt0.
move: M above diagonal; rewrite -[(n.+1 * C)%N]/(C + n * C)%N => M above diagonal.
have top_left : ulsubmx M = B.
  by apply/matrixP => b b'; rewrite !mxE; apply: diagonal; rewrite /= ?(small _).1 ?(small _).2.
have top_right : ursubmx M = 0.
  by apply/matrixP => b k; rewrite !mxE; apply: above; rewrite /= (small _).1 (shift _).1.
rewrite -(submxK M) top_left top_right det_lblock exprS; congr (_ * _); apply: IH.
split=> [k l before | k l b b' same rows columns]; rewrite !mxE.
  by apply: above; rewrite /= !(shift _).1 ltnS.
by apply: diagonal; rewrite /= ?(shift _).1 ?(shift _).2 ?same.
Qed.

End BlockTriangular.
