"""A register block as a Numba type: `rows` SIMD vectors of `lanes` numbers each.

A loop over plain arrays keeps its accumulators in memory and leaves the choice of vectors to the
compiler. A `Block` is a value, an LLVM array of vectors, which an ordinary ``for`` loop carries in
registers. Five operations on it are all that the kernels need; `rows` and `lanes` are literal
integers, so that one source gives every size. Arrays are one-dimensional, contiguous and addressed
by element; nothing is checked. Without the compiler, `blocks_interpreted` stands in.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model


class Block(types.Type):
    """`rows` vectors of `lanes` floats."""

    def __init__(self, dtype, rows, lanes):
        self.dtype, self.rows, self.lanes = dtype, rows, lanes
        super().__init__(f"Block({dtype}, {rows}, {lanes})")


@register_model(Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager, block):
        vector = ir.VectorType(manager.lookup(block.dtype).get_value_type(), block.lanes)
        super().__init__(manager, block, ir.ArrayType(vector, block.rows))


@intrinsic(prefer_literal=True)
def load(typingctx, array, index, places, first, rows, lanes):
    """Row r holds the `lanes` elements of `array` from ``index + places[first + r]`` on."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        array, index, places, first = arguments[:4]
        result = ir.Constant(context.get_value_type(block), ir.Undefined)
        for r in range(block.rows):
            place = _entry(context, builder, signature.args[2], places, first, r)
            place = builder.add(index, place)
            pointer = _vector_pointer(context, builder, signature.args[0], array, place, block)
            vector = builder.load(pointer, align=_alignment(block))
            result = builder.insert_value(result, vector, r)
        return result

    return block(array, types.intp, places, types.intp, rows, lanes), generate


@intrinsic(prefer_literal=True)
def zeros(typingctx, array, rows, lanes):
    """A block of zeros, of the dtype of `array`."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(block), None)

    return block(array, rows, lanes), generate


@intrinsic
def store(typingctx, array, index, places, first, block):
    """The elements of `array` from ``index + places[first + r]`` on become row r.

    The last row is written first, so that of rows that share a place the first one stays.
    """

    def generate(context, builder, signature, arguments):
        array, index, places, first, value = arguments
        for r in reversed(range(block.rows)):
            place = _entry(context, builder, signature.args[2], places, first, r)
            place = builder.add(index, place)
            pointer = _vector_pointer(context, builder, signature.args[0], array, place, block)
            builder.store(builder.extract_value(value, r), pointer, align=_alignment(block))
        return context.get_dummy_value()

    return types.void(array, types.intp, places, types.intp, block), generate


@intrinsic
def multiply_add(typingctx, block, array, index, weights, first):
    """Add ``weights[first + r] * array[index : index + lanes]`` to every row r, fused."""

    def generate(context, builder, signature, arguments):
        value, array, index, weights, first = arguments
        pointer = _vector_pointer(context, builder, signature.args[1], array, index, block)
        vector = builder.load(pointer, align=_alignment(block))
        for r in range(block.rows):
            weight = _entry(context, builder, signature.args[3], weights, first, r)
            weight = _broadcast(context, builder, weight, block)
            row = _fused(builder, weight, vector, builder.extract_value(value, r))
            value = builder.insert_value(value, row, r)
        return value

    return block(block, array, types.intp, weights, types.intp), generate


@intrinsic
def substitute(typingctx, block, triangle, first):
    """Solve with a lower triangle, stored negated but for its diagonal, rows of length `rows`."""

    def generate(context, builder, signature, arguments):
        value, triangle, first = arguments
        rows = [builder.extract_value(value, r) for r in range(block.rows)]

        def entry(r, c):
            place = r * block.rows + c
            number = _entry(context, builder, signature.args[1], triangle, first, place)
            return _broadcast(context, builder, number, block)

        for c in range(block.rows):
            rows[c] = builder.fdiv(rows[c], entry(c, c))
            for r in range(c + 1, block.rows):
                rows[r] = _fused(builder, entry(r, c), rows[c], rows[r])
        for r, row in enumerate(rows):
            value = builder.insert_value(value, row, r)
        return value

    return block(block, triangle, types.intp), generate


def _vector_pointer(context, builder, array_type, array, index, block):
    data = context.make_array(array_type)(context, builder, value=array).data
    vector = ir.VectorType(context.get_value_type(block.dtype), block.lanes)
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _alignment(block):
    return block.dtype.bitwidth // 8


def _entry(context, builder, array_type, array, first, offset):
    """array[first + offset]."""
    data = context.make_array(array_type)(context, builder, value=array).data
    place = builder.add(first, ir.Constant(first.type, offset))
    return builder.load(builder.gep(data, [place]))


def _broadcast(context, builder, number, block):
    """A vector whose lanes are all the same number."""
    vector = ir.VectorType(number.type, block.lanes)
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, number, ir.Constant(cgutils.int32_t, 0))
    mask = ir.Constant(ir.VectorType(cgutils.int32_t, block.lanes), [0] * block.lanes)
    return builder.shuffle_vector(single, undefined, mask)


def _fused(builder, a, b, c):
    """a * b + c with one rounding."""
    kind = "f64" if a.type.element == ir.DoubleType() else "f32"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, 3 * [a.type]), f"llvm.fma.v{a.type.count}{kind}"
    )
    return builder.call(function, (a, b, c))
