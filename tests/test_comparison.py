"""Comparisons: equal budgets, kept runs, tables that say what the runs said."""

import json
import signal
import sys
from itertools import product

import joblib
import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref.comparison import compare, job, paper
from cinc_ref.comparison.compare import SYSTEMS as USUAL
from cinc_ref.comparison.picture import comparison_figure
from cinc_ref.comparison.table import COLUMNS, markdown
from cinc_ref.data import IMAGE_SETS, ImageSet
from cinc_ref.errors import CheckpointError, MissingExtraError, NonFiniteError, OptionError
from cinc_ref.flows import COUPLINGS, SYSTEMS, build
from cinc_ref.flows.cost import cost, timed_decode
from cinc_ref.flows.systems import variant
from cinc_ref.training.errors import NonFiniteStep
from cinc_ref.training.trainer import Trainer
from tests.support.commands import assert_one_line_error, few_digits, run
from tests.support.pictures import problems

MODEL = {"levels": 1, "depth": 1, "width": 4}
OPTIONS = {"couplings": ["affine"], "seeds": 2, "steps": 2, "model": MODEL}
PAIR = ["glow", "cinc-plu"]


@pytest.fixture(autouse=True, scope="module")
def tiny_digits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(IMAGE_SETS, "digits", few_digits)
        yield


@pytest.fixture(scope="module")
def finished(tiny_digits, tmp_path_factory):
    """A comparison of two systems, and its folder."""
    folder = tmp_path_factory.mktemp("comparison")
    return compare(folder, systems=PAIR, **OPTIONS), folder


def _count_trainings(monkeypatch, patched=None):
    """The titles of what is trained from now on."""
    trained = []
    original = patched or job.train

    def train(flow, *arguments, **options):
        trained.append((flow.system, flow.corner_block, options["seed"]))
        return original(flow, *arguments, **options)

    monkeypatch.setattr(job, "train", train)
    return trained


def test_a_row_is_the_mean_over_its_seeds(finished):
    found, folder = finished
    assert found.complete and len(found.results) == 4
    assert [(row["system"], row["runs"]) for row in found.rows] == [("glow", 2), ("cinc-plu", 2)]
    for row in found.rows:
        models = [cr.load(folder / f"{row['system']}-affine-{seed}/best.npz") for seed in (0, 1)]
        test = few_digits().test
        judged = [cr.evaluate(*model, test, draws=10) for model in models]
        bits = [found.bits_per_dim for found in judged]
        assert row["test_bits_per_dim"] == pytest.approx(np.mean(bits), rel=1e-12)
        assert row["standard_deviation"] == pytest.approx(np.std(bits, ddof=1), rel=1e-9)
        assert row["best_test_bits_per_dim"] == min(bits)
        errors = [found.largest_error for found in judged]
        assert row["largest_inversion_error"] == pytest.approx(max(errors), rel=1e-12)
        conditions = [
            max(s.condition_number for s in flow.stability(params).values())
            for flow, params in models
        ]
        assert row["worst_condition_number"] == pytest.approx(max(conditions), rel=1e-9)
        assert row["steps"] == 2
        assert row["sampling_seconds"] > 0 and row["training_images_per_second"] > 0
        assert 0 < row["convolution_share"] < 1
        assert row["convolution_seconds"] < row["sampling_seconds"]


def test_all_runs_have_the_same_budget_and_images(finished):
    found, _ = finished
    common = [
        {k: v for k, v in result["job"].items() if k not in ("name", "coupling", "seed")}
        for result in found.results
    ]
    assert all(entry == common[0] for entry in common)
    assert common[0]["training"]["patience"] is None  # else a run might stop before its time
    assert {result["job"]["seed"] for result in found.results} == {0, 1}


def test_finished_runs_are_not_done_again_and_others_are_added(finished, monkeypatch):
    found, folder = finished
    trained = _count_trainings(monkeypatch)
    again = compare(folder, systems=PAIR, **OPTIONS)
    assert not trained and again.rows == found.rows
    more = compare(folder, systems=[*PAIR, "cinc"], **OPTIONS)
    assert trained == [("cinc", "triangular", 0), ("cinc", "triangular", 1)]
    assert more.rows[:2] == found.rows


def test_other_options_are_refused(finished):
    _, folder = finished
    with pytest.raises(OptionError, match=r"was made with steps 2; got 3"):
        compare(folder, systems=PAIR, **OPTIONS | {"steps": 3})
    with pytest.raises(OptionError, match=r"was made with width 4; got 5"):
        compare(folder, systems=PAIR, **OPTIONS | {"model": MODEL | {"width": 5}})
    with pytest.raises(OptionError, match=r"was made with learning_rate 0.008; got 0.1"):
        compare(folder, systems=PAIR, training={"learning_rate": 0.1}, **OPTIONS)


