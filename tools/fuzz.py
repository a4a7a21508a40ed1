"""Change true files at random, read them, and report whatever is no sentence of ours.

    python -m tools.fuzz --count 300000
    python -m tools.fuzz --count 2000 --target folder --seed 7
    python -m tools.fuzz --flips                  # every single bit of a saved model

Each input is a file of a true format (`tests/support/formats.py`) that was changed one to four
times: bits, bytes and integer fields, cuts, insertions, pieces of other files; in half of the
inputs inside of the compression, with checksums made right again. A reader must return or raise a
`CincError`. Reported are other exceptions, running out of memory, more than 2 seconds, growth of
the memory above 128 MiB, files written, and processes started. An input depends on its number and
the seed alone; what is reported is kept in --out.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import random
import re
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from pathlib import Path

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # the models are tiny

import numpy as np

import cinc_ref as cr
from cinc_ref._trees import named_leaves
from cinc_ref.data import image_set
from cinc_ref.errors import CincError
from cinc_ref.training.checkpoint import load_data
from cinc_ref.training.folder import LAST, Folder
from tests.support import formats

SECONDS = 2.0
"""Longest time that one input may take, in seconds of the processor."""

HANG = 60.0
"""Time after which a process that does not answer is ended, in seconds."""

GROWTH = 128 * 2**20
"""Bytes that the memory may grow with one input: what it returns, 64 MiB, and a decoded picture."""

ADDRESS_SPACE = 8 * 2**30
"""Limit of a worker's address space in bytes, so that no input can fill the machine."""

FORBIDDEN = re.compile(
    r"os\.(rename|remove|rmdir|mkdir|link|symlink|truncate|chmod|chown|system|exec|fork|posix_spawn"
    r"|spawn|putenv)|shutil\..*|subprocess\.Popen|socket\..*|ctypes\.dlopen"
)
"""Audit events that no reader may cause."""

INTEGERS = (0, 1, 2, 3, 127, 128, 255, 256, 1000, 2**15, 2**16 - 1, 2**20, 2**24, 2**31 - 1, 2**31,
            2**32 - 1, 2**33, 2**40, 2**60, 2**63 - 1, 2**64 - 1)  # fmt: skip
"""Numbers that are written into integer fields."""


# ---- readers -------------------------------------------------------------------------------------


def _load_state(path):
    flow, _ = cr.load(path)
    folder = Folder(path.parent)
    folder.load_state(flow, {}, None) if path.name == LAST else load_data(path)


def _load(path):
    cr.load(path)
    _load_state(path)


def _reader(name, whole_folder, **options):
    def read(path):
        images = image_set(name, path=path.parent if whole_folder else path, **options)
        for part in (images.train, images.validation, images.test):
            np.asarray(part[:3]).max()

    return read


TARGETS = {
    "load": (_load, formats.checkpoints),
    "array": (_reader("array", False), formats.arrays),
    "mnist": (_reader("mnist", True), formats.mnist),
    "emnist": (_reader("emnist", True), formats.emnist),
    "cifar10": (_reader("cifar10", True), formats.cifar),
    "cifar10 archive": (_reader("cifar10", False), formats.cifar_archive),
    "imagenet32": (_reader("imagenet32", True), formats.imagenet),
    "folder": (_reader("folder", True, size=4, channels=1), formats.pictures),
}
"""Readers with the files on which they are tried; the folder holds two more pictures."""

ONE_AT_A_TIME = ("folder",)
"""Readers of files that do not belong together: only the changed one is there."""


# ---- changes -------------------------------------------------------------------------------------


def flip(data, rng, _):
    """Change one to eight bits."""
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data, rng, _):
    """Drop the end, or a piece."""
    start = rng.randrange(len(data))
    del data[start : None if rng.random() < 0.5 else start + rng.randint(1, 16)]


def insert(data, rng, _):
    """Insert random bytes, or many equal ones."""
    where, count = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 300))
    data[where:where] = rng.randbytes(count) if rng.random() < 0.5 else rng.randbytes(1) * count


