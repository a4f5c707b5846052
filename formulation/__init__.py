"""Optimisation models in typed form: words and data to a MILP that is solved, checked, explained and exported.

    from formulation import explain, load, solve
    model = load("formulation/examples/furniture.json")
    print(explain(model, solve(model)).text)

or `python -m formulation solve formulation/examples/furniture.json`.
"""

# solve, verify, explain and export are functions here; `from formulation.solve import ...` still finds the modules.
from formulation.equivalence import compare
from formulation.explain import explain
from formulation.export import export
from formulation.infeasible import iis
from formulation.model import Model, load
from formulation.pipeline import formulate
from formulation.reader import Reader
from formulation.solve import solve
from formulation.verify import verify

__all__ = ["Model", "Reader", "compare", "explain", "export", "formulate", "iis", "load", "solve", "verify"]