def test_a_broken_off_comparison_goes_on_where_it_stopped(finished, tmp_path, monkeypatch):
    """Ctrl-C in the second run's first step; the first is kept, the second resumed."""
    found, _ = finished
    run_, steps = Trainer.run, []

    def run_and_interrupt(trainer, interrupt, report):
        def count(state):
            steps.append(trainer.flow.system)
            if len(steps) == 3:
                signal.raise_signal(signal.SIGINT)
            report(state)

        return run_(trainer, interrupt, count)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", run_and_interrupt)
        partial = compare(tmp_path, systems=PAIR, **OPTIONS, progress=True)
    assert not partial.complete
    assert [row["system"] for row in partial.rows] == ["glow"] and partial.rows[0]["runs"] == 1
    assert steps == ["glow", "glow", "cinc"]
    trained = _count_trainings(monkeypatch)
    whole = compare(tmp_path, systems=PAIR, **OPTIONS, progress=True)
    assert trained == [("cinc", "plu", 0), ("glow", "plu", 1), ("cinc", "plu", 1)]
    assert whole.complete
    for ours, expected in zip(whole.rows, found.rows, strict=True):
        assert ours["test_bits_per_dim"] == expected["test_bits_per_dim"]


def test_runs_at_the_same_time_give_the_same(finished, tmp_path):
    found, _ = finished
    with joblib.parallel_config(backend="threading"):
        parallel = compare(tmp_path, systems=PAIR, **OPTIONS, n_jobs=2)
    for ours, expected in zip(parallel.rows, found.rows, strict=True):
        assert ours["test_bits_per_dim"] == expected["test_bits_per_dim"]


def test_times_are_measured_again_from_the_models(finished, monkeypatch):
    found, folder = finished
    trained = _count_trainings(monkeypatch)
    measured = {"sampling_seconds": 7.0, "convolution_share": 0.5, "conditions": "a quiet machine"}
    measured["training_images_per_second"] = 3.0
    monkeypatch.setattr(job, "times", lambda *_: measured)
    again = compare(folder, systems=PAIR, **OPTIONS, measure_again=True)
    assert not trained
    for row, before in zip(again.rows, found.rows, strict=True):
        assert row["sampling_seconds"] == 7 and row["convolution_seconds"] == 3.5
        assert row["test_bits_per_dim"] == before["test_bits_per_dim"]
    monkeypatch.undo()
    kept = json.loads((folder / "glow-affine-0" / "result.json").read_text())
    assert kept["conditions"] == "a quiet machine"


