from __future__ import annotations

from dataclasses import replace

import pytest

from kpipe.checks.labels import labels_of_sample_submission
from kpipe.training.folds import make_folds
from tests.tables import problem_of, survivors


@pytest.mark.parametrize(
    ("labels", "placeholder", "status"),
    [([0, 1], 0, []), (["no", "yes"], 1, []), (["left", "right"], 0, ["fail"]), (["left", "right"], "up", ["fail"])],
)
def test_labels_that_the_sample_submission_does_not_show_fail(
    labels: list[object], placeholder: object, status: list[str]
) -> None:
    made = survivors()
    made.train["survived"] = [labels[value] for value in made.train["survived"]]
    problem = problem_of(replace(made, sample=made.sample.assign(survived=placeholder)), metric="accuracy")
    assert [found for found, _ in labels_of_sample_submission(problem, make_folds(problem))] == status


@pytest.mark.parametrize(("placeholder", "status"), [("road haze water", []), ("cloud", ["fail"])])
def test_combinations_of_labels_need_a_word_in_common(placeholder: str, status: list[str]) -> None:
    made = survivors()
    kinds = ["haze", "road", "haze road", "haze road water", "water"]
    made.train["survived"] = [kinds[row % 5] for row in range(len(made.train))]
    problem = problem_of(replace(made, sample=made.sample.assign(survived=placeholder)), metric="accuracy")
    assert [found for found, _ in labels_of_sample_submission(problem, make_folds(problem))] == status
