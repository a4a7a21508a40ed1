"""The benchmark: that it counts, divides and judges rightly; nothing here depends on a time."""

import importlib
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from autograd import grad

import cinc_ref as cr
from cinc_ref import bench
from cinc_ref._trees import named_leaves
from cinc_ref.bench import bounds, compilation, convolution, flows, groups, machine, scaling
from cinc_ref.bench.bounds import BOUNDS, Bound, judge
from cinc_ref.bench.rows import Row
from cinc_ref.bench.twin import Twin
from cinc_ref.errors import CincError, OptionError
from cinc_ref.timing import Timing
from cinc_ref.training.loss import mean_bits
from tests.support.commands import assert_one_line_error, run
from tests.support.registry import perturbed

IMAGE = (1, 8, 8)
SHAPE = {"levels": 2, "depth": 1, "width": 4}
TINY = {"image_shape": IMAGE, "shape": SHAPE}


def compiling_rows():
    """Make the rows of the group compile without a compiler."""
    return [
        Row(what, case, case.split()[-1], median=2.0, minimum=1.0, ratios={"imports": 4.0})
        for case in compilation.SCRIPTS
        for what in (compilation.EMPTY, compilation.FILLED)
    ]


TINY_GROUPS = {
    "kernels": (
        partial(convolution.measure_case, 3, (4, 5), 2, "float64", rounds=1, turn=0.0),
        partial(convolution.measure_case, 2, (3, 3), 1, "float32", rounds=2, turn=0.0),
        partial(convolution.measure_overhead, 2, (3, 3), 1, rounds=2, turn=0.0),
    ),
    "sampling": (
        partial(flows.measure_sampling, 2, 1, **TINY),
        partial(flows.measure_layers, 2, 1, **TINY),
        partial(flows.measure_wide, 2, 1, IMAGE, SHAPE | {"width": 5}, products=1),
        partial(flows.measure_paper, "cifar10", 2, **TINY),
    ),
    "training": (
        partial(flows.measure_training, "affine", 2, 1, **TINY),
        partial(flows.measure_training, "quad", 2, 1, **TINY),
        partial(flows.measure_step_memory, 2, IMAGE, SHAPE, SHAPE | {"depth": 2}),
    ),
    "scaling": (
        partial(scaling.measure_batches, "float32", (4, 5, 8), side=3, rounds=1, turn=0.0),
        partial(scaling.measure_sizes, "float64", ((3, 2), (4, 1)), rounds=1, turn=0.0),
        partial(scaling.measure_memory, "float32", side=4, batch=3),
    ),
    "compile": (compiling_rows,),
}


@pytest.fixture
def tiny(monkeypatch):
    """All groups with small sizes, and a quick look at the machine."""
    monkeypatch.setattr(machine, "gemm_peak", lambda: {"float32": 10.0, "float64": 5.0})
    for name, jobs in TINY_GROUPS.items():
        monkeypatch.setitem(groups.GROUPS, name, replace(groups.GROUPS[name], jobs=jobs))


@pytest.fixture
def no_torch(monkeypatch):
    """As if PyTorch were not installed."""
    for module in (convolution, flows):
        monkeypatch.setattr(module, "has_torch", lambda: False)
    monkeypatch.setattr(machine, "PACKAGES", ("numpy",))
    monkeypatch.setattr(machine, "_version", lambda name: None)
    monkeypatch.setattr(machine, "versions", lambda: {"numpy": "2", "torch": None})


def torch():
    return pytest.importorskip("torch", reason="torch is not installed: pip install torch")


# ---- the twin ----------------------------------------------------------------------------------


def twin_case(coupling, channels_last=False, dtype=np.float32):
    shape = {"levels": 2, "depth": 2, "width": 8}
    flow = cr.flows.build("cinc", coupling, (3, 8, 8), **shape)
    x = np.random.default_rng(1).uniform(-0.5, 0.5, (5, 3, 8, 8)).astype(dtype)
    params = perturbed(flow.init(np.random.default_rng(0), x), 0.1)
    return flow, params, x, Twin(flow, params, channels_last)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("coupling", ["additive", "affine", "quad"])