def test_a_run_that_diverges_is_judged_by_what_it_kept(tmp_path, monkeypatch):
    train = job.train

    def diverging(*arguments, **options):
        raise NonFiniteStep("the loss is not finite", train(*arguments, **options))

    monkeypatch.setattr(job, "train", diverging)
    found = compare(tmp_path, systems=["glow"], **OPTIONS | {"seeds": 1})
    assert len(found.results) == 1

    def hopeless(*arguments, **options):
        raise NonFiniteError("the loss is not finite")

    monkeypatch.setattr(job, "train", hopeless)
    with pytest.raises(NonFiniteError):
        compare(tmp_path / "other", systems=["glow"], **OPTIONS)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"systems": ["resnet"]}, "^systems must be one of glow"),
        ({"systems": ["cinc-lower"]}, "^systems: what follows cinc- must be one of unit.*'lower'"),
        ({"systems": ["cinc", "cinc"]}, "each once; got cinc, cinc"),
        ({"systems": []}, "got none"),
        ({"couplings": ["cubic"]}, "^couplings must be one of"),
        ({"seeds": 0}, "seeds must be an integer >= 1; got 0"),
        ({"steps": None}, "minutes or steps must be given"),
        ({"data": "nonsense"}, "data must be one of"),
        ({"model": {"levels": 4}}, "4 levels"),
    ],
)
def test_comparisons_that_cannot_be(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        compare(tmp_path / "out", **{"systems": PAIR, **OPTIONS, **options})
    assert not (tmp_path / "out").exists()


def test_names_of_variants():
    assert variant("glow-dense")["corner_block"] == "dense"
    options = variant("cinc-plu-inverse")
    assert options == {"system": "cinc", "corner_block": "plu", "direction": "inverse"}
    for name in SYSTEMS:
        assert build(image_shape=(3, 4, 4), levels=1, **variant(name)) == build(
            name, image_shape=(3, 4, 4), levels=1
        )
    assert set(USUAL) >= {"glow", "emerging", "cinc"}


@pytest.mark.parametrize("system, coupling", list(product(SYSTEMS, COUPLINGS)))
def test_costs_are_counted(system, coupling):
    """Against sums written out for two levels of 12 and 24 channels on 4x4 and 2x2 pixels."""
    width, depth = 5, 2
    flow = build(system, coupling, (3, 8, 8), levels=2, depth=depth, width=width)
    rng = np.random.default_rng(0)
    params = flow.init(rng, rng.uniform(-0.5, 0.5, (4, 3, 8, 8)))
    found = cost(flow, params)
    own = multiply_adds = 0
    for channels, pixels in ((12, 16), (24, 4)):
        n, triangle = channels, channels * (channels + 1) // 2
        one = {
            "glow": n**2,
            "autoregressive": 4 * n**2 + triangle,
            "emerging": n**2 + 6 * n**2 + 2 * triangle,
            "cinc": 8 * n**2 + triangle,
            "finc": 4 * (8 * (n // 4) ** 2 + (n // 4) * (n // 4 - 1) // 2),
        }[system]
        ones = n if system == "finc" else 0  # on the diagonal: not learned, but multiplied by
        own += depth * one
        multiply_adds += depth * (one + ones) * pixels
    assert (found.convolution_parameters, found.convolution_multiply_adds) == (own, multiply_adds)
    outputs = 1 if coupling == "additive" else 2
    for channels, pixels in ((12, 16), (24, 4)):
        block = channels // (4 if coupling == "quad" else 2)
        for read in (1, 2, 3) if coupling == "quad" else (1,):  # blocks that a network reads
            inside = 9 * read * block * width + width**2 + 9 * width * outputs * block
            multiply_adds += depth * inside * pixels
    multiply_adds += 9 * 6 * 12 * 16  # the prior of the 6 channels that leave, from 6 that stay
    assert found.multiply_adds == multiply_adds
    assert found.parameters == sum(leaf.size for leaf in _leaves(params))


def test_the_convolutions_part_of_decoding_is_timed(monkeypatch):
    flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=2, width=4)
    rng = np.random.default_rng(0)
    params = flow.init(rng, rng.uniform(-0.5, 0.5, (4, 1, 4, 4)))
    ticks = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    whole, inside = timed_decode(flow, params, [np.zeros((2, *s)) for s in flow.latent_shapes])
    leaves = 1 + 2 * 3  # a squeeze, and actnorm, convolution, coupling twice
    assert inside == 2
    assert whole == 2 * leaves + 1  # two looks a leaf, and one at the end


def test_the_table_holds_every_row_and_the_paper_s_figures(finished):
    found, _ = finished
    text = markdown(found, "python -m cinc_ref compare")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(found.rows)
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert len(cells) == len(COLUMNS) and cells[:2] == ["glow", "affine"] and cells[-1] == "3.36"
    assert "2 steps on digits" in text and "Made by `python -m cinc_ref compare`." in text
    assert paper.figures("cifar10", "emerging", "quad") == ("ablation 3.3612", "2.45")
    assert paper.figures("imagenet32", "cinc", "quad") == ("4.0377", "2.76")
    assert paper.figures("digits", "cinc-plu", "quad") == ("", "")


def test_the_picture_shows_every_run(finished):
    found, _ = finished
    quality, cost_axes = comparison_figure(found).axes
    shown = np.concatenate([line.get_xdata() for line in quality.lines if len(line.get_xdata())])
    for result in found.results:
        assert result["test_bits_per_dim"] in shown
    widths = [bar.get_width() for bar in cost_axes.patches]
    assert sum(widths) == pytest.approx(1000 * sum(row["sampling_seconds"] for row in found.rows))
    labels = [tick.get_text() for tick in quality.get_yticklabels()]
    assert set(labels) == {"glow, affine", "cinc-plu, affine"}


COMMAND = ("--couplings", "affine", "--steps", 2, "--levels", 1, "--depth", 1, "--width", 4)


def test_the_command_writes_table_picture_and_json(capsys, tmp_path):
    arguments = ("--systems", "glow,cinc-plu", "--seeds", 1, *COMMAND, "--out", tmp_path)
    code, out, err = run(capsys, "compare", *arguments)
    assert code == 0
    for text in ("glow, affine", "cinc-plu, affine", "paper", "images/s", "2 steps on digits"):
        assert text in out
    assert "run" in err  # the progress bar
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["complete"] and len(content["rows"]) == 2
    assert "--systems glow,cinc-plu --couplings affine" in content["command"]
    assert content["command"] in (tmp_path / "comparison.md").read_text()
    again = run(capsys, "compare", *arguments, "--measure-again")
    assert again[0] == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["command"] == content["command"]


def test_an_interrupted_command_says_how_to_go_on(capsys, monkeypatch, tmp_path):
    def interrupt(trainer):
        signal.raise_signal(signal.SIGINT)
        return step(trainer)

    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", interrupt)
    arguments = ("--systems", "glow", "--seeds", 1, *COMMAND, "--out", tmp_path)
    code, out, _ = run(capsys, "compare", *arguments)
    assert code == 130 and "repeat the command" in out


def test_five_minutes_if_nothing_is_said_and_no_picture_without_matplotlib(
    capsys, monkeypatch, tmp_path
):
    given = {}

    def remember(*arguments, **options):
        given.update(options)
        return compare(*arguments, **{**options, "minutes": None, "steps": 1})

    monkeypatch.setattr("cinc_ref.cli.compare.compare_systems", remember)
    monkeypatch.setattr("cinc_ref.cli.compare.find_spec", lambda name: None)
    small = ("--systems", "glow", "--couplings", "affine", "--seeds", 1, "--width", 4)
    code, _, _ = run(capsys, "compare", *small, "--levels", 1, "--depth", 1, "--out", tmp_path)
    assert code == 0 and given["minutes"] == 5
    assert not (tmp_path / "comparison.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds must be an integer >= 1; got 0"),
        ({"seeds": True}, "seeds must be an integer >= 1; got True"),
        ({"systems": "glow"}, "systems must be a sequence of names; got 'glow'"),
        ({"systems": []}, "systems must be names, each once; got none"),
        ({"couplings": ["affine"] * 2}, "couplings must be names, each once; got affine, affine"),
        ({"couplings": [8]}, "^couplings must be one of additive, affine, quad; got 8"),
        ({"model": {"height": 3}}, "an option in model must be one of levels, .*; got 'height'"),
        ({"training": {"rate": 3}}, "an option in training must be one of minutes.*got 'rate'"),
        ({"training": {"dropout": 2}}, "dropout must be a number >= 0 and < 1; got 2"),
        ({"data_options": {"n": 3}}, "an option in data_options must be one of path, size, n_bits"),
        ({"steps": None}, "minutes or steps must be given"),
        ({"n_jobs": 1.5}, "n_jobs must be an integer; got 1.5"),
        ({"n_jobs": 0}, "n_jobs must be an integer other than 0; got 0"),
        ({"measure_again": 1}, "measure_again must be True or False; got 1"),
        ({"progress": None}, "progress must be True or False; got None"),
        ({"out": 3}, "out must be a path; got 3"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_trained(tmp_path, options, message):
    options = OPTIONS | {"out": tmp_path / "out"} | options
    with pytest.raises(OptionError, match=message):
        compare(**options)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_compared_is_one_line(capsys, tmp_path):
    code, _, err = run(capsys, "compare", "--systems", "resnet", *COMMAND, "--out", tmp_path)
    assert code == 2
    assert_one_line_error(err)
    assert "glow, autoregressive" in err


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"job": 3}', '{"job": {"seed": 0}}', "1"])
def test_a_damaged_result_is_named_before_anything_is_trained(tmp_path, monkeypatch, text):
    trained = _count_trainings(monkeypatch)
    path = tmp_path / "glow-affine-0" / "result.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CheckpointError, match=r"glow-affine-0.*result\.json must be the result"):
        compare(tmp_path, systems=["glow"], **OPTIONS)
    assert not trained


def test_joblib_is_asked_for_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(MissingExtraError, match="compare"):
        compare(tmp_path / "out", systems=["glow"], **OPTIONS)
    assert not (tmp_path / "out").exists()


def test_the_picture_has_titles_and_labels(finished):
    found, _ = finished
    figure = comparison_figure(found)
    assert problems(figure) == []
    assert "on digits, each trained 2 steps" in figure._suptitle.get_text()


def test_images_of_fewer_bits_and_other_sizes_are_compared(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (12, 3, 8, 8)).astype(np.uint8)
    made = []

    def patches(size=16):
        made.append(size)
        return ImageSet("patches", images, images[:4], images[4:8], 256)

    monkeypatch.setitem(IMAGE_SETS, "patches", patches)
    found = compare(
        tmp_path,
        systems=["finc"],
        data="patches",
        data_options={"size": 8, "n_bits": 5, "path": None},
        **OPTIONS | {"seeds": 1},
    )
    assert set(made) == {8}
    assert cr.load(tmp_path / "finc-affine-0" / "best.npz")[0].bins == 32
    assert "patches, size 8, n_bits 5" in markdown(found)


def _leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    return [tree]
