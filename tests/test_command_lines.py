"""Wrong command lines: each is one sentence on stderr, before any work, with its exit code."""

import functools
import shlex

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import bench as benchmarks
from cinc_ref import compilation, theory
from cinc_ref.data import IMAGE_SETS
from cinc_ref.flows import Flow
from tests.support.commands import assert_one_line_error, run

MISUSE = r"""
--bogus                                                         # no such option
bogus                                                           # no such command
demo --minutes -1                                               # --minutes must be a number > 0
demo --minutes 0                                                # got 0.0
demo --minutes nan                                              # got nan
demo --minutes inf                                              # got inf
demo --minutes soon                                             # got 'soon'
demo --minutes ''                                               # got ''
demo --steps 0                                                  # --steps must be an integer >= 1
demo --steps 1.5                                                # got '1.5'
demo --out ''                                                   # --out must be a path
demo extra                                                      # extra
verify --seed -1                                                # --seed must be an integer >= 0
verify --seed 1.5                                               # got '1.5'
verify --effort 0                                               # --effort must be an integer >= 1
verify --effort ''                                              # got ''
verify --json ''                                                # --json must be a path
verify --kernel kernel.npy                                      # --kernel needs --size
verify --size 3x3                                               # --size: only with --kernel
verify --anchor 1,1                                             # --anchor: only with --kernel
verify --dilation 2                                             # --dilation: only with --kernel
verify --kernel kernel.npy --size 3                             # --size must be HEIGHTxWIDTH
verify --kernel kernel.npy --size 0x3                           # got '0x3'
verify --kernel kernel.npy --size axb                           # got 'axb'
verify --kernel kernel.npy --size 99999999999999999999x3        # --size
verify --kernel kernel.npy --size 3x3 --anchor 1                # --anchor must be ROW,COLUMN
verify --kernel kernel.npy --size 3x3 --anchor -1,0             # integers >= 0
verify --kernel kernel.npy --size 3x3 --dilation 0              # --dilation
verify --kernel kernel.npy --size 3x3 --json x.json             # --json: not with --kernel
verify --kernel kernel.npy --size 3x3 --seed 1 --effort 2       # --seed, --effort: not with
train                                                           # --out is missing
train --resume --steps 5                                        # --out is missing
train --out ''                                                  # --out must be a path
train --out new --minutes 0                                     # --minutes must be a number > 0
train --out new --minutes nan                                   # got nan
train --out new --steps 1e3                                     # got '1e3'
train --out new --seed -1                                       # --seed
train --out new --batch-size 2.5                                # --batch-size
train --out new --learning-rate -inf                            # --learning-rate
train --out new --optimizer sgd                                 # one of adam, adamax
train --out new --beta1 1                                       # --beta1
train --out new --beta2 -0.1                                    # --beta2
train --out new --warmup -1                                     # --warmup
train --out new --schedule linear                               # one of cosine, constant
train --out new --polyak 1                                      # --polyak
train --out new --dropout 1                                     # --dropout
train --out new --flip=3                                        # --flip
train --out new --system resnet                                 # glow, autoregressive
train --out new --system ''                                     # got ''
train --out new --system glow --dilation 2                      # --dilation: not with glow
train --out new --coupling none                                 # additive, affine, quad
train --out new --corner-block full                             # unit, triangular
train --out new --direction up                                  # forward, inverse
train --out new --levels 0                                      # --levels
train --out new --depth 1001                                    # from 1 to 1000
train --out new --width 0                                       # --width
train --out new --data digit                                    # digits, patches
train --out new --data folder                                   # needs path (--path)
train --out new --path folder                                   # digits has no option path
train --out new --path ''                                       # --path must be a path
train --out new --size 8                                        # digits has no option size
train --out new --size 0 --data patches                         # --size
train --out new --n-bits 9                                      # from 1 to 8
train --out new --channels 3                                    # digits has no option channels
train --out new --channels 4                                    # from 1 to 3
train --preset paper                                            # paper-cifar10
train --preset paper-cifar10                                    # needs path (--path)
train --preset paper-cifar10 --path folder --steps 1            # --out is missing
train --preset paper-cifar10 --path folder --out new            # --out: only with --minutes
train --preset paper-cifar10 --path folder --resume             # --out is missing
train --preset paper-cifar10 --data digits --size 32            # digits has no option size
sample                                                          # MODEL
sample ''                                                       # MODEL must be a path
sample model.npz model.npz                                      # unexpected extra argument
sample model.npz -n 0                                           # -n must be an integer >= 1
sample model.npz -n many                                        # got 'many'
sample model.npz -n 99999999999999999999                        # -n
sample model.npz --temperature -1                               # --temperature
sample model.npz --temperature nan                              # got nan
sample model.npz --seed -1                                      # --seed
sample model.npz --out samples.txt                              # end in .png, .npy, .npz, .zarr
sample model.npz --out samples                                  # got samples
sample model.npz --out ''                                       # --out must be a path
sample model.npz --out s.npy --dask ''                          # --dask must be the address
sample model.npz --out s.npy --dask 8786                        # got '8786'
sample model.npz --out s.png --dask tcp://127.0.0.1:8786        # .npy, .zarr
sample model.npz --out model.npz                                # another file than the model
evaluate                                                        # MODEL
evaluate model.npz --data digit                                 # digits, patches
evaluate model.npz --data folder                                # needs path (--path)
evaluate model.npz --seed ''                                    # --seed
interpolate                                                     # MODEL
interpolate model.npz --pairs 0                                 # --pairs
interpolate model.npz --steps 1                                 # --steps must be an integer >= 2
interpolate model.npz --sweep s.png --temperatures a,b          # got 'a,b'
interpolate model.npz --sweep s.png --temperatures 1,nan        # got nan
interpolate model.npz --sweep s.png --temperatures 1,-1         # got -1.0
interpolate model.npz --sweep s.png --temperatures ''           # got ''
interpolate model.npz --temperatures 0.5                        # only with --sweep
interpolate model.npz --sweep ./interpolation.png               # two files
interpolate model.npz --out picture.txt                         # must end in .png, .pdf
interpolate model.npz --sweep picture                           # --sweep must end in
compare                                                         # --out
compare --out new --systems resnet                              # --systems must be one of glow
compare --out new --systems glow,resnet                         # glow, autoregressive
compare --out new --systems cinc,                               # cinc, finc; got ''
compare --out new --systems ,cinc                               # --systems must be one of glow
compare --out new --systems cinc,cinc                           # each once
compare --out new --systems cinc-full                           # got 'full'
compare --out new --systems glow,cinc-full                      # --systems: what follows cinc-
compare --out new --couplings none                              # additive, affine, quad
compare --out new --couplings affine,none                       # --couplings must be one of
compare --out new --seeds 0                                     # --seeds
compare --out new --jobs 0                                      # --jobs
compare --out new --jobs 2 --dask tcp://127.0.0.1:8786          # --jobs must be 1
compare --out new --dask here                                   # --dask must be the address
compare --out new --steps nan                                   # --steps
compare --out new --learning-rate 0                             # --learning-rate
compare --out new --path folder                                 # digits has no option path
compile --channels 0                                            # --channels
compile --channels 3 --system cinc                              # --channels: only for single
compile --batch x                                               # --batch
compile --dtype float16                                         # float32, float64
compile --image-shape 3x32                                      # --image-shape must be CxHxW
compile --image-shape 3x0x32                                    # got '3x0x32'
compile --image-shape 3x32x32 --data digits                     # --data: not with --image-shape
compile --system glow --dilation 2                              # --dilation: not with glow
check                                                           # MODULE:LAYER
check numpy                                                     # LAYER must be package.module:Layer
check ''                                                        # LAYER must be package.module:Layer
check no_such_module:Layer                                      # cannot be imported
check ..:Layer                                                  # cannot be imported
check numpy:no_such_name                                        # cannot be imported
check numpy:ndarray --shape 4,x                                 # --shape must be integers
check numpy:ndarray --shape 0,8,8                               # --shape must be integers
check numpy:ndarray --kwargs [1]                                # --kwargs must be a JSON object
check numpy:ndarray --kwargs no                                 # --kwargs must be a JSON object
check numpy:ndarray --tolerance 0                               # --tolerance
check numpy:ndarray --seed -1                                   # --seed
check numpy:ndarray --json ''                                   # --json must be a path
check numpy:ndarray                                             # give its arguments by --kwargs
bench nothing                                                   # GROUP must be one of all
bench conv --check                                              # --check: not for conv
bench kernels --size 3                                          # --size: only for conv
bench conv --size 3x3x3                                         # --size must be HxW
bench conv --size x                                             # got 'x'
bench conv --channels 0                                         # --channels
bench conv --batch 1.5                                          # --batch
bench conv --dtype float16                                      # float32, float64
"""
"""Command lines that are wrong in themselves, each with a part of its message."""

