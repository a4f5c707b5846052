"""The options of --scale, and their mistakes, each in one line."""

import pytest

from data.errors import UserError
from data.scale import Scale


def test_nothing_given_is_no_scale():
    assert Scale.of({"scale": None, "workers": None}) is None
    assert Scale.of({}) is None


def test_what_is_given_is_taken_and_the_rest_has_defaults():
    scale = Scale.of({"scale": "ray", "workers": 8, "gpus_per_worker": 0.5, "ray_address": "head:6379"})
    assert scale == Scale(8, None, 0.5, "head:6379", None)
    assert scale.restarts == 80
    assert Scale.of({"scale": "ray", "max_restarts": 0}).restarts == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"workers": 2}, "--workers goes with --scale ray"),
        ({"scale": "dask"}, "--scale is 'dask'"),
        ({"scale": "ray", "workers": 0}, "--workers is 0: give a whole number of at least 1"),
        ({"scale": "ray", "workers": "two"}, "--workers is 'two'"),
        ({"scale": "ray", "workers": True}, "--workers is True"),
        ({"scale": "ray", "max_restarts": -1}, "--max-restarts is -1"),
        ({"scale": "ray", "gpus_per_worker": -1.0}, "--gpus-per-worker is -1.0"),
        ({"scale": "ray", "gpus_per_worker": float("nan")}, "--gpus-per-worker is nan"),
        ({"scale": "ray", "gpus_per_worker": 1.5}, "whole ones only"),
        ({"scale": "ray", "cpus_per_worker": float("inf")}, "--cpus-per-worker is inf"),
        ({"scale": "ray", "ray_address": "ray://head:10001"}, "--ray-address is 'ray://head:10001'"),
        ({"scale": "ray", "ray_address": ""}, "--ray-address is ''"),
    ],
)
def test_mistakes_are_one_line(settings, said):
    with pytest.raises(UserError) as raised:
        Scale.of(settings)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_ray_the_extra_is_named(monkeypatch):
    import sys

    from data.scale.on_ray import cluster

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'stepsolver\[ray\]'"), cluster(Scale()):
        pass