def splice(data, rng, others):
    """Overwrite or extend with a piece of another file or of this one."""
    source = rng.choice((bytes(data), *others))
    start = rng.randrange(len(source))
    piece = source[start : start + rng.randint(1, 200)]
    where = rng.randrange(len(data) + 1)
    data[where : where + rng.choice((0, len(piece)))] = piece


def set_integer(data, rng, _):
    """Write a number into a field of 1, 2, 4 or 8 bytes, in either order, or change it by one."""
    width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    where = rng.randrange(max(1, len(data) - width + 1))
    old = int.from_bytes(data[where : where + width], order)
    new = rng.choice((*INTEGERS, old + 1, old - 1, 2 * old, len(data)))
    data[where : where + width] = (new % 256**width).to_bytes(width, order)


def set_digits(data, rng, _):
    """Replace a number that is written in digits: in JSON, in npy, tar and pgm headers."""
    numbers = list(re.finditer(rb"\d+", bytes(data[:4000])))
    if numbers:
        number = rng.choice(numbers)
        new = b"%d" % rng.choice((*INTEGERS, int(number[0]) + 1, -1, 10**30))
        if rng.random() < 0.5:  # the length of the file stays
            new = new[-len(number[0]) :].rjust(len(number[0]), b"0")
        data[slice(*number.span())] = new


CHANGES = (flip, cut, insert, splice, set_integer, set_integer, set_digits)


def change(data, rng, others):
    """Return data that were changed one to four times."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if data:
            rng.choice(CHANGES)(data, rng, others)
    return bytes(data)


def change_inside(data, rng, others):
    """Change what is compressed or protected by a checksum, and pack it again."""
    if data[:2] == b"PK":
        return _change_zip(data, rng, others)
    if data[:2] == b"\x1f\x8b":
        inside = change(gzip.decompress(data), rng, others)
        return gzip.compress(_with_tar_checksums(inside), 1, mtime=0)
    if data[:4] == b"\x89PNG":
        return _with_png_checksums(change(data, rng, others))
    return change(data, rng, others)


def _change_zip(data, rng, others):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    chosen = rng.randrange(len(members)) if rng.random() < 0.5 else 0  # where the header is
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as archive:
        warnings.simplefilter("ignore")  # of names that occur twice
        for k, (info, member) in enumerate(members):
            if k == chosen:
                member = _change_member(member, rng, others)
            name = rng.choice(members)[0].filename if rng.random() < 0.02 else info.filename
            archive.writestr(name, member, info.compress_type)
    return content.getvalue()


def _change_member(member, rng, others):
    """Change an npy file; a JSON header is changed so that its length is declared correctly."""
    start = 10 + int.from_bytes(member[8:10], "little")
    if member[start : start + 1] == b"{" and rng.random() < 0.8:
        text = bytearray(member[start:])
        if rng.random() < 0.7:  # still JSON
            set_digits(text, rng, others)
        else:
            text = change(text, rng, others)
        head = re.sub(rb"\(\d+,\)", b"(%d,)" % len(text), member[:start])
        return head[:8] + struct.pack("<H", len(head) - 10) + head[10:] + text
    return change(member, rng, others)


def _with_tar_checksums(data):
    """Make the checksums of the headers right that stand where a header was."""
    data = bytearray(data)
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            block = data[start : start + 512]
            total = sum(block) - sum(block[148:156]) + 256
            data[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(data)


def _with_png_checksums(data):
    content, position = bytearray(data), 8
    while position + 12 <= len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        end = position + 8 + size
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[position + 4 : end]))
        position = end + 4
    return bytes(content)


def make_input(target, number, seed):
    """Return the files of an input: a dict from name to content, and the name that was changed."""
    rng = random.Random(f"{seed} {target} {number}")
    files = dict(seeds(target))
    name = rng.choice(sorted(files))
    others = list(files.values())
    function = change_inside if rng.random() < 0.5 else change
    changed = function(files[name], rng, others)
    kept = {} if target in ONE_AT_A_TIME else files
    return {**kept, name: changed}, name


_SEEDS = {}


def seeds(target):
    """Return the true files of a target."""
    if target not in _SEEDS:
        _SEEDS[target] = TARGETS[target][1]()
    return _SEEDS[target]


# ---- one input -----------------------------------------------------------------------------------


class Watch:
    """The audit events of a process while a reader runs."""

    def __init__(self):
        self.active, self.events = False, []
        sys.addaudithook(self._hook)

    def _hook(self, name, arguments):
        if not self.active:
            return
        if name == "open" and isinstance(arguments[2], int):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self.events.append(f"opened {arguments[0]} to write")
        elif FORBIDDEN.fullmatch(name):
            self.events.append(f"{name} {arguments[:1]}")


def try_input(read, path, watch):
    """Read a file; return what is wrong, or None, and whether it was accepted."""
    memory, started = _peak_memory(), time.process_time()
    watch.events.clear()
    watch.active, wrong, accepted = True, None, False
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            read(path)
        accepted = True
    except CincError as error:
        if "\n" in str(error):
            wrong = f"a message of several lines: {error}"
        elif _has_cause(error, MemoryError):
            wrong = f"out of memory: {_where(error)}"
    except BaseException as error:
        wrong = f"{type(error).__name__}: {_where(error)}"
    watch.active = False
    seconds, growth = time.process_time() - started, _peak_memory() - memory
    if not wrong and seconds > SECONDS:
        wrong = f"slow: {seconds:.1f} s"
    if not wrong and growth > GROWTH:
        wrong = f"memory: {growth / 2**20:.0f} MiB"
    return wrong or next(iter(watch.events), None), accepted


def _peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _has_cause(error, kind):
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__
    return False


def _where(error):
    """Name the innermost line of an error and of its causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    return f"{error!r:.100} in {Path(frames[-1].filename).name}:{frames[-1].lineno}"


