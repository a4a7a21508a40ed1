"""Register blocks as a Numba type: `rows` SIMD vectors of `lanes` numbers each.

A loop over plain arrays keeps its accumulators in memory and leaves the choice of vectors to the
compiler. A `Block` is a value, an LLVM array of vectors, which an ordinary ``for`` loop carries in
registers. A few operations on it are all that the kernels need; `rows` and `lanes` are literal
integers, so that one source gives every size. Arrays are one-dimensional, contiguous and addressed
by element; indices are not checked. Without the compiler, `block_numpy` takes its place.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.context import BaseContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, models, register_model

from cinc_ref.kernels.simd.cpu import LINE_BYTES, VECTOR_BYTES

__all__ = [
    "Block",
    "add",
    "add_lane_sums",
    "add_outer",
    "gather",
    "gather_square",
    "integers",
    "lane_sum",
    "line_start",
    "load",
    "load_square",
    "multiply_add",
    "prefetch_third",
    "probe_nonfinite",
    "rectify",
    "scatter",
    "scatter_nontemporal",
    "side",
    "solve",
    "spread",
    "store",
    "transpose",
    "where_positive",
    "zeros",
]

Intrinsic: TypeAlias = tuple[Signature, Callable[..., Any]]
"""The signature of an operation, and the function that generates its code."""


class Block(types.Type):
    """The type of `rows` vectors of `lanes` floats."""

    dtype: types.Type
    rows: int
    lanes: int

    def __init__(self, dtype: types.Type, rows: int, lanes: int) -> None:
        self.dtype, self.rows, self.lanes = dtype, rows, lanes
        super().__init__(f"Block({dtype}, {rows}, {lanes})")


@register_model(Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager, block):
        vector = ir.VectorType(manager.lookup(block.dtype).get_value_type(), block.lanes)
        super().__init__(manager, block, ir.ArrayType(vector, block.rows))


@intrinsic(prefer_literal=True)
def integers(
    typingctx: BaseContext, array: types.Type, first: types.Type, count: types.Type
) -> Intrinsic:
    """Return the `count` elements of an array from `first` on, as a tuple."""
    kind = types.UniTuple(array.dtype, count.literal_value)

    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        entries = [memory.entry(arguments[1], k) for k in range(kind.count)]
        return context.make_tuple(builder, kind, entries)

    return kind(array, types.intp, count), generate


@intrinsic
def line_start(typingctx: BaseContext, array: types.Type, index: types.Type) -> Intrinsic:
    """Return the first index from `index` on at which a cache line begins."""

    def generate(context, builder, signature, arguments):
        array_type, (array, index) = signature.args[0], arguments
        memory = _Memory(context, builder, array_type, array)
        place = builder.ptrtoint(builder.gep(memory.data, [index]), index.type)
        rest = builder.and_(builder.neg(place), ir.Constant(index.type, LINE_BYTES - 1))
        return builder.add(index, builder.udiv(rest, ir.Constant(index.type, memory.align)))

    return types.intp(array, types.intp), generate


@intrinsic(prefer_literal=True)
def zeros(
    typingctx: BaseContext, array: types.Type, rows: types.Type, lanes: types.Type
) -> Intrinsic:
    """Return a block of zeros of the dtype of `array`."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(block), None)

    return block(array, rows, lanes), generate


@intrinsic(prefer_literal=True)
def load(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    stride: types.Type,
    rows: types.Type,
    lanes: types.Type,
) -> Intrinsic:
    """Load a block: row r holds `lanes` elements of `array` from ``index + r * stride`` on."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)
    return block(array, types.intp, types.intp, rows, lanes), _generate_load(block)


@intrinsic(prefer_literal=True)
def side(typingctx: BaseContext, array: types.Type, part: types.Type) -> Intrinsic:
    """Return the numbers of `array` in a SIMD register divided by `part`, as a constant."""
    constant = _square(array, part).rows

    def generate(context, builder, signature, arguments):
        return context.get_constant(types.intp, constant)

    return types.intp(array, part), generate


@intrinsic(prefer_literal=True)
def load_square(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    stride: types.Type,
    part: types.Type,
) -> Intrinsic:
    """Load a square block as `load` does; `side` is that of its rows and columns."""
    block = _square(array, part)
    return block(array, types.intp, types.intp, part), _generate_load(block)


@intrinsic
def store(
    typingctx: BaseContext, array: types.Type, index: types.Type, stride: types.Type, block: Block
) -> Intrinsic:
    """Store row r of a block to the elements of `array` from ``index + r * stride`` on."""

    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        index, stride, value = arguments[1:]
        for r, row in enumerate(_rows(builder, block, value)):
            memory.set_vector(_add_multiple(builder, index, stride, r), row)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, block), generate


@intrinsic(prefer_literal=True)
def gather(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    offsets: types.Type,
    first: types.Type,
    rows: types.Type,
    lanes: types.Type,
) -> Intrinsic:
    """Load a block: row r holds `lanes` elements from ``index + offsets[first + r]`` on."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)
    return block(array, types.intp, offsets, types.intp, rows, lanes), _generate_gather(block)


