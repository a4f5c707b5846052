"""Write the larger tables of the examples again: python formulation/examples/make_tables.py.

The numbers come from a fixed seed, so the files never change.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["tables"]

_HERE = Path(__file__).parent


def tables(folder: Path = _HERE) -> None:
    """Write all tables into a folder."""
    _transport(folder, random.Random("transport"))
    _arcs(folder, random.Random("arcs"))
    _lots(folder, random.Random("lots"))


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _transport(folder: Path, rng: random.Random) -> None:
    """20 plants and 30 markets on a map of 100 by 100; a route costs its length and a toll."""
    plants, markets = [f"plant{i:02}" for i in range(1, 21)], [f"market{j:02}" for j in range(1, 31)]
    at = {place: (rng.randint(0, 100), rng.randint(0, 100)) for place in (*plants, *markets)}
    demand = {market: rng.randint(20, 90) for market in markets}
    share = -(-sum(demand.values()) // len(plants))
    supply = {plant: share + rng.randint(0, 40) for plant in plants}
    _write(folder / "transport_places.csv", ("place", "amount"), [*supply.items(), *demand.items()])
    routes = [
        (i, j, f"{2 + 0.1 * (abs(at[i][0] - at[j][0]) + abs(at[i][1] - at[j][1])):.1f}")
        for i in plants
        for j in markets
    ]
    _write(folder / "transport_routes.csv", ("plant", "market", "cost"), routes)


def _arcs(folder: Path, rng: random.Random) -> None:
    """100 depots and 1,000 shops; each shop is reached from 10 depots, the first of which makes all feasible."""
    depots, shops = [f"d{i:02}" for i in range(100)], [f"s{j:03}" for j in range(1000)]
    need = {shop: rng.randint(1, 20) for shop in shops}
    stock = dict.fromkeys(depots, 0)
    arcs: list[tuple[str, str, int]] = []
    for shop in shops:
        reached = rng.sample(depots, 10)
        stock[reached[0]] += need[shop]
        arcs += [(depot, shop, rng.randint(10, 99)) for depot in sorted(reached)]
    _write(folder / "arcs.csv", ("depot", "shop", "cost"), arcs)
    _write(folder / "arcs_depots.csv", ("depot", "stock"), [(depot, amount + 20) for depot, amount in stock.items()])
    _write(folder / "arcs_shops.csv", ("shop", "need"), need.items())


def _lots(folder: Path, rng: random.Random) -> None:
    """50 products with a seasonal demand in 12 months."""
    products, months = [f"p{i:02}" for i in range(1, 51)], [f"m{t:02}" for t in range(1, 13)]
    data, demand = [], []
    for product in products:
        hold, setup, level = rng.randint(1, 5), rng.randint(20, 120), rng.randint(10, 60)
        season = [15 if 5 <= t <= 8 else 0 for t in range(12)]
        wanted = [max(0, level + rng.randint(-level, level) + more) for more in season]
        most = 4 * max(wanted)
        data.append((product, setup, hold, f"{rng.randint(2, 8) / 10:.1f}", rng.randint(1, 4), most))
        demand.append((product, *wanted))
    header = ("product", "setup_cost", "holding_cost", "hours", "setup_hours", "most")
    _write(folder / "lots_products.csv", header, data)
    _write(folder / "lots_demand.csv", ("product", *months), demand)


if __name__ == "__main__":
    tables()
