"""The exercises: right answers pass, known mistakes are named, and no wrong answer is called right.

The answers are those of `tests/support/answers.py`, written as students write them.
"""

import re

import numpy as np
import pytest

from cinc_ref.classroom import Exercise, Grade, exercise
from cinc_ref.classroom.course import TASKS
from cinc_ref.errors import OptionError
from cinc_ref.testing import check
from tests.support.answers import RIGHT, WRONG

NUMBERS = range(1, len(TASKS) + 1)


def graded(number, answer):
    return exercise(number).check(*(answer if isinstance(answer, tuple) else (answer,)))


def cases_of(answers):
    return [(number, k) for number in NUMBERS for k in range(len(answers[number]))]


@pytest.mark.parametrize("number, k", cases_of(RIGHT))
def test_a_right_answer_passes_in_whatever_style(number, k):
    grade = graded(number, RIGHT[number][k])
    assert grade.passed, str(grade)
    assert str(grade).startswith("passed: ")


@pytest.mark.parametrize("number, k", cases_of(WRONG))
def test_a_wrong_answer_is_diagnosed(number, k):
    answer, words = WRONG[number][k]
    grade = graded(number, answer)
    assert not grade.passed
    assert (words or "") in grade.diagnosis, grade.diagnosis
    assert str(grade).startswith("not yet: ")


@pytest.mark.parametrize("number", NUMBERS)
def test_there_are_enough_answers_of_each_kind(number):
    assert len(RIGHT[number]) >= 3
    assert sum(words is not None for _, words in WRONG[number]) >= 8


def answers_of(task, change):
    """Make the functions of a task from its model, whose results `change` alters."""
    if len(task.functions) == 1:
        (signature,) = task.functions

        def answer(*arguments):
            results = change(task.model, arguments)
            return results if len(signature.results) > 1 else results[0]

        return (answer,)
    return tuple(
        lambda *arguments, part=part: change(task.model, arguments * 2)[part]
        for part in (slice(2), slice(2, 4))
    )