def test_the_twin_has_the_same_density(coupling, channels_last):
    torch()
    flow, params, x, twin = twin_case(coupling, channels_last)
    ours, theirs = flow.log_prob(params, x), twin.log_prob(twin.images(x)).detach().numpy()
    assert np.allclose(theirs, ours, rtol=1e-4, atol=0)
    assert np.isclose(
        float(twin.bits(twin.images(x)).detach()), mean_bits(flow, params, x), rtol=1e-4
    )


@pytest.mark.parametrize("coupling", ["additive", "affine", "quad"])
def test_onnx_runtime_has_the_same_density(coupling):
    torch()
    for module in ("onnxruntime", "onnxscript"):
        reason = f"{module} is not installed: pip install onnx onnxruntime onnxscript"
        pytest.importorskip(module, reason=reason)
    flow, params, x, twin = twin_case(coupling)
    got = twin.onnx_session(twin.images(x))(x)
    assert got.shape == (5,) and got.dtype == np.float32
    assert np.allclose(got, flow.log_prob(params, x), rtol=1e-4, atol=0)


@pytest.mark.parametrize("coupling", ["affine", "quad"])
def test_the_twin_has_the_same_gradient(coupling):
    torch()
    flow, params, x, twin = twin_case(coupling, dtype=np.float64)
    twin.bits(twin.images(x)).backward()
    ours = named_leaves(grad(lambda params: mean_bits(flow, params, x))(params))
    for (name, gradient), leaf in zip(ours.items(), twin.leaves, strict=True):
        error = np.abs(leaf.grad.numpy() - gradient).max()  # sums in another order
        assert error <= 1e-9 * max(1, np.abs(gradient).max()), name


def test_the_twin_learns_as_adam_does():
    torch()
    _, params, x, twin = twin_case("affine")
    step, images = twin.training_step(learning_rate=1e-3), twin.images(x)
    before = [leaf.detach().clone() for leaf in twin.leaves]
    first = step(images)
    assert all(
        float((leaf.detach() - old).abs().max()) < 1.1e-3  # the first step is the rate at most
        for leaf, old in zip(twin.leaves, before, strict=True)
    )
    assert step(images) < first
    assert all(np.isfinite(leaf).all() for leaf in named_leaves(params).values())


# ---- counting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(4, 5), (1, 3), (2, 2)])
def test_multiply_adds_are_the_entries_of_the_matrix(size):
    _, kernel = convolution.problem(3, size, 2, "float64")
    entries = np.count_nonzero(cr.convolution_matrix(kernel, size))
    assert convolution.multiply_adds(3, size, 2) == 2 * entries


@pytest.mark.parametrize("coupling", ["additive", "affine", "quad"])
def test_multiply_adds_of_a_flow_are_those_of_its_weights(coupling):
    flow, params = flows.model(coupling, (3, 8, 4), levels=2, depth=2, width=5)
    sizes = [(4, 2), (2, 1)]

    def joined(size):
        """Pairs of pixels that a 3x3 tap joins."""
        rows, columns = (sum(1 for i in range(s) for j in range(s) if abs(i - j) < 2) for s in size)
        return rows * columns

    expected = 0
    for name, leaf in named_leaves(params).items():
        place = name.split("/")
        size = sizes[int(place[1])] if place[0] in ("levels", "priors") else None
        if place[-1] == "weight":
            pairs = joined(size) if leaf.shape[2] == 3 else size[0] * size[1]
            expected += leaf.shape[0] * leaf.shape[1] * pairs
        if place[-1] == "taps":
            expected += convolution.multiply_adds(len(leaf), size, 1)
    assert flows.multiply_adds(flow) == expected


def test_the_peak_is_that_of_matrix_products():
    peak = machine.gemm_peak(side=16, repeat=1)
    assert peak.keys() == {"float32", "float64"}
    assert all(value > 0 for value in peak.values())
    assert machine.bandwidth(megabytes=1, repeat=1) > 0


