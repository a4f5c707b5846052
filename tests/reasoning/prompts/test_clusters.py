"""TF-IDF vectors and k-means over questions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from reasoning.prompts.clusters import clusters, k_means, tf_idf

TOPICS = ("a farm sells apples and pears", "a train and a bus drive miles", "walls need buckets of paint")
QUESTIONS = [f"{TOPICS[i % 3]}: {i} plus {i + 1}" for i in range(30)]


def test_weights_are_those_of_the_formula():
    """Two texts: `a` is in both, ln(3/3) + 1 = 1; `b` and `c` are in one each, ln(3/2) + 1."""
    found = tf_idf(["a a b", "A c"])
    rare = math.log(1.5) + 1
    expected = np.array([[2, rare, 0], [1, 0, rare]])
    assert np.allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert (tf_idf(["?!", "a"])[0] == 0).all()


def test_questions_of_three_topics_are_three_clusters():
    found = clusters(QUESTIONS, 3)
    assert sorted(tuple(sorted({i % 3 for i in group})) for group in found) == [(0,), (1,), (2,)]
    assert [len(group) for group in found] == [10, 10, 10]
    assert found == clusters(QUESTIONS, 3)


def test_the_text_nearest_to_the_middle_comes_first():
    vectors = np.array([[0.0], [1.0], [5.0]])
    middles, labels = k_means(vectors, 1)
    assert middles.tolist() == [[2.0]]
    assert labels.tolist() == [0, 0, 0]
    # "x y" is between the other two.
    assert clusters(["x x y", "x y", "x y y"], 1)[0][0] == 1


def test_two_middles_of_four_points():
    middles, labels = k_means(np.array([[0.0], [1.0], [10.0], [11.0]]), 2)
    assert sorted(middles[:, 0].tolist()) == [0.5, 10.5]
    assert labels[0] == labels[1] != labels[2] == labels[3]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=12), st.data())
def test_no_cluster_is_empty_and_every_row_is_with_its_nearest_middle(points, data):
    count = data.draw(st.integers(1, len(set(points))))
    rows = np.array(points, dtype=float)
    middles, labels = k_means(rows, count, data.draw(st.integers(0, 5)))
    assert set(labels.tolist()) == set(range(count))
    for group in range(count):
        assert np.allclose(middles[group], rows[labels == group].mean(axis=0))
    own = ((rows - middles[labels]) ** 2).sum(axis=1)
    nearest = ((rows[:, None] - middles[None]) ** 2).sum(axis=2).min(axis=1)
    assert np.allclose(own, nearest)


@pytest.mark.parametrize(
    ("texts", "count"), [(["a"], 2), (["same words"] * 9, 2), (["a b", "b a", "c"], 3), (["?", "!"], 2)]
)
def test_fewer_different_texts_than_clusters_is_said_in_one_line(texts, count):
    with pytest.raises(UserError, match=rf"{count} clusters need {count} different questions") as caught:
        clusters(texts, count)
    assert "\n" not in str(caught.value)