def _write(folder, files):
    for file in folder.iterdir():
        file.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _work(connection, targets, numbers, seed, folder):
    """Try the inputs of one process, and report each that is wrong."""
    for stream in (1, 2):  # libraries in C write there
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    watch = Watch()
    for target in targets:  # whatever is imported or computed once
        path = Path(folder, sorted(seeds(target))[0])
        _prepare(target, Path(folder), seeds(target))
        for _ in range(2):
            try_input(TARGETS[target][0], path, watch)
    for number in numbers:
        target = targets[number % len(targets)]
        files, name = make_input(target, number, seed)
        _prepare(target, Path(folder), files)
        connection.send(("begins", number, target, name))
        wrong, accepted = try_input(TARGETS[target][0], Path(folder, name), watch)
        connection.send(("ends", wrong, accepted, None))
    connection.send(("done", None, None, None))


def _prepare(target, folder, files):
    if target in ONE_AT_A_TIME:
        whole = seeds(target)["rgb.bmp"]
        files = {"0.bmp": whole, "1.bmp": whole, **files}
    _write(folder, files)


# ---- many inputs ---------------------------------------------------------------------------------


class Campaign:
    """Many inputs, tried in a process of their own; one that dies or hangs is replaced.

    Parameters
    ----------
    seed : int
    targets : sequence of str
        The readers, which take turns.
    out : path, optional
        Folder in which the inputs are kept that are reported.

    Attributes
    ----------
    findings : list of dict
        "target", "number", "file" and "wrong" of each input that is reported.
    totals : Counter
        Number of inputs of each target that were "accepted" and "refused".
    """

    def __init__(self, seed=0, targets=tuple(TARGETS), out=None):
        self.seed, self.targets, self.out = seed, list(targets), out
        self.findings, self.totals = [], Counter()

    def run(self, numbers, report=lambda number: None):
        """Try the inputs of a range of numbers; `report` is called after each with its number."""
        while numbers:
            numbers = range(self._run_process(numbers, report), numbers.stop)

    def _run_process(self, numbers, report):
        """Try inputs until they are done or the process is; return the number that follows."""
        context = multiprocessing.get_context("spawn")
        ours, worker_end = context.Pipe()
        with tempfile.TemporaryDirectory() as folder:
            arguments = (worker_end, self.targets, numbers, self.seed, folder)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            worker_end.close()
            current = numbers[0], "", ""
            try:
                while ours.poll(HANG):
                    kind, *values = ours.recv()
                    if kind == "done":
                        return numbers.stop
                    if kind == "begins":
                        current = tuple(values)
                        continue
                    wrong, accepted, _ = values
                    self.totals[current[1], "accepted" if accepted else "refused"] += 1
                    if wrong:
                        self._add(*current, wrong)
                    report(current[0])
                wrong = f"hangs for {HANG:.0f} s"
            except EOFError:
                process.join()
                wrong = f"the process died with {process.exitcode}"
            finally:
                process.kill()
                process.join()
        if not current[1]:
            raise RuntimeError(f"the true files cannot be read: {wrong}")
        self._add(*current, wrong)
        return current[0] + 1

    def _add(self, number, target, name, wrong):
        finding = {"target": target, "number": number, "file": name, "wrong": wrong}
        self.findings.append(finding)
        if self.out:
            folder = Path(self.out, target, f"{self.seed}-{number}")
            folder.mkdir(parents=True, exist_ok=True)
            files, _ = make_input(target, number, self.seed)
            (folder / name).write_bytes(files[name])
            (folder / "finding.json").write_text(json.dumps(finding, indent=1) + "\n")