def test_the_machine_is_described():
    assert machine.cpu_name()
    assert machine.versions()["numpy"] == np.__version__
    assert machine.versions().keys() > {"python", "torch"}


def test_memory_is_what_a_call_holds_at_most():
    def hold():
        first = np.ones(10**6)
        del first
        return np.ones(10**5)

    assert 8e6 <= scaling.peak_memory(hold) < 8.2e6


def test_layers_share_the_time_of_sampling():
    rows = flows.measure_layers(2, 1, **TINY)
    assert sum(row.ratios["sample"] for row in rows) == pytest.approx(1)
    assert {"sample: InvertibleConv", "sample: AffineCoupling"} < {row.what for row in rows}


def test_later_processes_find_what_the_first_left(monkeypatch, tmp_path):
    script = """
import os, pathlib
left = pathlib.Path(os.environ["NUMBA_CACHE_DIR"], "left")
with open({path!r}, "a") as log:
    print(left.exists(), file=log)
left.touch()
"""
    log = tmp_path / "log"
    script = script.replace("{path!r}", repr(str(log)))
    monkeypatch.setitem(compilation.SCRIPTS, "tiny float64", script)
    monkeypatch.setattr(compilation, "IMPORTS", "pass")
    empty, filled = compilation.measure_compilation("tiny float64", rounds=3)
    assert log.read_text().split() == ["False", "True", "True", "True"]
    assert [empty.what, filled.what] == [compilation.EMPTY, compilation.FILLED]
    for row in (empty, filled):
        assert (row.case, row.dtype) == ("tiny float64", "float64")
        assert row.median >= row.minimum > 0 and row.ratios["imports"] > 0


def test_the_unit_is_the_time_of_the_imports(monkeypatch):
    seconds = {compilation.IMPORTS: 2.0, "x": 6.0, "import cinc_ref.training": 99.0}
    monkeypatch.setitem(compilation.SCRIPTS, "float32", "x")
    monkeypatch.setattr(compilation, "processor_seconds", lambda code, _: seconds[code])
    rows = compilation.measure_compilation("float32")
    assert [row.ratios["imports"] for row in rows] == [3.0, 3.0]


def test_processor_time_is_not_the_time_that_passes():
    sleep = "import time; time.sleep(0.3)"
    work = "import time\nwhile time.process_time() < 0.3: pass"
    environment = dict(os.environ)
    assert compilation.processor_seconds(sleep, environment) < 0.25
    assert compilation.processor_seconds(work, environment) >= 0.3


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "import sys\nprint(1)\nraise OSError('no room')",
            "got 1; its last line: OSError: no room",
        ),
        ("import sys; sys.exit(7)", r"got 7; its last line: \(it printed nothing\)"),
        ("import os; os.abort()", "got -6; its last line: "),
    ],
)
def test_a_measured_process_that_fails_says_why(code, said):
    with pytest.raises(CincError, match=f"{said}.*$"):
        compilation.processor_seconds(code, dict(os.environ))


@pytest.mark.parametrize("case", compilation.SCRIPTS)
def test_the_scripts_that_are_compiled_run(case):
    script = compilation.SCRIPTS[case]
    for large, small in (("width=64", "width=4"), ("depth=8", "depth=1"), ("16, 16", "3, 3")):
        script = script.replace(large, small)
    exec(script, {})


# ---- rows --------------------------------------------------------------------------------------


def test_ratios_of_a_convolution():
    rows = {row.what: row for row in TINY_GROUPS["kernels"][0]()}
    inverse, specification = rows["conv_inverse, batch-last"], rows["reference inverse"]
    assert inverse.ratios["reference"] == pytest.approx(inverse.median / specification.median)
    vjp = rows["VJP of conv_inverse"]
    assert vjp.ratios["conv_inverse"] == vjp.median / inverse.median
    assert all(row.minimum <= row.median for row in rows.values())
    work = convolution.multiply_adds(3, (4, 5), 2)
    assert inverse.gflops == pytest.approx(2 * work / inverse.median / 1e9)
    assert vjp.gflops == pytest.approx(6 * work / vjp.median / 1e9)
    product = rows["matrix product"]
    assert product.gflops == pytest.approx(2 * 1024**3 / product.median / 1e9)
    assert vjp.ratios["gemm"] == pytest.approx(vjp.gflops / product.gflops)