SLIPS = [(number, k) for number in NUMBERS for k in range(len(TASKS[number - 1].slips))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number, k", SLIPS)
def test_every_listed_mistake_is_recognized(number, k):
    task = TASKS[number - 1]
    slip = task.slips[k]
    functions = answers_of(task, lambda model, a: model(*a, **slip.options))
    grade = exercise(number).check(*functions)
    assert not grade.passed
    words = re.split(r"\{\w+\}", slip.words)
    assert all(part in grade.diagnosis for part in words), grade.diagnosis
    assert "Two mistakes" not in grade.diagnosis


@pytest.mark.parametrize("number", NUMBERS)
def test_the_model_is_right_and_so_are_the_expected_results(number):
    """The model and the expected results are computed in different ways."""
    task = TASKS[number - 1]
    assert exercise(number).check(*answers_of(task, lambda model, a: model(*a))).passed


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("size", [1e-6, np.nan])
def test_one_wrong_entry_of_one_case_is_not_called_right(number, size):
    task = TASKS[number - 1]
    for case in task.cases():
        for part, name in enumerate(task.results):

            def change(model, arguments, case=case, part=part):
                results = [np.array(result, float) for result in model(*arguments)]
                given = [a for arguments in case.arguments for a in arguments]
                same = (np.array_equal(a, b) for a, b in zip(arguments, given, strict=False))
                if len(results) == 4:  # a coupling: the call of forward, or that of inverse
                    same = [np.array_equal(arguments[0], given[0 if part < 2 else 2])]
                if all(same):
                    results[part].flat[-1] += size * max(1, np.abs(results[part]).max())
                return tuple(results)

            grade = exercise(number).check(*answers_of(task, change))
            assert not grade.passed, (name, case.sizes)
            assert size == 1e-6 or name in str(grade)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stub_is_not_written_yet(number):
    def stub(*arguments):
        raise NotImplementedError("your turn")

    grade = exercise(number).check(*[stub] * len(TASKS[number - 1].functions))
    assert not grade.passed and "is not written yet" in grade.diagnosis


@pytest.mark.parametrize("number", NUMBERS)
def test_an_exercise_shows_its_task(number):
    shown = exercise(number)
    assert isinstance(shown, Exercise)
    for text in (repr(shown), str(shown), shown._repr_html_()):
        for signature in shown.task.functions:
            assert str(signature).replace(">", "&gt;" if text[0] == "<" else ">") in text
    assert "Hint: " in str(shown) and shown.task.hint in str(shown)
    assert repr(shown).endswith("shows a hint)") and " ..." not in repr(shown)


def test_a_counterexample_shows_arguments_expected_and_got():
    grade = exercise(3).check(lambda y, kernel: y)
    for words in ("1 image, 1 channel, 2 x 2 pixels", "y =", "kernel =", "expected x", "got x"):
        assert words in grade.counterexample
    assert grade.counterexample in str(grade) and "Counterexample" in grade._repr_html_()


def test_a_large_counterexample_names_the_first_wrong_entry():
    def answer(x, kernel):
        y = RIGHT[1][0](x, kernel)
        y[..., 4:, :] = 0  # wrong in images of more than 4 rows
        return y

    grade = exercise(1).check(answer)
    assert not grade.passed and "2 images, 3 channels, 5 x 4 pixels" in grade.diagnosis
    assert re.search(
        r"y\[0, 0, 4, 0\]: expected .*, got 0; 24 of 120 entries", grade.counterexample
    )


def test_the_line_of_a_crash_is_quoted():
    def inverse(y, kernel):
        return y[99]

    grade = exercise(3).check(inverse)
    assert "inverse raises IndexError" in grade.diagnosis and "`return y[99]`" in grade.diagnosis
    assert "y of shape (1, 1, 2, 2)" in grade.diagnosis


def test_a_diagnosis_does_not_depend_on_how_often_it_is_asked():
    answer = WRONG[1][0][0]
    assert exercise(1).check(answer) == exercise(1).check(answer)


def test_the_arguments_of_a_case_cannot_be_changed_by_an_answer():
    """Each call receives copies, so a later answer is not graded with changed ones."""
    exercise(1).check(WRONG[1][9][0])
    assert exercise(1).check(RIGHT[1][0]).passed


def test_interrupts_are_not_diagnosed():
    def answer(x, kernel):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercise(1).check(answer)


@pytest.mark.parametrize("functions", [(), (3,), (abs, abs)])
def test_the_number_of_functions_is_checked(functions):
    with pytest.raises(OptionError, match=r"as in exercise\(1\)\.check\(conv\); got"):
        exercise(1).check(*functions)


@pytest.mark.parametrize("number", [0, 8, 2.5, "1"])
def test_there_are_seven_exercises(number):
    with pytest.raises(OptionError, match="number"):
        exercise(number)


def test_a_right_coupling_is_one_in_the_eyes_of_the_conformance_suite():
    """The task's log-determinants are those of Jacobians, by differences."""
    case = TASKS[5].cases()[-1]
    network, (forward, inverse) = case.arguments[0][1], RIGHT[6][0]
    report = check(
        (lambda x: forward(x, network), lambda y: inverse(y, network)),
        shape=case.arguments[0][0].shape[1:],
    )
    assert report.ok, str(report)


def test_right_gradients_are_slopes():
    """The expected gradients are central differences of <g, conv(x, kernel)>, which is bilinear."""
    case = TASKS[4].cases()[4]
    x, kernel, g = case.arguments[0]
    conv = RIGHT[1][1]
    for array, expected in ((x, case.expected[0]), (kernel, case.expected[1])):
        for index in list(np.ndindex(array.shape))[::7]:
            values = []
            for step in (0.5, -0.5):
                saved = array[index]
                array[index] = saved + step
                values.append(np.sum(g * conv(x, kernel)))
                array[index] = saved
            assert np.isclose(values[0] - values[1], expected[index], rtol=1e-9, atol=1e-9)


def test_a_grade_is_plain_data():
    grade = exercise(7).check(RIGHT[7][0])
    assert grade == Grade(7, True, "bits_per_dim is right in 5 cases.")
    assert repr(grade).startswith("Grade(exercise=7, passed=True, diagnosis='bits_per_dim is right")


def test_one_case_is_no_kind_of_cases():
    """The only square images of exercise 6 are those of one pixel, which prove nothing."""

    def right_for_one_pixel(x, network):
        y, log_det = RIGHT[6][0][0](x, network)
        return y + (x.shape[3] > 1), log_det

    grade = exercise(6).check(right_for_one_pixel, RIGHT[6][0][1])
    assert "It is right in 1 of 5 cases" in grade.diagnosis