def flips(path, content, stride=1, offset=0):
    """Flip every stride-th bit of a saved model; return those that load other parameters."""
    path.write_bytes(content)
    flow, params = cr.load(path)
    expected = named_leaves(params)
    wrong = []
    for bit in range(offset, 8 * len(content), stride):
        data = bytearray(content)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            loaded_flow, loaded = cr.load(path)
        except CincError:
            continue
        except Exception as error:
            wrong.append(f"bit {bit}: {type(error).__name__}")
            continue
        leaves = named_leaves(loaded)
        same = leaves.keys() == expected.keys() and all(
            leaves[name].tobytes() == expected[name].tobytes() for name in leaves
        )
        if loaded_flow != flow or not same:
            wrong.append(f"bit {bit}: loads another model")
    return wrong


def main():
    """Read the options, try the inputs, and print a table; the exit code is 1 for findings."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="number of inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this reader")
    parser.add_argument("--out", default="fuzz", help="folder for the inputs that are reported")
    parser.add_argument("--flips", action="store_true", help="every bit of a saved model instead")
    options = parser.parse_args()
    if options.flips:
        content = formats.checkpoints()["model.npz"]
        with tempfile.TemporaryDirectory() as folder:
            wrong = flips(Path(folder, "model.npz"), content)
        print(f"{8 * len(content):,} bits of a model: {len(wrong)} are not refused or harmless")
        print("\n".join(wrong[:20]))
        sys.exit(bool(wrong))
    campaign = Campaign(options.seed, options.target or TARGETS, options.out)
    started = time.monotonic()

    def report(number):
        if (number + 1) % 5000 == 0:
            seconds = time.monotonic() - started
            found = len(campaign.findings)
            print(f"up to input {number:,}: {found} findings, {seconds:.0f} s", flush=True)

    campaign.run(range(options.first, options.first + options.count), report)
    totals, findings = campaign.totals, campaign.findings
    for target in campaign.targets:
        numbers = [totals[target, kind] for kind in ("accepted", "refused")]
        print(f"{target:16} {numbers[0]:8,} accepted {numbers[1]:8,} refused")
    for wrong, times in Counter(finding["wrong"] for finding in findings).most_common(50):
        print(f"{times:6} {wrong}")
    print(f"{sum(totals.values()):,} inputs, {len(findings)} findings (in {options.out})")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