def test_many_matrix_products_measure_as_one(monkeypatch):
    """What a wide flow reaches is divided by them, counted as they were done."""
    seconds = {"sample, width 4": 3.0, "products": 2.0}
    monkeypatch.setattr(
        flows,
        "measure_in_turn",
        lambda functions, **_: {
            name: Timing((seconds.get(name, 1.0),), None, (seconds.get(name, 1.0),))
            for name in functions
        },
    )
    row = flows.measure_wide(2, 1, products=7, **TINY)[0]
    rate = 2 * 7 * 1024**3 / 2.0 / 1e9
    assert row.ratios["gemm"] == pytest.approx(row.gflops / rate)


def test_pytorch_counts_in_its_faster_memory_order():
    torch()
    rows = {row.what: row for row in TINY_GROUPS["kernels"][0]()}
    (forward,) = (row for what, row in rows.items() if what.startswith("PyTorch forward"))
    conv = rows["conv, NCHW"]
    assert conv.ratios["PyTorch"] == conv.median / forward.median


def test_the_operator_is_divided_by_pytorchs_forward_convolution():
    torch()
    rows = {row.what: row for row in TINY_GROUPS["kernels"][1]()}
    (forward,) = (row for what, row in rows.items() if what.startswith("PyTorch forward"))
    operator = rows["cinc_ref.torch.conv_inverse, NCHW"]
    assert operator.ratios["PyTorch"] > 0
    assert operator.ratios["reference"] > 0 and forward.median > 0


def test_the_overhead_is_a_difference_in_microseconds(monkeypatch):
    torch()
    seconds = {
        "arrays": (3e-6, 9e-6, 4e-6),
        convolution.OVERHEAD["inference mode"]: (10e-6, 17e-6, 10e-6),
        convolution.OVERHEAD["recording"]: (20e-6, 29e-6, 20e-6),
    }
    called = []

    def fixed(functions, **_):
        for name, function in functions.items():
            function()
            called.append(name)
        return {name: Timing(seconds[name], None, seconds[name]) for name in functions}

    monkeypatch.setattr(convolution, "measure_in_turn", fixed)
    rows = convolution.measure_overhead(2, (3, 3), 1)
    assert called == list(seconds)
    assert [row.ratios["1 µs"] for row in rows] == pytest.approx([7, 17])  # medians of differences
    assert [row.median for row in rows] == pytest.approx([7e-6, 17e-6])


def test_only_the_recording_call_records():
    module, seen = torch(), []
    original = importlib.import_module("cinc_ref.torch").conv_inverse

    def watched(y, kernel):
        x = original(y, kernel)
        seen.append((module.is_inference_mode_enabled(), x.requires_grad))
        return x

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cinc_ref.torch.conv_inverse", watched)
        convolution.measure_overhead(2, (3, 3), 1, rounds=1, turn=0.0)
    assert set(seen) == {(True, False), (False, True)}


def test_time_per_image_is_compared_to_smaller_batches_only():
    rows = TINY_GROUPS["scaling"][0]()
    each = [row.median / batch for row, batch in zip(rows, (4, 5, 8), strict=True)]
    assert "least per image" not in rows[0].ratios
    assert rows[2].ratios["least per image"] == pytest.approx(each[2] / min(each[:2]))


def test_time_per_multiply_add_is_compared_to_all():
    rows = TINY_GROUPS["scaling"][1]()
    assert min(row.ratios["least per multiply-add"] for row in rows) == 1


def test_without_torch_there_are_no_such_ratios(no_torch):
    for job in (TINY_GROUPS["kernels"][0], TINY_GROUPS["sampling"][0], TINY_GROUPS["training"][0]):
        rows = job()
        assert rows
        assert not any("PyTorch" in row.what or "PyTorch" in row.ratios for row in rows)
        assert not any("torch" in row.what for row in rows)
    assert convolution.measure_overhead() == []


