"""Exercises of a class of ninety minutes, whose answers are graded with a diagnosis in words.

`exercise` shows a task; its `check` runs a student's function on drawn cases and compares the
results with the right ones, which follow from the definitions in `cinc_ref.theory`. Wrong results
are compared with those of known mistakes, so that the answer is the mistake and not the solution.
"""

from cinc_ref.classroom.course import exercise
from cinc_ref.classroom.exercise import Exercise
from cinc_ref.classroom.grade import Grade

__all__ = ["Exercise", "Grade", "exercise"]
