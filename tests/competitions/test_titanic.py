"""Titanic's module: parsing of names and tickets, groups, and an encoder that never sees a row's own target."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from kpipe.competitions.titanic.competition import (
    GroupSurvivalEncoder,
    WomanChildGroup,
    clean,
    gaussian_process,
    link_groups,
    woman_child_group,
)
from sklearn.base import clone

from kpipe import competitions
from kpipe.core.values import Context, Tables
from kpipe.data.loading import load
from kpipe.problem.competition import find
from kpipe.training.estimators import wrap_estimator
from tests.tables import prepared

PEOPLE = pd.DataFrame(
    [
        ("Grey, Mrs. Ann (Joan Holt)", "female", 3, "A/5 1000", 20.0, "S", 1, 2, 30.0, None),
        ("Grey, Master. Tom", "male", 3, "A/5 1000", 20.0, "S", 0, 2, 4.0, None),
        ("Grey, Miss. Eve", "female", 3, "A/5 1003", 20.0, "S", 0, 2, 6.0, None),  # linked by name and masked ticket
        ("Nann, Miss. Nell", "female", 3, "A/5 1003", 20.0, "S", 0, 0, 25.0, None),  # a nanny, by the ticket alone
        ("Grey, Mr. Max", "male", 3, "7001", 8.0, "Q", 0, 0, np.nan, None),  # another Grey
        ("Rothes, the Countess. of (Lucy)", "female", 1, "110152", 86.0, "S", 0, 0, 33.0, "B77"),
        ("O'Dell, Dr. W. B.", "male", 1, "LINE", 0.0, "S", 0, 0, 50.0, None),
        ("Vander Plank, Mr. Leo", "male", 1, "110160", 27.0, None, 0, 0, 40.0, "C1"),
    ],
    columns=["Name", "Sex", "Pclass", "Ticket", "Fare", "Embarked", "SibSp", "Parch", "Age", "Cabin"],
)
SURVIVED = np.array([1, 1, 0, 1, 0, 1, 0, 1])
NEAR = ["NearThirdWoman", "NearFirstMan", "NearSecondMan"]
GROUP = ["WomanGroup", "BoyGroup", "ManGroup"]
CONTEXT = Context(task="classification", n_classes=2, seed=0)


@pytest.fixture
def cleaned() -> pd.DataFrame:
    return clean(PEOPLE)


@pytest.fixture(scope="module")
def sample() -> Tables:
    return find("titanic").clean(load("titanic", competitions.folder("titanic") / "sample"))


def test_title_and_ticket_number_are_parsed(cleaned: pd.DataFrame) -> None:
    assert cleaned["Who"].tolist() == ["woman", "boy", "woman", "woman", "man", "woman", "man", "man"]
    assert cleaned["TicketNumber"].tolist()[3:7] == [1003, 7001, 110152, -1e9]
    assert cleaned["FamilySize"].tolist()[:2] == [4, 3]
    assert cleaned["CabinKnown"].tolist() == [0, 0, 0, 0, 0, 1, 0, 1]


def test_equal_tickets_and_families_have_equal_hashes(cleaned: pd.DataFrame) -> None:
    ticket, family = cleaned["Ticket"], cleaned["Family"]
    assert ticket[0] == ticket[1] != ticket[2] == ticket[3]
    assert family[0] == family[1] == family[2]  # Grey, and a ticket that differs in its last character
    assert family.nunique() == ticket.nunique() == 6
    assert clean(PEOPLE.tail(3))["Family"].tolist() == family.tail(3).tolist()
    assert clean(PEOPLE.assign(Name=PEOPLE["Name"].str.replace("Grey,", "Grey-Fox,")))["Family"][0] != family[0]


def test_tickets_that_were_read_as_numbers_are_accepted() -> None:
    found = clean(PEOPLE.assign(Ticket=[11, 11, 12, 12, 70, 80, 90, 95]))
    assert found["TicketNumber"].tolist() == [11, 11, 12, 12, 70, 80, 90, 95]
    assert found["Ticket"].nunique() == 6


def test_a_group_shares_a_ticket_or_a_family_directly_or_through_others(cleaned: pd.DataFrame) -> None:
    found = link_groups(cleaned["Ticket"], cleaned["Family"])
    assert len(set(found[:4])) == 1
    assert len(set(found[3:])) == 5  # another fare, port and ticket: no relative


def test_a_new_row_joins_a_group_by_its_ticket_or_by_its_family(cleaned: pd.DataFrame) -> None:
    encoder = GroupSurvivalEncoder().fit(cleaned.iloc[[0, 5]], [0, 1])  # the mother died
    new = encoder.transform(cleaned)
    assert new["BoyGroup"][1] == -0.5  # by the ticket
    assert new["WomanGroup"][2] == -0.5  # by the family
    assert new["WomanGroup"][3] == 0  # the nanny's only link is no fitted row
    assert new["ManGroup"].eq(0).all()


def test_without_targets_every_encoding_is_0(cleaned: pd.DataFrame) -> None:
    assert GroupSurvivalEncoder().fit(cleaned).transform(cleaned)[[*NEAR, *GROUP]].eq(0).all(axis=None)


def test_a_row_is_encoded_by_the_survival_of_the_others_in_its_group(cleaned: pd.DataFrame) -> None:
    found = GroupSurvivalEncoder().fit_transform(cleaned, SURVIVED)
    # The mother sees a boy who lived, a girl who died, a nanny who lived: (2 - 1) / (3 + 1).
    assert found["WomanGroup"].tolist()[:4] == [0.25, 0, 0.75, 0.25]
    assert found["BoyGroup"].tolist()[1] == 0.25
    assert (found[GROUP].iloc[4:] == 0).all(axis=None)
    assert not {"Ticket", "Family", "TicketNumber"} & set(found)
    weight = 2 * np.exp(-3 / 20)
    assert found["NearThirdWoman"][0] == pytest.approx((1 - weight / 2 + weight / 2) / (1 + weight + 0.5))


def test_the_weight_of_a_neighbour_falls_with_the_difference_of_ticket_numbers() -> None:
    people = pd.DataFrame({"Who": "man", "Pclass": "1", "Ticket": range(3), "TicketNumber": [100.0, 110.0, 900.0]})
    people = people.assign(Family=people["Ticket"])
    encoder = GroupSurvivalEncoder(scale=10.0).fit(people, [1, 0, 1])
    new = people.head(1).assign(TicketNumber=100.0, Ticket=9, Family=9)
    assert encoder.transform(new)["NearFirstMan"][0] == pytest.approx((1 - np.exp(-1)) / (1.5 + np.exp(-1)))
    assert encoder.transform(new.assign(Pclass="2"))["NearSecondMan"][0] == 0  # nobody of that class was fitted on
    assert encoder.transform(new.assign(Who="woman"))[[*NEAR, *GROUP]].eq(0).all(axis=None)


def test_the_features_of_a_fitted_row_do_not_depend_on_its_own_target(sample: Tables) -> None:
    frame, y = features_of(sample), sample.train["Survived"].to_numpy()
    found = GroupSurvivalEncoder().fit_transform(frame, y)
    changed = 0
    for row in range(0, len(frame), 10):
        flipped = y.copy()
        flipped[row] = 1 - flipped[row]
        again = GroupSurvivalEncoder().fit_transform(frame, flipped)
        pd.testing.assert_series_equal(again.iloc[row], found.iloc[row])
        changed += not again.equals(found)
    assert changed > 0  # the others do see it


def test_the_encoder_never_learns_from_validation_rows(sample: Tables) -> None:
    problem, frame, y = prepared("titanic", data="sample"), features_of(sample), sample.train["Survived"].to_numpy()
    train, valid = np.arange(0, 200), np.arange(200, 300)
    flipped = y.copy()
    flipped[valid] = 1 - flipped[valid]
    predicted = [
        wrap_estimator(problem, woman_child_group(CONTEXT))
        .fit(frame.iloc[train], target[train])
        .predict_proba(frame.iloc[valid])
        for target in (y, flipped)
    ]
    np.testing.assert_array_equal(*predicted)
    encoder = GroupSurvivalEncoder().fit(frame.iloc[train], y[train])
    alone = encoder.transform(frame.iloc[valid].head(1))
    pd.testing.assert_frame_equal(
        encoder.transform(frame.iloc[valid]).head(1), alone
    )  # row by row: no validated row helps


def test_the_encoder_can_be_cloned_and_pickled(sample: Tables) -> None:
    frame, y = features_of(sample), sample.train["Survived"].to_numpy()
    fitted = clone(GroupSurvivalEncoder(scale=5.0)).fit(frame, y)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(fitted)).transform(frame), fitted.transform(frame))
    assert not fitted.transform(frame)[[*NEAR, *GROUP]].isna().any(axis=None)


def test_the_woman_child_group_rule_learns_the_survival_rates_of_its_cells() -> None:
    cells = pd.DataFrame({"Who": ["woman", "woman", "woman", "man"], "WomanGroup": [-0.5, -0.5, 0.5, 0.0]})
    cells = cells.assign(BoyGroup=0.0, ManGroup=0.0)
    rule = WomanChildGroup().fit(cells, [0, 0, 1, 0])
    np.testing.assert_allclose(rule.predict_proba(cells)[:, 1], [1 / 4, 1 / 4, 2 / 3, 1 / 3])
    assert rule.predict(cells).tolist() == [0, 0, 1, 0]
    boy = cells.head(1).assign(Who="boy")
    assert rule.predict_proba(boy).tolist() == [[0.5, 0.5]]  # never seen


@pytest.mark.parametrize("factory", [woman_child_group, gaussian_process])
def test_the_competitions_own_models_learn_and_return_probabilities(factory, sample: Tables) -> None:
    frame, y = features_of(sample), sample.train["Survived"].to_numpy()
    fitted = wrap_estimator(prepared("titanic", data="sample"), factory(CONTEXT)).fit(frame.head(200), y[:200])
    predicted = pickle.loads(pickle.dumps(fitted)).predict_proba(frame.tail(100))
    assert predicted.shape == (100, 2)
    np.testing.assert_allclose(predicted.sum(axis=1), 1)
    assert ((predicted[:, 1] > 0.5) == y[200:]).mean() > 0.7


def features_of(cleaned: Tables) -> pd.DataFrame:
    return cleaned.train[list(find("titanic").columns)]