# ---- a busy machine ----------------------------------------------------------------------------


def report_of(medians, load=0.1, cores=2):
    here = machine.Machine("a processor", {}, "pinned to core 1", {}, load, cores)
    rows = [Row("conv", f"case {k}", median=m, minimum=1.0) for k, m in enumerate(medians)]
    rows.append(Row("memory", "no time", ratios={"input": 9.0}))
    return groups.Report(here, "today", {}, {"kernels": rows})


@pytest.mark.parametrize(
    ("medians", "load", "cores", "signs"),
    [
        ([1.0, 1.2, 1.49], 0.1, 2, ()),
        ([1.0, 1.2, 6.0], 0.1, 2, ("in 1 of 4 rows", "6.0 times (conv, case 2 float32)")),
        ([1.6, 1.7], 0.1, 2, ("in 2 of 3 rows", "more than 1.5 times the minimum")),
        ([1.0], 3.0, 2, ("load average was 3.0 on 2 cores",)),
        ([1.0], 0.9, 1, ("load average was 0.9 on 1 core before",)),
        ([1.0], 1.2, 2, ()),  # one core of two is free
        ([1.0], None, None, ()),  # Windows does not tell
        ([9.0], 30.0, 8, ("in 1 of 2 rows", "load average was 30.0 on 8 cores")),
    ],
)
def test_a_report_says_that_the_core_was_not_alone(medians, load, cores, signs):
    sentence = report_of(medians, load, cores).disturbance
    assert bool(sentence) == bool(signs)
    assert all(sign in sentence for sign in signs), sentence
    assert report_of(medians, load, cores).to_dict()["disturbance"] == sentence


def test_the_command_prints_the_disturbance_once_and_stores_it(capsys, monkeypatch, tmp_path, tiny):
    for spread, expected in ((6.0, 1), (1.1, 0)):
        rows = [Row("sample", "a flow", median=spread, minimum=1.0, ratios={"encode": 1.0})]
        monkeypatch.setitem(
            groups.GROUPS, "sampling", groups.Group("t", "n", (lambda rows=rows: rows,))
        )
        monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
        _, out, _ = run(capsys, "bench", "sampling", "--json", tmp_path / "figures.json")
        assert out.count("The core was not alone") == expected
        content = json.loads((tmp_path / "figures.json").read_text())
        assert bool(content["disturbance"]) == bool(expected)
        assert content["machine"]["load"] == 0.0 and content["machine"]["cores"] >= 1


@pytest.mark.parametrize("group", TINY_GROUPS)
def test_the_row_that_answers_the_usual_question_is_marked(capsys, tiny, group):
    _, out, _ = run(capsys, "bench", group)
    marked = [line for line in out.splitlines() if line.startswith("|") and groups.MARK in line]
    answer = groups.GROUPS[group].answer
    assert bool(marked) == bool(answer)
    assert all(line.startswith(f"| {answer} {groups.MARK} ") for line in marked)
    assert (groups.MARK in groups.GROUPS[group].note) == bool(answer)


def test_a_convolution_of_ones_own_marks_its_answer():
    group = groups.convolution_group(3, (4, 4), 2, "float32")
    assert groups.MARK in group.note and group.answer == "conv_inverse, NCHW"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ((0, (8, 8), 1, "float32"), "channels must be an integer >= 1; got 0"),
        ((2.5, (8, 8), 1, "float32"), "channels must be an integer >= 1; got 2.5"),
        ((3, (8,), 1, "float32"), r"size must be \(H, W\), two integers >= 1"),
        ((3, (8, 0), 1, "float32"), r"size must be \(H, W\), two integers >= 1"),
        ((3, (8, 8), True, "float32"), "batch must be an integer >= 1; got True"),
        ((3, (8, 8), 1, "float16"), "dtype must be one of float32, float64; got 'float16'"),
    ],
)
def test_impossible_convolutions_are_refused_before_anything_is_measured(options, error):
    with pytest.raises(CincError, match=error):
        groups.convolution_group(*options)


