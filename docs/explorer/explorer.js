"use strict";

/**
 * The arithmetic of the explorer: pure functions, no drawing. `index.html` draws what they return,
 * and tests/test_explorer.py compares them with cinc_ref.
 *
 * A **problem** is what cinc_ref.conv takes:
 *
 *     { kernel: number[C][C][kh][kw],     output channel first
 *       size: [H, W], corner: "top-left" | ..., dilation: d, anchor: [p, q] }
 *
 * Images are flat arrays in pixel-major order: channel c of pixel (i, j) is at (i W + j) C + c,
 * which is also its row and its column in the matrix M.
 *
 * @typedef {{kernel: number[][][][], size: number[], corner: string, dilation: number,
 *            anchor: number[]}} Problem
 * @typedef {{a: number, b: number, down: number, right: number, isAnchor: boolean,
 *            block: number[][]}} Tap  the pixel that it reads lies `down` and `right` of the output
 * @typedef {(value: number) => number} Rounding  Math.fround for float32, `exactly` for float64
 */
const Explorer = (() => {
  const CORNERS = ["top-left", "top-right", "bottom-left", "bottom-right"];

  /** Distances from 1 to the next larger number in float32 and float64. */
  const EPS = { float32: 2 ** -23, float64: 2 ** -52 };

  /** Bounds of what the page takes; a matrix of 2048 rows is as much as a screen shows. */
  const LIMITS = { taps: 3, channels: 2, side: 32, dilation: 4, magnitude: 1e6 };

  const exactly = (value) => value;

  const range = (length) => Array.from({ length }, (_, index) => index);

  // ---- geometry ---------------------------------------------------------------------------------

  /** Return whether rows and columns run backwards, seen from a corner. */
  function flips(corner) {
    const [rows, columns] = corner.split("-");
    return [rows === "bottom", columns === "right"];
  }

  /**
   * List the taps up to the anchor in raster order; later ones are no part of the convolution.
   * @param {Problem} problem
   * @returns {Tap[]}
   */
  function taps({ kernel, corner, dilation, anchor: [p, q] }) {
    const [downSign, rightSign] = flips(corner).map((backwards) => (backwards ? 1 : -1));
    const [height, width] = [kernel[0][0].length, kernel[0][0][0].length];
    return range(p * width + q + 1)
      .map((index) => [Math.floor(index / width), index % width])
      .filter(([a]) => a < height)
      .map(([a, b]) => ({
        a,
        b,
        down: downSign * (p - a) * dilation,
        right: rightSign * (q - b) * dilation,
        isAnchor: a === p && b === q,
        block: kernel.map((row) => row.map((plane) => plane[a][b])),
      }));
  }

  /** Return the block of the tap that reads the pixel itself. */
  const cornerBlock = ({ kernel, anchor: [p, q] }) =>
    kernel.map((row) => row.map((plane) => plane[p][q]));

  /** List the pixels [i, j] in raster order from the padded corner: the order of substitution. */
  function pixelOrder({ size: [height, width], corner }) {
    const [upwards, leftwards] = flips(corner);
    return range(height * width).map((index) => {
      const [i, j] = [Math.floor(index / width), index % width];
      return [upwards ? height - 1 - i : i, leftwards ? width - 1 - j : j];
    });
  }

  /** Return whether no tap reads on the far side of the anchor, as in the paper. */
  const isQuadrant = ({ kernel, anchor: [p, q] }) =>
    kernel.flat().every((plane) => plane.slice(0, p).every((row) => !row.slice(q + 1).some(Boolean)));

  // ---- the matrix -------------------------------------------------------------------------------

  /**
   * List the entries of M that a tap makes, in pixel-major order; no place occurs twice.
   * @param {Problem} problem
   * @returns {{row: number, column: number, tap: Tap, value: number}[]}
   */
  function matrixEntries(problem) {
    const { kernel, size } = problem;
    const [height, width] = size;
    const entries = [];
    for (const tap of taps(problem)) {
      forEachPair(tap, size, (pixel, source) => {
        for (let o = 0; o < kernel.length; o++) {
          for (let c = 0; c < kernel.length; c++) {
            entries.push({
              row: pixel * kernel.length + o,
              column: source * kernel.length + c,
              tap,
              value: tap.block[o][c],
            });
          }
        }
      });
    }
    return entries;
  }

  /** Call back for every output pixel whose tap reads inside the image, with both raster numbers. */
  function forEachPair(tap, [height, width], callback) {
    for (let i = Math.max(0, -tap.down); i < Math.min(height, height - tap.down); i++) {
      for (let j = Math.max(0, -tap.right); j < Math.min(width, width - tap.right); j++) {
        callback(i * width + j, (i + tap.down) * width + j + tap.right);
      }
    }
  }

  /** Return M as an array of rows. */
  function matrix(problem) {
    const rows = problem.size[0] * problem.size[1] * problem.kernel.length;
    const result = range(rows).map(() => new Array(rows).fill(0));
    for (const { row, column, value } of matrixEntries(problem)) result[row][column] = value;
    return result;
  }

  // ---- convolution and substitution -------------------------------------------------------------

  /**
   * Compute y = M x, rounding after every operation.
   * @param {Problem} problem
   * @param {number[]} x
   * @param {Rounding} round
   */
  function convolve(problem, x, round = exactly) {
    const channels = problem.kernel.length;
    const y = new Array(x.length).fill(0);
    for (const tap of taps(problem)) {
      const block = tap.block.map((row) => row.map(round));
      forEachPair(tap, problem.size, (pixel, source) => {
        for (let o = 0; o < channels; o++) {
          for (let c = 0; c < channels; c++) {
            const at = pixel * channels + o;
            y[at] = round(y[at] + round(block[o][c] * x[source * channels + c]));
          }
        }
      });
    }
    return y;
  }

  /**
   * Compute x = M^-1 y, pixel by pixel from the padded corner (theorem 4):
   *
   *     x[i, j] = B^-1 (y[i, j] - sum over the other taps of K_ab x[earlier pixel]).
   *
   * The corner block must be invertible.
   * @param {Problem} problem
   * @param {number[]} y
   * @param {Rounding} round
   */
  function substitute(problem, y, round = exactly) {
    const channels = problem.kernel.length;
    const [height, width] = problem.size;
    const block = cornerBlock(problem).map((row) => row.map(round));
    const others = taps(problem)
      .filter((tap) => !tap.isAnchor && tap.block.flat().some(Boolean))
      .map((tap) => ({ ...tap, block: tap.block.map((row) => row.map(round)) }));
    const x = new Array(y.length).fill(0);
    const rest = new Array(channels);
    for (const [i, j] of pixelOrder(problem)) {
      const at = (i * width + j) * channels;
      for (let o = 0; o < channels; o++) rest[o] = y[at + o];
      for (const tap of others) {
        const [row, column] = [i + tap.down, j + tap.right];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const source = (row * width + column) * channels;
        for (let o = 0; o < channels; o++) {
          for (let c = 0; c < channels; c++) {
            rest[o] = round(rest[o] - round(tap.block[o][c] * x[source + c]));
          }
        }
      }
      const solved = solveCorner(block, rest, round);
      for (let c = 0; c < channels; c++) x[at + c] = solved[c];
    }
    return x;
  }

  /**
   * Convolve an image and undo it, all of it rounded to one dtype.
   * @param {Problem} problem  with an invertible corner block
   * @param {number[]} image
   * @param {"float32" | "float64"} dtype
   * @returns {{y: number[], undone: number[], error: number}}  `error` is the largest of a pixel
   */
  function roundTrip(problem, image, dtype) {
    const round = dtype === "float32" ? Math.fround : exactly;
    const x = image.map(round);
    const y = convolve(problem, x, round);
    const undone = substitute(problem, y, round);
    const error = Math.max(...undone.map((value, index) => Math.abs(value - x[index])));
    return { y, undone, error: Number.isNaN(error) ? Infinity : error };
  }

  /** Solve B x = rest: triangular blocks by substitution, others by elimination with pivoting. */
  function solveCorner(block, rest, round) {
    if (block.length === 1) return [round(rest[0] / block[0][0])];
    const [[a, b], [c, d]] = block;
    const solveLower = (p, r, s, first, second) => {
      const x = round(first / p); // p x = first, r x + s z = second
      return [x, round(round(second - round(r * x)) / s)];
    };
    if (b === 0) return solveLower(a, c, d, rest[0], rest[1]);
    if (c === 0) return solveLower(d, b, a, rest[1], rest[0]).reverse();
    const swap = Math.abs(c) > Math.abs(a);
    const [p, q, first] = swap ? [c, d, rest[1]] : [a, b, rest[0]];
    const [r, s, second] = swap ? [a, b, rest[0]] : [c, d, rest[1]];
    const factor = round(r / p);
    const z = round(round(second - round(factor * first)) / round(s - round(factor * q)));
    return [round(round(first - round(q * z)) / p), z];
  }

  /**
   * Describe the substitution at one pixel: what is subtracted, what is left, and the solution.
   * @param {Problem} problem
   * @param {number[]} y
   * @param {number[]} x  the solution, at least of the pixels before this one
   * @param {number[]} pixel  [i, j]
   */
  function explainPixel(problem, y, x, [i, j]) {
    const channels = problem.kernel.length;
    const [height, width] = problem.size;
    const valuesAt = (image, row, column) =>
      range(channels).map((c) => image[(row * width + column) * channels + c]);
    const terms = taps(problem)
      .filter((tap) => !tap.isAnchor && tap.block.flat().some(Boolean))
      .map((tap) => ({ tap, pixel: [i + tap.down, j + tap.right] }))
      .filter(({ pixel: [row, column] }) => row >= 0 && row < height && column >= 0 && column < width)
      .map((term) => ({ ...term, read: valuesAt(x, ...term.pixel) }));
    const rest = valuesAt(y, i, j).map((value, o) =>
      terms.reduce((sum, { tap, read }) => sum - dot(tap.block[o], read), value),
    );
    return { terms, y: valuesAt(y, i, j), rest, x: valuesAt(x, i, j) };
  }

  const dot = (weights, values) => weights.reduce((sum, weight, c) => sum + weight * values[c], 0);

  // ---- determinant and null image, decided exactly ----------------------------------------------

  /** Write a finite float as [m, e] with the BigInt m and value = m 2^e. */
  function dyadic(value) {
    let exponent = 0;
    for (; !Number.isInteger(value); exponent--) value *= 2;
    return [BigInt(value), exponent];
  }

  /** Return the corner block as BigInts times one power of two: {integers, exponent}. */
  function exactBlock(block) {
    const parts = block.map((row) => row.map(dyadic));
    const exponent = Math.min(...parts.flat().map(([, e]) => e));
    const integers = parts.map((row) => row.map(([m, e]) => m << BigInt(e - exponent)));
    return { integers, exponent };
  }

  /**
   * Compute det M = det(B)^(H W) (theorem 2); whether it is 0 is decided without rounding.
   * @param {Problem} problem
   * @returns {{singular: boolean, block: number, sign: number, log10: number, nats: number,
   *            value: number, exact: bigint | null}}
   *     `block` is det B, `value` may overflow or underflow, `log10` is that of |det M|, and `exact`
   *     is det M if det B is an integer of at most 2^53
   */
  function determinant(problem) {
    const pixels = problem.size[0] * problem.size[1];
    const { integers, exponent } = exactBlock(cornerBlock(problem));
    const channels = integers.length;
    const exact =
      channels === 1
        ? integers[0][0]
        : integers[0][0] * integers[1][1] - integers[0][1] * integers[1][0];
    if (exact === 0n) {
      return { singular: true, block: 0, sign: 0, log10: -Infinity, nats: -Infinity, value: 0, exact: 0n };
    }
    const positive = exact < 0n ? -exact : exact;
    const extra = Math.max(0, positive.toString(2).length - 64); // bits beyond those of a float
    const leading = Number(positive >> BigInt(extra));
    const power = exponent * channels + extra;
    const block = (exact < 0n ? -1 : 1) * leading * 2 ** Math.floor(power / 2) * 2 ** Math.ceil(power / 2);
    const nats = pixels * logOf(leading, power);
    return {
      singular: false,
      block,
      sign: exact < 0n && pixels % 2 ? -1 : 1,
      log10: nats / Math.LN10,
      nats,
      value: block ** pixels,
      exact: Number.isSafeInteger(block) && exponent === 0 ? exact ** BigInt(pixels) : null,
    };
  }

  /** Compute log(m 2^e), to the last digits near 1 as well. */
  function logOf(m, e) {
    const shift = Math.round(Math.log2(m));
    return Math.log1p((m - 2 ** shift) / 2 ** shift) + (e + shift) * Math.LN2;
  }

  /**
   * Return BigInts v without a common divisor such that B v = 0 and v is not 0, or null.
   * @param {number[][]} block
   */
  function nullVector(block) {
    const { integers } = exactBlock(block);
    if (integers.length === 1) return integers[0][0] === 0n ? [1n] : null;
    const [[a, b], [c, d]] = integers;
    if (a * d !== b * c) return null;
    const [first, second] = a !== 0n ? [a, b] : [c, d];
    if (first === 0n) return [1n, 0n];
    const divisor = greatestCommonDivisor(first, second) * (first < 0n ? -1n : 1n);
    return [-second / divisor, first / divisor];
  }

  function greatestCommonDivisor(a, b) {
    while (b) [a, b] = [b, a % b];
    return a < 0n ? -a : a;
  }

  /**
   * Return an image that conv maps to 0 although it is not 0, as BigInts, or null (theorem 3): the
   * null vector in the last pixel, which the anchor alone reads.
   * @param {Problem} problem
   */
  function nullImage(problem) {
    const vector = nullVector(cornerBlock(problem));
    if (!vector) return null;
    const [i, j] = pixelOrder(problem).at(-1);
    const image = new Array(problem.size[0] * problem.size[1] * vector.length).fill(0n);
    vector.forEach((value, c) => (image[(i * problem.size[1] + j) * vector.length + c] = value));
    return image;
  }

  // ---- conditioning -----------------------------------------------------------------------------

  const finiteOr = (value, other) => (Number.isFinite(value) ? value : other);

  const sumOf = (values) => finiteOr(values.reduce((sum, value) => sum + Math.abs(value), 0), Infinity);

  /** Compute the 1-norm of M: the largest sum of a column's magnitudes. */
  function oneNorm(problem) {
    const columns = new Array(problem.size[0] * problem.size[1] * problem.kernel.length).fill(0);
    for (const { column, value } of matrixEntries(problem)) columns[column] += Math.abs(value);
    return Math.max(...columns);
  }

  /**
   * Compute the condition number in the 1-norm, and what rounding does to an inverse.
   *
   * M is block Toeplitz: the first pixel's columns of M^-1 hold the largest sum, or those of the
   * first row of pixels if taps read on the far side of the anchor. Each is one substitution.
   *
   * @param {Problem} problem  with an invertible corner block
   * @returns {{norm: number, inverseNorm: number, condition: number, errorFactor: number,
   *            worst: {pixel: number[], channel: number, response: number[]}}}
   *     `errorFactor` times eps estimates the error of conv_inverse(conv(x)) relative to the largest
   *     pixel: the root of the largest row sum of |M^-1|^2 |M|^2, entries squared; `worst` is the
   *     column of M^-1 with the largest sum, an image
   */
  function conditioning(problem) {
    const [height, width] = problem.size;
    const channels = problem.kernel.length;
    const upright = { ...problem, corner: "top-left" }; // norms do not depend on the corner
    const quadrant = isQuadrant(problem);
    const columns = range((quadrant ? 1 : width) * channels).map((source) => {
      const impulse = new Array(height * width * channels).fill(0);
      impulse[source] = 1;
      return substitute(upright, impulse);
    });
    const sums = columns.map(sumOf);
    const inverseNorm = Math.max(...sums);
    const source = sums.indexOf(inverseNorm);
    const norm = oneNorm(upright);
    return {
      norm,
      inverseNorm,
      condition: finiteOr(norm * inverseNorm, Infinity),
      errorFactor: Math.sqrt(largestSquaredRow(upright, columns, quadrant)),
      worst: {
        pixel: pixelOrder(problem)[Math.floor(source / channels)],
        channel: source % channels,
        response: flipImage(columns[source], problem),
      },
    };
  }

  /** Compute the largest row sum of the product of M^-1 and M with every entry squared. */
  function largestSquaredRow(problem, columns, quadrant) {
    const [height, width] = problem.size;
    const channels = problem.kernel.length;
    const squares = problem.kernel.map((row) =>
      row.map((plane) => plane.map((line) => line.map((value) => value * value))),
    );
    const ones = new Array(height * width * channels).fill(1);
    const weights = convolve({ ...problem, kernel: squares }, ones);
    // The last pixel (half-plane taps: row of pixels) of those that the first one can influence.
    const [lastRow, lastColumn] = [height, width].map(
      (side) => Math.floor((side - 1) / problem.dilation) * problem.dilation,
    );
    const rows = new Array((quadrant ? 1 : width) * channels).fill(0);
    columns.forEach((column, source) => {
      const [sourceColumn, c] = [Math.floor(source / channels), source % channels];
      for (let i = 0; i <= lastRow; i++) {
        for (let j = 0; j <= (quadrant ? lastColumn : width - 1); j++) {
          const weight = weights[((lastRow - i) * width + (quadrant ? lastColumn - j : sourceColumn)) * channels + c];
          for (let o = 0; o < channels; o++) {
            const entry = column[(i * width + j) * channels + o];
            rows[(quadrant ? 0 : j) * channels + o] += entry * entry * weight;
          }
        }
      }
    });
    return finiteOr(Math.max(...rows), Infinity);
  }

  /** Move an image from the top-left view to that of the problem's corner, or back. */
  function flipImage(image, { kernel: { length: channels }, size, corner }) {
    const [height, width] = size;
    const flipped = new Array(image.length);
    pixelOrder({ size, corner }).forEach(([i, j], index) => {
      for (let c = 0; c < channels; c++) {
        flipped[(i * width + j) * channels + c] = image[index * channels + c];
      }
    });
    return flipped;
  }

  /** Estimate the decimal digits of the largest pixel that an inverse keeps, as cinc_ref does. */
  function digits(errorFactor, dtype) {
    const error = EPS[dtype] * errorFactor;
    return error < 1 ? Math.min(-Math.log10(error), -Math.log10(EPS[dtype])) : 0;
  }

  /**
   * Return the largest magnitude of a response at every distance (rows plus columns, in steps of
   * the dilation) from its source.
   */
  function profile({ kernel: { length: channels }, size: [, width], dilation }, response, [row, column]) {
    const largest = [];
    response.forEach((value, index) => {
      const pixel = Math.floor(index / channels);
      const [down, right] = [Math.abs(Math.floor(pixel / width) - row), Math.abs((pixel % width) - column)];
      if (down % dilation || right % dilation) return;
      const steps = (down + right) / dilation;
      largest[steps] = Math.max(largest[steps] ?? 0, finiteOr(Math.abs(value), Infinity));
    });
    return largest;
  }

  /** Return the factor a step by which a profile grows over the second half of what is not 0. */
  function growth(largest) {
    const known = largest.map((value, step) => [value, step]).filter(([value]) => value !== 0);
    const [[from, start], [to, end]] = [known[Math.floor((known.length - 1) / 2)], known.at(-1)];
    return end > start ? (to / from) ** (1 / (end - start)) : 0;
  }

  /** Return whether a response is not 0 near the borders that lie opposite to the padded corner. */
  function reachesBorder({ kernel: { length: channels }, size, corner, dilation }, response) {
    const [height, width] = size;
    return pixelOrder({ size, corner }).some(([i, j], index) => {
      const isNear = index >= (height - dilation) * width || index % width >= width - dilation;
      const at = (i * width + j) * channels;
      return isNear && response.slice(at, at + channels).some((value) => value !== 0);
    });
  }

  // ---- images -----------------------------------------------------------------------------------

  /** Average a square image down, or repeat its pixels, to another size: shape (H, W), flat. */
  function resample(image, [height, width]) {
    const side = image.length;
    const overlap = (index, length, source) =>
      Math.max(0, Math.min((index + 1) / length, (source + 1) / side) - Math.max(index / length, source / side));
    return range(height * width).map((pixel) => {
      const [i, j] = [Math.floor(pixel / width), pixel % width];
      let sum = 0;
      image.forEach((line, row) =>
        line.forEach((value, column) => (sum += value * overlap(i, height, row) * overlap(j, width, column))),
      );
      return Number((sum * height * width).toFixed(9));
    });
  }

  /** Return numbers from 0 to 1 that fill all bits of a float64, always the same ones. */
  function noise(count) {
    let seed = 1;
    const next = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    return range(count).map(() => (next() + next() / 2 ** 32) / (1 + 2 ** -32));
  }

  // ---- what is typed, and the state in the URL --------------------------------------------------

  const quoted = (text) => `“${text.length > 20 ? `${text.slice(0, 20)}…` : text}”`;

  /** Read a number as people type it: {value} or {problem: a sentence}. */
  function parseNumber(text) {
    const plain = text.trim().replace("−", "-").replace(",", ".");
    if (plain === "") return { problem: "Nothing is typed: type a number, such as -0.9." };
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) {
      return { problem: `${quoted(text)} is not a number: type one such as -0.9.` };
    }
    const value = Number(plain) + 0; // -0 becomes 0
    if (Math.abs(value) > LIMITS.magnitude) {
      return { problem: `${quoted(text)} is too large: type a number from -1000000 to 1000000.` };
    }
    return { value };
  }

  /** Read a whole number between two bounds: {value} or {problem: a sentence}. */
  function parseInteger(text, least, most) {
    const value = Number(text);
    if (!/^\s*\d+\s*$/.test(text) || value < least || value > most) {
      const got = text.trim() === "" ? "nothing" : quoted(text);
      return { problem: `Type a whole number from ${least} to ${most}; got ${got}.` };
    }
    return { value };
  }

  /** Return the kernel with zeros after the anchor, which the page keeps but does not use. */
  function causalKernel({ kernel, anchor: [p, q] }) {
    return kernel.map((row) =>
      row.map((plane) =>
        plane.map((line, a) => line.map((value, b) => (a < p || (a === p && b <= q) ? value : 0))),
      ),
    );
  }

  /**
   * Write a state (a problem and the number of solved pixels) as a fragment that people can read:
   * `k=0.2,-0.9;-0.9,1&size=8x8&corner=top-left&dilation=1&anchor=1,1&step=32`. Blocks of two
   * channels are separated by `/`: output 0 from input 0, 0 from 1, 1 from 0, 1 from 1.
   */
  function toFragment(state) {
    const kernel = causalKernel(state)
      .flat()
      .map((plane) => plane.map((line) => line.join(",")).join(";"))
      .join("/");
    const { size, corner, dilation, anchor, step } = state;
    return `k=${kernel}&size=${size.join("x")}&corner=${corner}&dilation=${dilation}&anchor=${anchor}&step=${step}`;
  }

  /**
   * Read a fragment; what is missing comes from `fallback`, and what is wrong too, with a sentence.
   * @returns {{state: object, problems: string[]}}
   */
  function fromFragment(text, fallback) {
    const state = structuredClone(fallback);
    const problems = [];
    const fields = new Map(new URLSearchParams(text.replace(/^#/, "").replaceAll("+", "%2B")));
    const read = (name, parse) => {
      if (!fields.has(name)) return;
      try {
        parse(fields.get(name));
      } catch (error) {
        if (!(error instanceof FieldError)) throw error;
        problems.push(`The link’s ${FIELD_NAMES[name]} cannot be used: ${error.message}`);
      }
    };
    read("k", (field) => {
      state.kernel = parseKernel(field);
      state.anchor = [state.kernel[0][0].length - 1, state.kernel[0][0][0].length - 1];
    });
    read("size", (field) => (state.size = parseIntegers(field, "x", [1, 1], [LIMITS.side, LIMITS.side])));
    read("corner", (field) => {
      if (!CORNERS.includes(field)) throw new FieldError(`it is one of ${CORNERS.join(", ")}.`);
      state.corner = field;
    });
    read("dilation", (field) => ([state.dilation] = parseIntegers(field, ",", [1], [LIMITS.dilation])));
    read("anchor", (field) => {
      const plane = state.kernel[0][0];
      state.anchor = parseIntegers(field, ",", [0, 0], [plane.length - 1, plane[0].length - 1]);
    });
    const pixels = state.size[0] * state.size[1];
    state.step = Math.floor(0.58 * pixels); // in the midst of the digit
    read("step", (field) => ([state.step] = parseIntegers(field, ",", [0], [pixels])));
    return { state, problems };
  }

  /** The error of a field of the URL that cannot be used; its message goes to the reader. */
  class FieldError extends Error {}

  const FIELD_NAMES = {
    k: "kernel",
    size: "image size",
    corner: "corner",
    dilation: "dilation",
    anchor: "anchor",
    step: "step",
  };

  /** Return the value of a parsed field, or throw its problem. */
  function valueOf({ value, problem }) {
    if (problem) throw new FieldError(problem);
    return value;
  }

  function parseKernel(field) {
    const planes = field
      .split("/")
      .map((plane) => plane.split(";").map((line) => line.split(",").map((tap) => valueOf(parseNumber(tap)))));
    const channels = Math.sqrt(planes.length);
    const [height, width] = [planes[0].length, planes[0][0].length];
    const fits = planes.every((plane) => plane.length === height && plane.every((line) => line.length === width));
    if (![1, 2].includes(channels) || !fits || Math.max(height, width) > LIMITS.taps) {
      throw new FieldError("it holds 1 block of taps, or 4 for two channels, of at most 3 rows and 3 columns.");
    }
    return range(channels).map((o) => planes.slice(o * channels, (o + 1) * channels));
  }

  function parseIntegers(field, separator, least, most) {
    const parts = field.split(separator);
    if (parts.length !== least.length) throw new FieldError(`it needs ${least.length} numbers; got ${quoted(field)}.`);
    return parts.map((part, index) => valueOf(parseInteger(part, least[index], most[index])));
  }

  return {
    CORNERS,
    EPS,
    LIMITS,
    causalKernel,
    conditioning,
    convolve,
    cornerBlock,
    determinant,
    digits,
    explainPixel,
    fromFragment,
    growth,
    isQuadrant,
    matrix,
    matrixEntries,
    noise,
    nullImage,
    nullVector,
    parseInteger,
    parseNumber,
    pixelOrder,
    profile,
    range,
    reachesBorder,
    resample,
    roundTrip,
    substitute,
    taps,
    toFragment,
  };
})();

if (typeof module !== "undefined") module.exports = Explorer;
