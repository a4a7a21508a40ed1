"""The arithmetic of the explorer page, run by Node.js, against cinc_ref on random kernels."""

import json
import shutil
import subprocess
import warnings
from fractions import Fraction

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref._typing import Corner
from cinc_ref.geometry import CORNERS
from tests.support.checkout import ROOT

EXPLORER = ROOT / "docs" / "explorer"

node = shutil.which("node")
pytestmark = pytest.mark.skipif(node is None, reason="the page's arithmetic needs Node.js")

PRELUDE = """
const Explorer = require(process.argv[1]);
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const inJson = (_, value) =>
  typeof value === "bigint" || value === Infinity || value === -Infinity ? String(value) : value;
const FALLBACK = {
  kernel: [[[[7]]]], size: [8, 8], corner: "top-left", dilation: 1, anchor: [0, 0]};
const answer = (value) => process.stdout.write(JSON.stringify(value, inJson));
"""


def run(script, given):
    """Run a script that sees `given` and hands its result to `answer`."""
    done = subprocess.run(
        [node, "-e", PRELUDE + script, str(EXPLORER / "explorer.js")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Case:
    """A random kernel with all options of the page, and images for it."""

    def __init__(self, rng, seed):
        self.seed = seed
        channels = int(rng.integers(1, 3))
        kh, kw = (int(side) for side in rng.integers(1, 4, 2))
        self.size = tuple(int(side) for side in rng.integers(1, 8, 2))
        self.anchor = (int(rng.integers(kh)), int(rng.integers(kw)))
        if rng.random() < 0.5:
            self.anchor = (kh - 1, kw - 1)
        self.corner: Corner = CORNERS[seed % 4]
        self.dilation = int(rng.integers(1, 4))
        kernel = rng.normal(size=(channels, channels, kh, kw))
        kernel[rng.random(kernel.shape) < 0.1] = 0
        taps = np.arange(kh * kw).reshape(kh, kw)
        kernel *= taps <= self.anchor[0] * kw + self.anchor[1]
        block = (
            np.diag(rng.uniform(0.5, 2, channels) * rng.choice([-1, 1], channels))
            + np.tril(rng.normal(size=(channels, channels)), -1)
            if seed % 3
            else rng.normal(size=(channels, channels)) + 2 * np.eye(channels)
        )
        kernel[:, :, *self.anchor] = block
        self.kernel = kernel + 0.0
        self.x = rng.normal(size=(1, channels, *self.size))

    @property
    def options(self):
        return {"corner": self.corner, "dilation": self.dilation, "anchor": self.anchor}

    def to_json(self):
        problem = {"kernel": self.kernel.tolist(), "size": self.size, **self.options}
        return {"problem": problem, "x": pixel_major(self.x)}

    def __repr__(self):
        return f"case {self.seed}: {self.kernel.tolist()}, size={self.size}, {self.options}"


def assert_close(got, expected, case, rtol=0.0, atol=0.0):
    np.testing.assert_allclose(np.asarray(got, float), expected, rtol, atol, err_msg=repr(case))


def pixel_major(images):
    return images[0].transpose(1, 2, 0).ravel().tolist()


def from_pixel_major(values, case):
    return np.array(values).reshape(*case.size, len(case.kernel)).transpose(2, 0, 1)[None]


CASES = [Case(np.random.default_rng(seed), seed) for seed in range(200)]


@pytest.fixture(scope="module")
def answers():
    script = """
    answer(given.map(({problem, x}) => {
      const y = Explorer.convolve(problem, x);
      const single = Explorer.convolve(problem, x, Math.fround);
      const conditioning = Explorer.conditioning(problem);
      return {
        matrix: Explorer.matrix(problem),
        y,
        inverse: Explorer.substitute(problem, x),
        single: Explorer.substitute(problem, single, Math.fround),
        determinant: Explorer.determinant(problem),
        conditioning,
        digits: ["float32", "float64"].map((d) => Explorer.digits(conditioning.errorFactor, d)),
        steps: Explorer.pixelOrder(problem).map(
          (pixel) => Explorer.explainPixel(problem, y, x, pixel).rest),
      };
    }));
    """
    return run(script, [case.to_json() for case in CASES])


def test_the_cases_cover_all_that_the_page_offers():
    assert {case.corner for case in CASES} == set(CORNERS)
    assert {case.dilation for case in CASES} == {1, 2, 3}
    assert {len(case.kernel) for case in CASES} == {1, 2}
    assert {case.kernel.shape[2:] for case in CASES} == {
        (a, b) for a in (1, 2, 3) for b in (1, 2, 3)
    }
    assert sum(case.size[0] != case.size[1] for case in CASES) > 100
    last = [np.subtract(case.kernel.shape[2:], 1) for case in CASES]
    moved = [case for case, end in zip(CASES, last, strict=True) if case.anchor != tuple(end)]
    half_plane = [c for c in moved if np.any(c.kernel[:, :, : c.anchor[0], c.anchor[1] + 1 :])]
    assert len(moved) > 50 and len(half_plane) > 15


def test_the_matrix_is_that_of_cinc_ref(answers):
    for case, answer in zip(CASES, answers, strict=True):
        expected = cr.convolution_matrix(case.kernel, case.size, **case.options)
        np.testing.assert_array_equal(answer["matrix"], expected, err_msg=repr(case))


def test_convolution_and_substitution_are_those_of_the_exact_oracle(answers):
    for case, answer in zip(CASES, answers, strict=True):
        y = theory.exact_conv(case.x, case.kernel, **case.options).astype(float)
        scale = np.abs(case.kernel).sum() * np.abs(case.x).max()
        assert_close(from_pixel_major(answer["y"], case), y, case, atol=40 * 2**-52 * scale)
        x = theory.exact_inverse(case.x, case.kernel, **case.options).astype(float)
        # The error of a substitution is bounded by eps times the condition number.
        condition = float(answer["conditioning"]["condition"])
        tolerance = 20 * 2**-52 * condition * max(1, np.abs(x).max())
        assert_close(from_pixel_major(answer["inverse"], case), x, case, atol=tolerance)


def test_determinant(answers):
    for case, answer in zip(CASES, answers, strict=True):
        answer = answer["determinant"]
        exact = Fraction(theory.exact_determinant(case.kernel, case.size, **case.options))
        assert answer["sign"] == (1 if exact > 0 else -1), case
        assert_close(answer["value"], float(exact), case, rtol=1e-12)
        log_det = float(cr.log_abs_det(case.kernel, case.size, anchor=case.anchor))
        assert_close(answer["nats"], log_det, case, rtol=1e-12, atol=1e-13)
        assert_close(answer["log10"], log_det / np.log(10), case, rtol=1e-12, atol=1e-13)


def test_condition_number_and_digits(answers):
    for case, answer in zip(CASES, answers, strict=True):
        options = {"dilation": case.dilation, "anchor": case.anchor}
        expected = theory.stability(case.kernel, case.size, **options)
        # A substitution gets the norm to a relative error far below eps times the condition.
        tolerance = max(1e-9, 1e-3 * 2**-52 * expected.condition_number)
        got = answer["conditioning"]
        assert_close(got["condition"], expected.condition_number, case, rtol=tolerance)
        assert_close(got["inverseNorm"], expected.inverse_norm, case, rtol=tolerance)
        assert_close(got["errorFactor"], expected.error_factor, case, rtol=tolerance)
        digits = [expected.digits("float32"), expected.digits("float64")]
        assert_close(answer["digits"], digits, case, atol=1e-6)


def test_the_worst_response_is_the_largest_column_of_the_inverse(answers):
    for case, answer in zip(CASES, answers, strict=True):
        worst = answer["conditioning"]["worst"]
        (i, j), channel = worst["pixel"], worst["channel"]
        impulse = np.zeros_like(case.x)
        impulse[0, channel, i, j] = 1
        expected = theory.exact_inverse(impulse, case.kernel, **case.options).astype(float)
        got = from_pixel_major(worst["response"], case)
        assert_close(got, expected, case, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
        norm = answer["conditioning"]["inverseNorm"]
        assert_close(np.abs(got).sum(), norm, case, rtol=1e-12)


def test_every_step_leaves_what_the_corner_block_makes_of_the_pixel(answers):
    for case, answer in zip(CASES, answers, strict=True):
        block = case.kernel[:, :, *case.anchor]
        flipped = np.flip(
            case.x, [axis for axis, name in ((2, "bottom"), (3, "right")) if name in case.corner]
        )
        expected = flipped[0].reshape(len(block), -1).T @ block.T
        scale = np.abs(case.kernel).sum() * np.abs(case.x).max()
        assert_close(answer["steps"], expected, case, atol=40 * 2**-52 * scale)


def test_rounding_to_float32_loses_as_many_digits_as_cinc_ref_loses(answers):
    ratios = []
    for case, answer in zip(CASES, answers, strict=True):
        kernel, x = case.kernel.astype(np.float32), case.x.astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.errors.IllConditionedWarning)
            ours = cr.conv_inverse(cr.conv(x, kernel, **case.options), kernel, **case.options)
        expected = max(np.abs(ours - x).max(), 2**-23)
        observed = max(np.abs(from_pixel_major(answer["single"], case) - case.x).max(), 2**-23)
        ratios.append(observed / expected)
    assert 0.2 < np.median(ratios) < 5 and np.abs(np.log10(ratios)).max() < 3


def test_a_round_trip_has_the_error_of_convolution_and_substitution():
    script = """answer(given.map(({problem, x}) => ["float32", "float64"].map((dtype) => {
      const round = dtype === "float32" ? Math.fround : (value) => value;
      const y = Explorer.convolve(problem, x.map(round), round);
      const undone = Explorer.substitute(problem, y, round);
      return {trip: Explorer.roundTrip(problem, x, dtype), y, undone};
    })));"""
    for case, got in zip(CASES, run(script, [case.to_json() for case in CASES]), strict=True):
        for dtype, answer in zip((np.float32, np.float64), got, strict=True):
            trip, x = answer["trip"], np.array(pixel_major(case.x.astype(dtype)), float)
            assert (trip["y"], trip["undone"]) == (answer["y"], answer["undone"]), case
            assert trip["error"] == np.abs(np.array(trip["undone"], float) - x).max(), case


def test_noise_is_uniform_and_always_the_same():
    first, second = run("answer([Explorer.noise(2000), Explorer.noise(2000)]);", None)
    assert first == second
    assert 0 <= min(first) < 0.01 and 0.99 < max(first) <= 1
    np.testing.assert_allclose(np.histogram(first, 10, (0, 1))[0], 200, atol=60)
    assert np.mean([value * 2**33 % 1 != 0 for value in first]) > 0.9  # float64 rounds as well


SINGULAR = [
    [[[[1, 2], [3, 0]]]],
    [[[[0.0]]]],
    np.ones((2, 2, 2, 2)).tolist(),
    [[[[1, 0]], [[2, 0]]], [[[3, 0]], [[4, 5]]]],
    [[[[1, 0]], [[2, 3]]], [[[3, 0]], [[4, 5]]]],
    [[[[0.5]], [[0.3]]], [[[-1.0]], [[-0.6]]]],
    [[[[0.1]], [[-0.7]]], [[[0.0]], [[0.0]]]],
    [[[[0.0]], [[0.0]]], [[[-0.3]], [[0.1]]]],
    [[[[0.0]], [[0.0]]], [[[0.0]], [[0.0]]]],
]


@pytest.mark.parametrize("corner", CORNERS)
def test_null_images_of_singular_kernels(corner):
    size = (2, 3)
    problems = [
        {
            "kernel": kernel,
            "size": size,
            "corner": corner,
            "dilation": 1,
            "anchor": [len(kernel[0][0]) - 1, len(kernel[0][0][0]) - 1],
        }
        for kernel in SINGULAR
    ]
    script = """answer(given.map((problem) => ({
      image: Explorer.nullImage(problem), ...Explorer.determinant(problem)})));"""
    for problem, got in zip(problems, run(script, problems), strict=True):
        kernel = np.array(problem["kernel"])
        expected = theory.null_image(kernel, size, corner=corner).astype(object)
        integers = [int(value) for value in got["image"]]
        assert integers == [int(v) for v in pixel_major(expected)], problem
        assert got["singular"] and got["value"] == 0 and got["log10"] == "-Infinity"


NEARLY_SINGULAR = [
    [[[[1.0]], [[3.0]]], [[[1 / 3]], [[1.0]]]],  # rounding of 1/3 keeps the determinant at 2^-54
    [[[[0.1]], [[0.3]]], [[[0.3]], [[0.9]]]],
    [[[[1e-300]]]],
    [[[[5e-324]]]],
    [[[[1e-200]], [[0.0]]], [[[1.0]], [[1e-200]]]],
]


def test_singularity_is_decided_without_rounding():
    size = (3, 3)
    problems = [
        {"kernel": k, "size": size, "corner": "top-left", "dilation": 1, "anchor": [0, 0]}
        for k in NEARLY_SINGULAR
    ]
    script = """answer(given.map((problem) => ({
      image: Explorer.nullImage(problem), ...Explorer.determinant(problem)})));"""
    for problem, got in zip(problems, run(script, problems), strict=True):
        kernel = np.array(problem["kernel"])
        assert theory.is_invertible(kernel) is not got["singular"] and got["image"] is None
        exact = abs(Fraction(theory.exact_determinant(kernel, size)))
        nats = theory.exact.log_abs(exact)
        assert got["nats"] == pytest.approx(nats, rel=1e-12)


def test_determinants_of_integers_are_exact():
    problem = {"size": (8, 8), "corner": "top-left", "dilation": 1, "anchor": [0, 0]}
    script = "answer(given.map((problem) => Explorer.determinant(problem).exact));"
    kernels = [[[[[-2]]]], [[[[3]], [[5]]], [[[4]], [[6]]]], [[[[0.5]]]]]
    got = run(script, [{**problem, "kernel": kernel} for kernel in kernels])
    assert got == [str(2**64), str(2**64), None]


def test_the_fragment_of_a_state_gives_the_state_back():
    states = [
        {**case.to_json()["problem"], "step": case.size[0] * case.size[1] // 3} for case in CASES
    ]
    script = """
    answer(given.map((state) => Explorer.fromFragment("#" + Explorer.toFragment(state), FALLBACK)));
    """
    for state, got in zip(states, run(script, states), strict=True):
        assert got["problems"] == []
        assert got["state"] == json.loads(json.dumps(state))


WRONG = {
    "k=1,a": "“a” is not a number",
    "k=": "Nothing is typed",
    "k=1e999": "“1e999” is too large",
    "k=1,2;3": "1 block of taps, or 4",
    "k=1/2": "1 block of taps, or 4",
    "k=1,2,3,4": "at most 3 rows",
    "k=NaN": "“NaN” is not a number",
    "k=0x10": "is not a number",
    "size=0x8": "from 1 to 32; got “0”",
    "size=8": "it needs 2 numbers",
    "size=8x1e1": "“1e1”",
    "size=33x1": "from 1 to 32; got “33”",
    "corner=middle": "it is one of top-left, top-right",
    "dilation=0": "from 1 to 4",
    "dilation=": "got nothing",
    "anchor=1,1": "from 0 to 0; got “1”",
    "anchor=__proto__": "it needs 2 numbers",
    "step=65": "from 0 to 64",
    "step=-1": "from 0 to 64",
    "k=%E0%A4%A": "is not a number",
}


def test_a_wrong_link_leaves_the_other_fields_and_says_what_is_wrong():
    script = """
    answer(given.map((text) => Explorer.fromFragment(text, FALLBACK)));
    """
    expected = {"kernel": [[[[7]]]], "corner": "top-left", "anchor": [0, 0], "dilation": 1}
    for (text, words), got in zip(WRONG.items(), run(script, list(WRONG)), strict=True):
        (sentence,) = got["problems"]
        assert words in sentence and sentence.endswith("."), (text, sentence)
        assert got["state"] == {**expected, "size": [8, 8], "step": 37}, text


def test_numbers_are_read_as_people_type_them():
    typed = ["-0.9", " 1 ", "−2", "0,5", ".5", "2.", "1e3", "-0", "+4"]
    assert run("answer(given.map((text) => Explorer.parseNumber(text).value));", typed) == [
        -0.9,
        1,
        -2,
        0.5,
        0.5,
        2,
        1000,
        0,
        4,
    ]


def test_the_digit_of_the_page_is_a_real_one():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    from cinc_ref.data.bundled import digits

    page = (EXPLORER / "index.html").read_text(encoding="utf-8")
    rows = json.loads(page.split("const DIGIT = ")[1].split(";")[0].replace(",\n  ]", "\n  ]"))
    assert rows == digits()[2, 0].tolist()


def test_resampling_keeps_the_ink():
    (digit,) = np.random.default_rng(0).integers(0, 17, (1, 8, 8)).tolist()
    sizes = [(8, 8), (4, 4), (3, 5), (16, 32), (1, 1), (7, 2)]
    script = "answer(given[1].map((size) => Explorer.resample(given[0], size)));"
    for size, got in zip(sizes, run(script, [digit, sizes]), strict=True):
        assert np.mean(got) == pytest.approx(np.mean(digit)), size
        if size == (8, 8):
            assert got == np.ravel(digit).tolist()


def test_the_page_is_small_and_loads_nothing_from_elsewhere():
    files = list(EXPLORER.iterdir())
    assert {file.suffix for file in files} <= {".html", ".js", ".css"}
    assert sum(file.stat().st_size for file in files) < 500_000
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert (
            not any(f'{attribute}="http' in text for attribute in ("src",))
            and "@import" not in text
        )