@pytest.mark.parametrize("given", [["kernels"], {"kernels": 3}, None])
def test_what_is_no_group_is_refused_before_anything_is_measured(monkeypatch, given):
    monkeypatch.setattr(machine, "describe", lambda: pytest.fail("it was measured"))
    with pytest.raises(OptionError, match="groups"):
        groups.run(given)


# ---- bounds ------------------------------------------------------------------------------------

UPPER = Bound("kernels", "conv", "PyTorch", 0.7, "float32", ("small", "large"))
LOWER = Bound("kernels", "conv", "gemm", 0.75, at_least=True)


@pytest.mark.parametrize(
    ("ratio", "missed"), [(0.69, False), (0.7, False), (0.71, True), (np.inf, True)]
)
def test_an_upper_bound(ratio, missed):
    rows = [
        Row("conv", "small", ratios={"PyTorch": 0.5}),
        Row("conv", "large", ratios={"PyTorch": ratio}),
        Row("conv", "other", ratios={"PyTorch": 9.0}),
        Row("conv", "large", "float64", ratios={"PyTorch": 9.0}),
        Row("conv, NCHW", "large", ratios={"PyTorch": 9.0}),
    ]
    (verdict,) = judge({"kernels": rows}, [UPPER])
    assert (verdict.worst, verdict.missed) == (ratio, missed)
    assert "large" in verdict.case


@pytest.mark.parametrize(("ratio", "missed"), [(0.74, True), (0.75, False), (0.9, False)])
def test_a_lower_bound(ratio, missed):
    rows = [
        Row("conv", "any", ratios={"gemm": ratio}),
        Row("conv", "one", ratios={"gemm": 1}),
    ]
    (verdict,) = judge({"kernels": rows}, [LOWER])
    assert (verdict.worst, verdict.missed) == (ratio, missed)


def test_what_was_not_measured_is_not_missed():
    (verdict,) = judge({"kernels": [Row("conv", "small")]}, [UPPER])
    assert verdict.worst is None and not verdict.missed
    assert judge({"sampling": []}, [UPPER]) == []


def test_every_bound_is_measured_by_the_real_run():
    """By name: each bound's row and ratio is one that the jobs yield, torch or not."""
    cases = {
        convolution.case_name(*job.args[:3])
        for job in groups.GROUPS["kernels"].jobs
        if getattr(job, "func", None) is convolution.measure_case
    } | {*compilation.SCRIPTS}
    cases |= {
        flows.case_name(flows.build("cinc", "affine", shape, **sizes), batch)
        for shape, sizes, batch in (
            *((flows.IMAGE, flows.SAMPLING, batch) for batch in (1, 10, 100)),
            (flows.DIGIT, flows.DIGITS, 1),
            (flows.IMAGE, flows.WIDE, 100),
        )
    }
    for bound in BOUNDS:
        assert bound.group in groups.GROUPS
        assert set(bound.cases) <= cases, bound.name
    assert len({(b.name, b.at_least) for b in BOUNDS}) == len(BOUNDS)


def test_bounds_name_rows_that_exist():
    names = {
        name: {row.what for job in jobs for row in job()} for name, jobs in TINY_GROUPS.items()
    }
    names["sampling"].add("sample, width 512")
    if not machine.has_torch():
        names["kernels"] |= {*convolution.OVERHEAD.values(), "cinc_ref.torch.conv_inverse, NCHW"}
    for bound in BOUNDS:
        assert bound.what in names[bound.group], bound.name


# ---- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [*TINY_GROUPS, "all"])
def test_every_group_prints_tables_and_writes_json(capsys, monkeypatch, tmp_path, tiny, group):
    path = tmp_path / "figures.json"
    arguments = ("bench",) if group == "all" else ("bench", group)
    code, out, _ = run(capsys, *arguments, "--json", path)
    assert code == 0
    content = json.loads(path.read_text())
    wanted = list(TINY_GROUPS) if group == "all" else [group]
    assert list(content["rows"]) == wanted
    assert content["machine"]["peak"] == {"float32": 10.0, "float64": 5.0}
    for name in wanted:
        assert content["rows"][name]
        assert groups.GROUPS[name].title in out
        for row in content["rows"][name]:
            (line,) = {
                line
                for line in out.splitlines()
                if line.startswith(f"| {row['what']} ")
                and f"| {row['case']} " in line
                and f"| {row['dtype']} " in line
            } or {None}
            assert line is not None, row
    expected = [bound.name for bound in BOUNDS if bound.group in wanted]
    assert [verdict["bound"] for verdict in content["bounds"]] == expected
    assert "one BLAS thread" in out