@intrinsic(prefer_literal=True)
def gather_square(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    offsets: types.Type,
    first: types.Type,
    part: types.Type,
) -> Intrinsic:
    """Load a square block as `gather` does; `side` is that of its rows and columns."""
    block = _square(array, part)
    return block(array, types.intp, offsets, types.intp, part), _generate_gather(block)


@intrinsic(prefer_literal=True)
def prefetch_third(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    offsets: types.Type,
    first: types.Type,
    third: types.Type,
    rows: types.Type,
    lanes: types.Type,
) -> Intrinsic:
    """Prefetch the cache lines that `gather` will load, those of a third of the rows."""
    count, length = -(-rows.literal_value // 3), lanes.literal_value
    last = rows.literal_value - count

    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        table = _Memory(context, builder, signature.args[2], arguments[2])
        index, first, third = arguments[1], arguments[3], arguments[4]
        row = builder.mul(third, ir.Constant(third.type, count))
        limit = ir.Constant(third.type, last)
        row = builder.select(builder.icmp_signed("<", row, limit), row, limit)
        first = builder.add(first, row)
        for r in range(count):
            memory.prefetch(builder.add(index, table.entry(first, r)), length)
        return context.get_dummy_value()

    return types.void(array, types.intp, offsets, types.intp, types.intp, rows, lanes), generate


@intrinsic
def scatter(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    offsets: types.Type,
    first: types.Type,
    block: Block,
) -> Intrinsic:
    """Store row r of a block to the elements of `array` from ``index + offsets[first + r]`` on.

    The last row is written first, so that of rows that share a place the first one stays.
    """

    def generate(context, builder, signature, arguments):
        _scatter(context, builder, signature, arguments, nontemporal=False)
        return context.get_dummy_value()

    return types.void(array, types.intp, offsets, types.intp, block), generate


@intrinsic
def scatter_nontemporal(
    typingctx: BaseContext,
    array: types.Type,
    index: types.Type,
    offsets: types.Type,
    first: types.Type,
    block: Block,
) -> Intrinsic:
    """Store a block like `scatter`, past the caches; every row must fill whole cache lines.

    Memory has less to move: a line is not fetched before it is overwritten, and drives nothing
    else out of the caches.
    """

    def generate(context, builder, signature, arguments):
        _scatter(context, builder, signature, arguments, nontemporal=True)
        return context.get_dummy_value()

    return types.void(array, types.intp, offsets, types.intp, block), generate


@intrinsic
def transpose(typingctx: BaseContext, block: Block) -> Intrinsic:
    """Exchange rows and lanes; the block must be square, its side a power of two.

    Interleaving the first half of the rows with the second half, log2(rows) times, does it.
    """

    def generate(context, builder, signature, arguments):
        rows = _rows(builder, block, arguments[0])
        half = block.rows // 2
        for _ in range(half.bit_length()):
            pairs = [_interleaved(builder, rows[r], rows[r + half]) for r in range(half)]
            rows = [row for pair in pairs for row in pair]
        return _from_rows(context, builder, block, rows)

    return block(block), generate


@intrinsic(prefer_literal=True)
def multiply_add(
    typingctx: BaseContext,
    block: Block,
    array: types.Type,
    index: types.Type,
    stride: types.Type,
    weights: types.Type,
    first: types.Type,
    count: types.Type,
) -> Intrinsic:
    """Add ``weights[first + t * rows + r] * vector t`` to row r, fused, for `count` vectors t.

    Vector t is ``array[index + t * stride :][:lanes]``.
    """
    vectors = count.literal_value

    def generate(context, builder, signature, arguments):
        value, array, index, stride, weights, first, _ = arguments
        memory = _Memory(context, builder, signature.args[1], array)
        table = _Memory(context, builder, signature.args[4], weights)
        rows, lanes = _rows(builder, block, value), block.lanes
        for t in range(vectors):
            vector = memory.vector(_add_multiple(builder, index, stride, t), lanes)
            for r in range(block.rows):
                weight = _broadcast(builder, table.entry(first, t * block.rows + r), lanes)
                rows[r] = _fused(builder, weight, vector, rows[r])
        return _from_rows(context, builder, block, rows)

    return block(block, array, types.intp, types.intp, weights, types.intp, count), generate


@intrinsic(prefer_literal=True)
def spread(
    typingctx: BaseContext,
    array: types.Type,
    first: types.Type,
    rows: types.Type,
    lanes: types.Type,
) -> Intrinsic:
    """Return a block whose row r holds ``array[first + r]`` in all lanes."""
    block = Block(array.dtype, rows.literal_value, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        numbers = [memory.entry(arguments[1], r) for r in range(block.rows)]
        rows = [_broadcast(builder, number, block.lanes) for number in numbers]
        return _from_rows(context, builder, block, rows)

    return block(array, types.intp, rows, lanes), generate


@intrinsic
def rectify(typingctx: BaseContext, block: Block) -> Intrinsic:
    """Return max(block, 0), number by number; NaN stays NaN."""

    def generate(context, builder, signature, arguments):
        rows = _rows(builder, block, arguments[0])
        zero = ir.Constant(rows[0].type, None)
        negative = [builder.fcmp_ordered("<", row, zero) for row in rows]
        rows = [builder.select(n, zero, row) for n, row in zip(negative, rows, strict=True)]
        return _from_rows(context, builder, block, rows)

    return block(block), generate


@intrinsic
def where_positive(typingctx: BaseContext, block: Block, other: Block) -> Intrinsic:
    """Return the numbers of a block where those of another one are positive, and 0 elsewhere."""

    def generate(context, builder, signature, arguments):
        rows, others = (_rows(builder, block, value) for value in arguments)
        zero = ir.Constant(rows[0].type, None)
        positive = [builder.fcmp_ordered(">", other, zero) for other in others]
        rows = [builder.select(p, row, zero) for p, row in zip(positive, rows, strict=True)]
        return _from_rows(context, builder, block, rows)

    return block(block, other), generate


@intrinsic
def add(typingctx: BaseContext, block: Block, other: Block) -> Intrinsic:
    """Return the sum of two blocks."""

    def generate(context, builder, signature, arguments):
        rows, others = (_rows(builder, block, value) for value in arguments)
        rows = [builder.fadd(row, other) for row, other in zip(rows, others, strict=True)]
        return _from_rows(context, builder, block, rows)

    return block(block, other), generate


@intrinsic
def probe_nonfinite(typingctx: BaseContext, probe: Block, block: Block) -> Intrinsic:
    """Add 0 times every row to the one row of `probe`: it stays 0 while all is finite, else NaN."""

    def generate(context, builder, signature, arguments):
        (total,) = _rows(builder, probe, arguments[0])
        zero = ir.Constant(total.type, None)
        for row in _rows(builder, block, arguments[1]):
            total = _fused(builder, zero, row, total)
        return _from_rows(context, builder, probe, [total])

    return probe(probe, block), generate


@intrinsic
def lane_sum(typingctx: BaseContext, block: Block) -> Intrinsic:
    """Return the sum of the one row."""

    def generate(context, builder, signature, arguments):
        sums = _lane_sums(builder, _rows(builder, block, arguments[0]))
        return builder.extract_element(sums, ir.Constant(cgutils.int32_t, 0))

    return block.dtype(block), generate


@intrinsic(prefer_literal=True)
def solve(
    typingctx: BaseContext,
    block: Block,
    triangle: types.Type,
    first: types.Type,
    divide: types.Type,
) -> Intrinsic:
    """Solve with a lower triangle, stored negated, 1 / d behind every row of diagonal entry d.

    A solution waits for one quotient after the other, and division is slow. Unless `divide` is 1,
    q = y (1 / d) is corrected by its exact remainder, q + (y - d q) (1 / d): the quotient as
    division rounds it (Markstein 1990), an exact one exactly. It needs 1 / d to be a normal number.
    Where a quotient overflows it gives NaN for infinity; where the remainder underflows, the last
    bit of an inexact quotient may be another.
    """

    def generate(context, builder, signature, arguments):
        value, triangle, first, _ = arguments
        table = _Memory(context, builder, signature.args[1], triangle)
        rows = _rows(builder, block, value)

        def entry(r, c):
            return _broadcast(builder, table.entry(first, r * (block.rows + 1) + c), block.lanes)

        for c in range(block.rows):
            negated, inverse = entry(c, c), entry(c, block.rows)
            if divide.literal_value:
                rows[c] = builder.fdiv(rows[c], builder.fneg(negated))
            else:
                quotient = builder.fmul(rows[c], inverse)
                remainder = _fused(builder, negated, quotient, rows[c])
                rows[c] = _fused(builder, remainder, inverse, quotient)
            for r in range(c + 1, block.rows):
                rows[r] = _fused(builder, entry(r, c), rows[c], rows[r])
        return _from_rows(context, builder, block, rows)

    return block(block, triangle, types.intp, divide), generate


@intrinsic(prefer_literal=True)
def add_outer(
    typingctx: BaseContext,
    block: Block,
    left: types.Type,
    index: types.Type,
    right: types.Type,
    start: types.Type,
    stride: types.Type,
    columns: types.Type,
    count: types.Type,
) -> Intrinsic:
    """Add left[index + r * stride] * right[start + c * stride], vectors, to row r * columns + c.

    Only the first `count` numbers of the vectors are read where these are fewer than the lanes.
    """
    width, whole = columns.literal_value, getattr(count, "literal_value", 0) >= block.lanes

    def generate(context, builder, signature, arguments):
        value, left, index, right, start, stride, _, count = arguments
        mask = None if whole else _first_lanes(builder, count, block.lanes)

        def vectors(array_type, array, first, number):
            memory = _Memory(context, builder, array_type, array)
            places = (_add_multiple(builder, first, stride, k) for k in range(number))
            return [memory.vector(place, block.lanes, mask) for place in places]

        rows = _rows(builder, block, value)
        factors = vectors(signature.args[1], left, index, block.rows // width)
        for c, vector in enumerate(vectors(signature.args[3], right, start, width)):
            for r, factor in enumerate(factors):
                rows[r * width + c] = _fused(builder, factor, vector, rows[r * width + c])
        return _from_rows(context, builder, block, rows)

    arguments = (block, left, types.intp, right, types.intp, types.intp, columns)
    return block(*arguments, count if whole else types.intp), generate


@intrinsic
def add_lane_sums(
    typingctx: BaseContext, array: types.Type, index: types.Type, block: Block
) -> Intrinsic:
    """Add the sum over the lanes of row r to array[index + r]."""

    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        index, value = arguments[1:]
        rows = _rows(builder, block, value)
        for first in range(0, block.rows, block.lanes):
            sums = _lane_sums(builder, rows[first : first + block.lanes])
            place = _add_number(builder, index, first)
            earlier = memory.vector(place, sums.type.count)
            memory.set_vector(place, builder.fadd(earlier, sums))
        return context.get_dummy_value()

    return types.void(array, types.intp, block), generate


class _Memory:
    """The data of an array, while code is generated that reads and writes it."""

    def __init__(self, context, builder, array_type, array):
        self.builder = builder
        model = context.data_model_manager.lookup(array_type)
        self.data = builder.extract_value(array, model.get_field_position("data"))
        self.align = array_type.dtype.bitwidth // 8

    def entry(self, first, offset):
        """Load array[first + offset]; the offset is a Python integer."""
        place = _add_number(self.builder, first, offset)
        return self.builder.load(self.builder.gep(self.data, [place]))

    def vector(self, place, lanes, mask=None):
        """Load array[place : place + lanes]; where it is masked out it is 0 and not read."""
        pointer = self._pointer(place, lanes)
        if mask is None:
            return self.builder.load(pointer, align=self.align)
        vector, align = pointer.type.pointee, ir.Constant(cgutils.int32_t, self.align)
        kind = ir.FunctionType(vector, [pointer.type, align.type, mask.type, vector])
        name = f"llvm.masked.load.{_kind(vector)}.p0"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [pointer, align, mask, ir.Constant(vector, None)])

    def set_vector(self, place, vector, nontemporal=False):
        """array[place : place + lanes] = vector; a nontemporal one must begin on a line."""
        pointer = self._pointer(place, vector.type.count)
        if nontemporal:
            store = self.builder.store(vector, pointer, align=LINE_BYTES)
            yes = self.builder.module.add_metadata([cgutils.int32_t(1)])
            store.set_metadata("nontemporal", yes)
        else:
            self.builder.store(vector, pointer, align=self.align)

    def prefetch(self, place, lanes):
        """Prefetch the cache lines of array[place : place + lanes] to all levels, for reading."""
        number = cgutils.int32_t
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        reading, near, data = number(0), number(3), number(1)
        for lane in [*range(0, lanes, LINE_BYTES // self.align), lanes - 1]:
            here = self.builder.gep(self.data, [_add_number(self.builder, place, lane)])
            pointer = self.builder.bitcast(here, cgutils.voidptr_t)
            self.builder.call(function, [pointer, reading, near, data])

    def _pointer(self, place, lanes):
        vector = ir.VectorType(self.data.type.pointee, lanes)
        return self.builder.bitcast(self.builder.gep(self.data, [place]), vector.as_pointer())


def _square(array, part):
    side = max(VECTOR_BYTES // (array.dtype.bitwidth // 8) // part.literal_value, 1)
    return Block(array.dtype, side, side)


def _generate_load(block):
    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        index, stride = arguments[1:3]
        places = [_add_multiple(builder, index, stride, r) for r in range(block.rows)]
        return _from_rows(context, builder, block, [memory.vector(p, block.lanes) for p in places])

    return generate


def _generate_gather(block):
    def generate(context, builder, signature, arguments):
        memory = _Memory(context, builder, signature.args[0], arguments[0])
        table = _Memory(context, builder, signature.args[2], arguments[2])
        index, first = arguments[1], arguments[3]
        places = [builder.add(index, table.entry(first, r)) for r in range(block.rows)]
        return _from_rows(context, builder, block, [memory.vector(p, block.lanes) for p in places])

    return generate


def _scatter(context, builder, signature, arguments, nontemporal):
    memory = _Memory(context, builder, signature.args[0], arguments[0])
    table = _Memory(context, builder, signature.args[2], arguments[2])
    index, first, value = arguments[1], arguments[3], arguments[4]
    for r, row in reversed(list(enumerate(_rows(builder, signature.args[4], value)))):
        memory.set_vector(builder.add(index, table.entry(first, r)), row, nontemporal)


def _rows(builder, block, value):
    return [builder.extract_value(value, r) for r in range(block.rows)]


def _from_rows(context, builder, block, rows):
    value = ir.Constant(context.get_value_type(block), ir.Undefined)
    for r, row in enumerate(rows):
        value = builder.insert_value(value, row, r)
    return value


def _add_number(builder, index, number):
    return builder.add(index, ir.Constant(index.type, number))


def _add_multiple(builder, index, stride, times):
    return builder.add(index, builder.mul(stride, ir.Constant(stride.type, times)))


def _broadcast(builder, number, lanes):
    """Return a vector whose lanes are all the same number."""
    undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    single = builder.insert_element(undefined, number, ir.Constant(cgutils.int32_t, 0))
    return builder.shuffle_vector(single, undefined, _lane_mask([0] * lanes))


def _interleaved(builder, a, b):
    """Return a0 b0 a1 b1 ... as two vectors."""
    lanes = a.type.count
    order = [lane for k in range(lanes) for lane in (k, lanes + k)]
    return tuple(
        builder.shuffle_vector(a, b, _lane_mask(part)) for part in (order[:lanes], order[lanes:])
    )


def _lane_sums(builder, rows):
    """Return the sums of some rows as a vector; there are at most as many as lanes.

    Rows and lanes are exchanged as by `transpose`, and pairs added up at once.
    """
    count, lanes = len(rows), rows[0].type.count
    rows = rows + (lanes - count) * [ir.Constant(rows[0].type, None)]
    while len(rows) > 1:
        half = len(rows) // 2
        rows = [builder.fadd(*_interleaved(builder, rows[r], rows[r + half])) for r in range(half)]
    return builder.shuffle_vector(rows[0], rows[0], _lane_mask(range(count)))


def _first_lanes(builder, count, lanes):
    """Return a mask of the first `count` lanes."""
    numbers = ir.Constant(ir.VectorType(count.type, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, _broadcast(builder, count, lanes))


def _lane_mask(lanes):
    return ir.Constant(ir.VectorType(cgutils.int32_t, len(lanes)), list(lanes))


def _fused(builder, a, b, c):
    """Return a * b + c with one rounding."""
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, 3 * [a.type]), f"llvm.fma.{_kind(a.type)}"
    )
    return builder.call(function, (a, b, c))


def _kind(vector):
    """Name a type as LLVM's functions have it in their names."""
    return f"v{vector.count}f{64 if vector.element == ir.DoubleType() else 32}"
