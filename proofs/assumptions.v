(* What the theorems assume beyond their hypotheses: nothing. Each command prints "Closed under the
   global context". *)

From CInC Require Import images convolution block_triangular theorem kernel causal_order.

(* For all tap sets that are causal in raster order. *)
Print Assumptions matrix_of_conv.
Print Assumptions order_of_indices.
Print Assumptions det_block_lower_triangular.
Print Assumptions block_above.
Print Assumptions block_diagonal.
Print Assumptions block_triangular.
Print Assumptions determinant.
Print Assumptions invertible_iff.
Print Assumptions unit_iff.
Print Assumptions null_image_is_lost.
Print Assumptions singular_loses_an_image.
Print Assumptions conv_of_substitute.
Print Assumptions substitute_of_conv.
Print Assumptions substitute_is_the_inverse_matrix.
Print Assumptions corner_is_a_flip.
Print Assumptions transpose_is_the_opposite_corner.
Print Assumptions determinant_triangular.
Print Assumptions matrix_of_transposed_conv.
Print Assumptions adjoint.
Print Assumptions transposed_conv_of_substitute.
Print Assumptions transposed_substitute_of_conv.
Print Assumptions adjoint_of_substitute.
Print Assumptions change_with_the_kernel.

(* For kernels with a dilation, an anchor and a corner. *)
Print Assumptions conv_definition.
Print Assumptions conv_at_a_corner.
Print Assumptions convolution_matrix_is_that_of_conv.
Print Assumptions kernel_block_triangular.
Print Assumptions kernel_determinant.
Print Assumptions kernel_determinant_triangular.
Print Assumptions kernel_invertible_iff.
Print Assumptions kernel_null_image.
Print Assumptions kernel_substitution.
Print Assumptions kernel_corner_is_a_flip.
Print Assumptions kernel_transpose.
Print Assumptions kernel_transposed_substitution.
Print Assumptions paper_characterization.
Print Assumptions singular_kernel_loses_an_image.

(* For orders of the pixels other than raster order. *)
Print Assumptions raster_is_an_order.
Print Assumptions conv_of_substitute_by.
Print Assumptions substitute_by_of_conv.
Print Assumptions direction_orders.
Print Assumptions cycle_has_no_order.