@pytest.mark.parametrize(("ratio", "code"), [(1.14, 0), (1.16, 1)])
def test_check_fails_when_a_ratio_is_missed(capsys, monkeypatch, tiny, ratio, code):
    rows = [Row("sample", "a flow", median=1.0, minimum=0.9, ratios={"encode": ratio})]
    group = groups.Group("title", "note", (lambda: rows,))
    monkeypatch.setitem(groups.GROUPS, "sampling", group)
    found, out, _ = run(capsys, "bench", "sampling", "--check")
    assert found == code
    assert ("missed" in out) == bool(code)
    assert run(capsys, "bench", "sampling")[0] == 0  # unless it is asked for


def test_one_convolution_of_ones_own(capsys, monkeypatch, tmp_path, tiny):
    seen = []
    measure_case = convolution.measure_case

    def quick(*arguments):
        seen.append(arguments)
        return measure_case(*arguments, rounds=1, turn=0.0)

    monkeypatch.setattr(convolution, "measure_case", quick)
    options = ("--channels", 2, "--size", "3x4", "--batch", 2, "--dtype", "float64")
    code, out, _ = run(capsys, "bench", "conv", *options, "--json", tmp_path / "own.json")
    assert code == 0 and seen == [(2, (3, 4), 2, "float64")]
    assert "C=2 3x4 N=2" in out
    assert json.loads((tmp_path / "own.json").read_text())["bounds"] == []
    run(capsys, "bench", "conv", "--size", "3", "--channels", 1, "--batch", 1)
    assert seen[1] == (1, (3, 3), 1, "float32")


def test_without_torch_the_columns_say_so(capsys, tiny, no_torch):
    code, out, _ = run(capsys, "bench", "kernels", "--check")
    assert "not installed" in out
    assert out.count("PyTorch is not installed, so its rows are left out: pip install torch") == 1
    assert "not measured" in out
    assert code in (0, 1)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nonsense",), "kernels"),
        (("kernels", "--channels", 3), "--channels: only for conv"),
        (("conv", "--size", "0x3"), "--size"),
        (("conv", "--size", "ax3"), "--size"),
        (("conv", "--size", "1x2x3"), "--size"),
        (("conv", "--dtype", "float16"), "float16"),
        (("conv", "--channels", 0), "--channels"),
        (("conv", "--check"), "--check"),
    ],
)
def test_misuse_is_one_line(capsys, arguments, part):
    code, _, err = run(capsys, "bench", *arguments)
    assert code == 2
    assert_one_line_error(err)
    assert part in err


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cannot pin processes here")
def test_the_process_is_pinned_and_released(tiny):
    allowed = os.sched_getaffinity(0)
    report = bench.run({"scaling": groups.GROUPS["scaling"]})
    assert "pinned to core" in report.machine.conditions
    assert os.sched_getaffinity(0) == allowed


def test_json_that_cannot_be_written_is_one_line(capsys, tiny, tmp_path):
    code, _, err = run(capsys, "bench", "scaling", "--json", Path(tmp_path, "no", "folder.json"))
    assert code == 1
    assert_one_line_error(err.splitlines(keepends=True)[-1])


def test_the_table_of_bounds_covers_both_dtypes_and_orders():
    assert bounds.LEVELS[0] == "C=12 16x16 N=100"
    limits = {(b.what, b.dtype, b.cases): b.limit for b in BOUNDS if b.over == "PyTorch"}
    assert limits["conv_inverse, batch-last", "float32", bounds.LEVELS] == 0.70
    assert limits["conv_inverse, NCHW", "float64", bounds.LARGE] == 0.45