FILES = r"""
demo --out file                                                 # cannot write file
demo --out file/new                                             # cannot write file/new
verify --json missing/evidence.json                             # cannot write missing
verify --json folder                                            # it is a folder
verify --kernel missing.npy --size 3x3                          # missing.npy
verify --kernel folder --size 3x3                               # it is a folder
verify --kernel empty.npy --size 3x3                            # empty.npy must be an npy file
verify --kernel pickled.npy --size 3x3                          # pickled.npy must be an npy file
verify --kernel model.npz --size 3x3                            # an archive of several
verify --kernel kernel.npy --size 3x3 --anchor 9,9              # got (9, 9)
train --out file                                                # cannot write file
train --out run                                                 # run holds another run
train --out new --resume                                        # no run to resume
train --out new --data folder --path missing                    # missing is missing
train --out new --data folder --path file                       # must be a folder
train --out new --data array --path folder                      # it is a folder
train --out new --data array --path pickled.npy                 # never loaded
train --out new --data array --path text.npy                    # text.npy must be
train --out new --data array --path damaged.npz                 # damaged.npz must be
train --out new --data cifar10 --path folder                    # is missing
train --out new --data mnist --path file                        # is missing
sample missing.npz                                              # missing.npz is missing
sample folder                                                   # folder holds no model
sample file                                                     # no checkpoint
sample damaged.npz                                              # no checkpoint
sample kernel.npy                                               # no checkpoint
sample model.npz --out missing/samples.png                      # cannot write missing/samples.png
sample model.npz --out file/samples.png                         # cannot write file/samples.png
sample model.npz --out folder.png                               # it is a folder
sample model.npz --out missing/samples.npy                      # cannot write missing/samples.npy
sample model.npz --out file/samples.zarr                        # cannot write file/samples.zarr
evaluate damaged.npz                                            # no checkpoint
evaluate model.npz --data folder --path missing                 # missing is missing
interpolate missing.npz                                         # missing.npz is missing
interpolate model.npz --out missing/i.png                       # cannot write missing/i.png
interpolate model.npz --sweep missing/s.png                     # cannot write missing/s.png
compare --out file                                              # cannot write file
compare --out new --data folder --path missing                  # missing is missing
check numpy:ndarray --badge missing/b.svg                       # cannot write missing/b.svg
check numpy:ndarray --junit folder                              # it is a folder
bench conv --json missing/b.json                                # cannot write missing/b.json
bench --json folder                                             # it is a folder
"""
"""Command lines whose files are missing, damaged or in the way, each with a part of its message."""


def cases(table):
    lines = [line.rpartition("#") for line in table.strip().splitlines()]
    return [pytest.param(line.strip(), part.strip(), id=line.strip()) for line, _, part in lines]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, a kernel, and files of several wrong kinds."""
    place = tmp_path_factory.mktemp("place")
    for name in ("folder", "folder.png", "run"):
        (place / name).mkdir()
    for name in ("file", "empty.npy", "run/last.npz"):
        (place / name).touch()
    (place / "text.npy").write_text("no array")
    (place / "damaged.npz").write_bytes(b"PK\x03\x04 and nothing else")
    np.save(place / "pickled.npy", np.array([{}], object), allow_pickle=True)
    np.save(place / "kernel.npy", np.array([[[[0.8, 0.2, 0.1], [-0.6, 0.05, 0.0]]]]))
    flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=1, depth=1, width=4, bins=17)
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 8, 8)).astype(np.float32)
    cr.save(place / "model.npz", flow, flow.init(0, images))
    return place


def forbid(name):
    def work(*arguments, **options):
        raise AssertionError(f"{name} before the command line was refused")

    return work


@pytest.fixture
def no_work(monkeypatch, place):
    """Forbid models, bundled images, theorems, compilation and measurements; stand in `place`."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(Flow, "__post_init__", forbid("a model was built"))
    for name in ("digits", "patches"):
        load = functools.wraps(IMAGE_SETS[name])(forbid(f"{name} were loaded"))
        monkeypatch.setitem(IMAGE_SETS, name, load)
    monkeypatch.setattr(theory, "verify", forbid("theorems were tried"))
    monkeypatch.setattr(compilation, "_run_operations", forbid("something was compiled"))
    monkeypatch.setattr(benchmarks, "run", forbid("something was measured"))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(("line", "part"), cases(MISUSE))
def test_a_wrong_command_line_is_one_sentence_before_any_work(capsys, place, line, part):
    before = sorted(place.rglob("*"))
    code, out, err = run(capsys, *shlex.split(line))
    assert (code, out) == (2, "")
    assert_one_line_error(err)
    assert part.lower() in err.lower()
    assert "Errno" not in err and "Path(" not in err and "allow_pickle" not in err
    assert sorted(place.rglob("*")) == before


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(("line", "part"), cases(FILES))
def test_a_wrong_file_is_one_sentence_before_any_work(capsys, place, line, part):
    before = sorted(place.rglob("*"))
    code, out, err = run(capsys, *shlex.split(line))
    assert (code, out) == (1, "")
    assert_one_line_error(err)
    assert part in err
    assert "Errno" not in err and "Path(" not in err and "allow_pickle" not in err
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("train --out new --levels 9", "divisible by 512"),
        ("train --out new --n-bits 3", "digits with 17 levels"),
        ("train --out new --data patches --size 7", "from 8 to 32"),
        ("compile --levels 9", "divisible by 512"),
        ("compile --image-shape 3x33x32", "divisible by 4"),
        ("compare --out new --levels 9", "divisible by 512"),
        ("evaluate model.npz --path folder", "digits has no option path"),
        ("interpolate model.npz --path folder", "digits has no option path"),
        ("interpolate model.npz --pairs 1000", "at most 90 for digits"),
    ],
)
def test_options_that_do_not_fit_the_images_are_one_sentence(
    capsys, monkeypatch, place, line, part
):
    monkeypatch.chdir(place)
    code, out, err = run(capsys, *shlex.split(line))
    assert (code, out) == (2, "")
    assert_one_line_error(err)
    assert part in err


def test_there_are_enough_wrong_command_lines():
    lines = [case.values[0] for case in cases(MISUSE) + cases(FILES)]
    assert len(lines) == len(set(lines)) >= 80
    commands = "demo verify train sample evaluate interpolate compare compile check bench".split()
    assert set(commands) <= {line.split()[0] for line in lines}
