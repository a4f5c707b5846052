"""Ways to say things that the rules read: one small text for each, and what its model must be."""

from __future__ import annotations

from fractions import Fraction

import pytest

from formulation.expressions import terms_of
from formulation.reading.variables import find_variables
from formulation.reading.words import Text, stem
from formulation.rules import read


def rows(text):
    """The objective and the statements of a text that is read completely, each as plain values."""
    reading = read(text)
    assert reading.complete, [one.sentence for one in reading.findings if one.topic != "assumption"]
    problem = reading.problem
    objective = (problem.objective.sense, coefficients(problem.objective.terms))
    return objective, [row(one) for one in problem.constraints]


def row(one):
    if one.kind == "bound":
        return {str(one.variable): 1}, one.sense, one.limit.number.value
    if one.kind == "sum_bound":
        return {str(each): 1 for each in one.variables}, one.sense, one.limit.number.value
    if one.kind == "linear_bound":
        return coefficients(one.terms), one.sense, one.limit.number.value
    if one.kind == "comparison":
        return str(one.left), one.sense, one.factor.number.value, str(one.right)
    assert one.kind == "proportion"
    return str(one.part), one.sense, one.share.number.value


def coefficients(expression):
    return {ref.name: number.value for ref, number in terms_of(expression).items()}


# ---- what is decided about -------------------------------------------------------------------------------------------


def test_plants_are_decided_about_where_goods_are_what_they_yield():
    found = rows(
        "A potter owns two kilns that fire cups, bowls, and vases. Running kiln 1 for an hour costs $40 and"
        " fires 8 cups, 6 bowls, and 5 vases. Running kiln 2 for an hour costs $70 and fires 12 cups, 9 bowls,"
        " and 4 vases. At least 90 cups, 60 bowls, and 30 vases must be fired. How many hours should each kiln"
        " be run to minimize costs?"
    )
    assert found == (
        ("minimize", {"kiln_1": 40, "kiln_2": 70}),
        [
            ({"kiln_1": 8, "kiln_2": 12}, ">=", 90),
            ({"kiln_1": 6, "kiln_2": 9}, ">=", 60),
            ({"kiln_1": 5, "kiln_2": 4}, ">=", 30),
        ],
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("crate A", "crate B"), ("The small crate", "The large crate"), ("Crate one", "Crate two")],
)
def test_things_are_told_apart_by_a_letter_a_number_or_an_adjective(one, other):
    objective, limits = rows(
        f"A shop packs screws and nails in crates. {one} holds 20 grams of screws and 35 grams of nails."
        f" {other} holds 30 grams of screws and 15 grams of nails. The shop has 900 grams of screws and 800"
        f" grams of nails. If the profit per {one.removeprefix('The ')} is $4 and the profit per"
        f" {other.removeprefix('The ')} is $5, how many of each should be packed to maximize profit?"
    )
    assert [list(terms.values()) for terms, _, _ in limits] == [[20, 30], [35, 15]]
    assert list(objective[1].values()) == [4, 5]


def test_workers_are_named_in_front_of_what_they_earn():
    objective, limits = rows(
        "A mason hires apprentices earning $300 a week and masters earning $900 a week. At least 20 workers"
        " are needed, of whom at least 4 must be masters. The number of masters should be at least a third of"
        " the number of apprentices. Formulate an LP to minimize the wage bill."
    )
    assert objective == ("minimize", {"apprentices": 300, "masters": 900})
    assert limits[1:] == [({"masters": 1}, ">=", 4), ("masters", ">=", Fraction(1, 3), "apprentices")]


def test_things_may_be_joined_by_as_well_as():
    naming = find_variables(
        Text("He sells plain mugs as well as painted mugs. A plain mug costs $2, a painted mug $3.")
    )
    assert naming.names == (("plain", "mug"), ("painted", "mug"))


def test_one_quantity_of_several_is_no_complete_reading():
    reading = read(
        "Each stool takes 3 hours. There are 60 hours. How many of each should be made? Maximize the stools."
    )
    assert not reading.complete


@pytest.mark.parametrize(("one", "other"), [("shelves", "shelf"), ("knives", "knife"), ("GPUs", "GPU")])
def test_irregular_plurals_agree(one, other):
    assert stem(one) == stem(other)


# ---- what numbers are ------------------------------------------------------------------------------------------------

START = "A mill makes flour and bran. A bag of flour sells for $9 and a bag of bran for $4. "
GRIND = (
    "A bag of flour takes 3 hours of grinding and 2 hours of sifting. A bag of bran takes 1 hour of grinding and 5"
    " hours of sifting. "
)
END = " How many bags of each should be made to maximize the sales?"
GRINDING, SIFTING = {"flour": 3, "bran": 1}, {"flour": 2, "bran": 5}


@pytest.mark.parametrize(
    "said",
    [
        "Each machine is available for at most 60 hours.",
        "In a week, each machine is available for 60 hours.",
        "If both the grinding machine and the sifting machine are available for at most 60 hours, go on.",
        "Each machine, the grinder and the sifter, can only be used for a maximum of 60 hours per week.",
    ],
)
def test_a_limit_of_each_machine_is_one_row_for_each(said):
    _, limits = rows(START + GRIND + said + END)
    assert limits == [(GRINDING, "<=", 60), (SIFTING, "<=", 60)]


def test_the_word_machine_names_none_of_two_machines():
    _, limits = rows(
        START
        + "A bag of flour takes 3 minutes on the mill and 2 minutes on the sieve machine. A bag of bran takes 1 minute"
        " on the mill and 5 minutes on the sieve machine. Each machine is available for at most 60 minutes." + END
    )
    assert limits == [(GRINDING, "<=", 60), (SIFTING, "<=", 60)]


def test_one_machine_by_name_has_a_limit_of_its_own():
    _, limits = rows(
        START + GRIND + "Each grinding machine has at most 60 hours, and there are 90 hours of sifting." + END
    )
    assert limits == [(GRINDING, "<=", 60), (SIFTING, "<=", 90)]


def test_percents_are_what_a_unit_holds():
    objective, limits = rows(
        "A smith melts two alloys, Rho and Tau. Rho is 20% copper and 5% tin. Tau is 10% copper and 30% tin. The cast"
        " needs at least 6 kg of copper and 3 kg of tin. If Rho costs $8 per kg and Tau costs $5 per kg, how many kg of"
        " each should be melted to minimize costs?"
    )
    assert objective == ("minimize", {"rho": 8, "tau": 5})
    assert limits == [
        ({"rho": Fraction(1, 5), "tau": Fraction(1, 10)}, ">=", 6),
        ({"rho": Fraction(1, 20), "tau": Fraction(3, 10)}, ">=", 3),
    ]


def test_rates_may_stand_in_a_list_behind_a_colon():
    objective, _ = rows(
        "Ann has $9000 to invest in zinc, silk and salt. The yearly rate of return for each is as follows:"
        " zinc, 4%; silk, 6%; salt, 3%. At most 20% of the investment can be in silk. How should Ann invest to"
        " maximize her return?"
    )
    assert objective == ("maximize", {"zinc": Fraction(1, 25), "silk": Fraction(3, 50), "salt": Fraction(3, 100)})


def test_they_and_respectively_take_the_variables_in_turn():
    _, limits = rows(
        "A smith sells forks and spoons. They cost $3 and $2 to make respectively. The budget is $600. Each"
        " fork earns a profit of $5 and each spoon earns a profit of $4. Maximize the profit."
    )
    assert limits == [({"forks": 3, "spoons": 2}, "<=", 600)]


def test_which_is_said_of_the_name_before_it():
    objective, _ = rows(
        "Milk can go by cart which can take 40 cans per trip or by barge which can take 90 cans per trip. The cost per"
        " cart trip is $6 and the cost per barge trip is $11. At most $200 may be spent. Maximize the number"
        " of cans that can be sent."
    )
    assert objective == ("maximize", {"cart": 40, "barge": 90})


def test_the_opening_words_say_of_what_a_sentence_is():
    _, limits = rows(
        "A crew fishes in the north bay and the south bay. In a day in the north bay, the crew can catch 5"
        " tons of cod and 2 tons of eel. In a day in the south bay, the crew can catch 4 tons of cod and 3"
        " tons of eel. It costs $50 a day to fish in the north bay and $70 a day to fish in the south bay."
        " They must deliver 18 tons of cod and 10 tons of eel. How many days should be fished in each bay to"
        " minimize costs?"
    )
    assert limits == [({"north_bay": 5, "south_bay": 4}, ">=", 18), ({"north_bay": 2, "south_bay": 3}, ">=", 10)]


@pytest.mark.parametrize("said", ["at least 10 but at most 30 bags of bran", "at least 10 bags of bran but at most 30"])
def test_both_limits_of_a_pair_are_of_one_variable(said):
    _, limits = rows(f"{START}The miller makes {said}.{END}")
    assert limits == [({"bran": 1}, ">=", 10), ({"bran": 1}, "<=", 30)]


def test_a_limit_of_either_type_is_of_each_where_another_is_of_all():
    _, limits = rows(
        START + "At most 50 bags can be made in total. You cannot make more than 30 bags of either type." + END
    )
    assert limits == [
        ({"flour": 1, "bran": 1}, "<=", 50),
        ({"flour": 1}, "<=", 30),
        ({"bran": 1}, "<=", 30),
    ]


def test_stock_to_make_things_of_is_a_limit():
    _, limits = rows(
        "A baker has 90 kg of dough to bake rolls and small buns. Each roll takes 2 kg of dough and each bun takes 1 kg"
        " of dough. If each roll earns a profit of $3 and each bun earns a profit of $1, how many of each should be"
        " baked to maximize profit?"
    )
    assert limits == [({"rolls": 2, "buns": 1}, "<=", 90)]


def test_money_for_things_of_several_owners_is_of_all():
    _, limits = rows(
        "Ida has $900 to invest in her aunt's mill and her uncle's farm. At most $500 can be invested in her aunt's"
        " mill. Her aunt's mill earns 4% and her uncle's farm earns 5%. How much should she invest in each to maximize"
        " the earnings?"
    )
    assert limits == [({"aunt_s_mill": 1, "uncle_s_farm": 1}, "<=", 900), ({"aunt_s_mill": 1}, "<=", 500)]


def test_a_plural_of_a_letter_is_the_letter():
    _, limits = rows(
        "A yard uses two cranes, crane A and crane B. Crane A lifts 5 tons and crane B lifts 8 tons. There must be at"
        " least 3 crane A’s and 4 crane B’s. At least 90 tons must be lifted. Minimize the number of cranes."
    )
    assert limits == [({"crane_a": 1}, ">=", 3), ({"crane_b": 1}, ">=", 4), ({"crane_a": 5, "crane_b": 8}, ">=", 90)]


@pytest.mark.parametrize("said", ["each month", "after each day"])
def test_each_month_is_no_limit_of_each_ore(said):
    _, limits = rows(
        "A mill makes soft paper and hard paper. A bale of soft paper takes 3 tons of oak pulp and 2 tons of elm pulp."
        " A bale of hard paper takes 4 tons of oak pulp and 5 tons of elm pulp. It gets at most 90 tons of oak pulp and"
        f" 70 tons of elm pulp {said}. A bale of soft paper earns $8 and a bale of hard paper earns $9. Maximize"
        " earnings."
    )
    assert limits == [
        ({"soft_paper": 3, "hard_paper": 4}, "<=", 90),
        ({"soft_paper": 2, "hard_paper": 5}, "<=", 70),
    ]


def test_three_d_counts_nothing():
    _, limits = rows(START + "The bags are drawn by a 3D-printer. At most 70 bags can be made in total." + END)
    assert [limit for _, _, limit in limits] == [70]


def test_numbers_that_count_a_list_or_name_a_time_say_nothing():
    _, limits = rows(
        "A mill makes 2 kinds of goods, flour and bran, in a 12-month plan. The work is done by two machines,"
        " a grinder and a sifter. (1) flour and (2) bran sell for $9 and $4 respectively. At most 70 bags can"
        " be made in total. A third party sells them." + END
    )
    assert [limit for _, _, limit in limits] == [70]


def test_spending_on_all_is_what_they_cost():
    _, limits = rows(
        "A stall can spend at most $500 on figs and dates. A fig costs the stall $2 and is sold for a profit"
        " of $1. A date costs the stall $3 and is sold for a profit of $2. How many should be sold to maximize"
        " the profit?"
    )
    assert limits == [({"figs": 2, "dates": 3}, "<=", 500)]


def test_money_to_invest_is_shared_out_whatever_it_yields():
    objective, limits = rows(
        "Ida can invest up to $5000 in wool and jute. Each dollar invested in wool yields a $0.10 profit and"
        " each dollar invested in jute yields a $0.20 profit. At least $1000 must be invested in jute."
        " Maximize the profit."
    )
    assert objective[1] == {"wool": Fraction(1, 10), "jute": Fraction(1, 5)}
    assert limits == [({"wool": 1, "jute": 1}, "<=", 5000), ({"jute": 1}, ">=", 1000)]


def test_meats_with_limits_of_their_own_are_two_things():
    _, limits = rows(
        "A cook sells a duck pie and a hare pie. A duck pie takes 4 units of dough and 8 units of duck fat. A"
        " hare pie takes 6 units of dough and 5 units of hare fat. There are 90 units of dough, 80 units of"
        " duck fat, and 70 units of hare fat. The profit per duck pie is $3 and the profit per hare pie is $5."
        " Maximize the profit."
    )
    assert limits == [
        ({"duck_pie": 4, "hare_pie": 6}, "<=", 90),
        ({"duck_pie": 8}, "<=", 80),
        ({"hare_pie": 5}, "<=", 70),
    ]


def test_a_bill_of_wages_is_what_the_workers_earn():
    _, limits = rows(
        "A mason employs apprentices earning $300 per week and masters earning $900 per week. The weekly wage bill must"
        " be kept below $9000. At least 12 masters are needed. Formulate an LP to minimize the wage bill."
    )
    assert limits[0] == ({"apprentices": 300, "masters": 900}, "<=", 9000)


@pytest.mark.parametrize(
    ("said", "sense"),
    [
        ("The miller does not want to make more than 70 bags.", "<="),
        ("The miller does not plan to make fewer than 70 bags.", ">="),
        ("The miller needs in total 70 bags.", ">="),
        ("The miller has a total of 70 bags.", "<="),
    ],
)
def test_words_far_from_a_number_say_which_way_it_limits(said, sense):
    _, limits = rows(START + said + END)
    assert limits == [({"flour": 1, "bran": 1}, sense, 70)]


# ---- what is wanted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["at minimum cost", "at minimal cost", "at the lowest cost"])
def test_the_least_cost_is_an_objective(said):
    objective, _ = rows(
        "Feed is mixed of oats and rye. A sack of oats costs $3 and holds 5 units of fat. A sack of rye costs"
        f" $4 and holds 8 units of fat. At least 90 units of fat are needed. How many sacks of each make the"
        f" feed {said}?"
    )
    assert objective == ("minimize", {"oats": 3, "rye": 4})


def test_what_has_to_be_met_is_not_what_is_sought():
    objective, _ = rows(
        "Feed is mixed of oats and rye. A sack of oats costs $3 and holds 5 units of fat. A sack of rye costs $4 and"
        " holds 8 units of fat. At least 90 units of fat are needed. Find the minimum cost that can meet the minimal"
        " needs."
    )
    assert objective == ("minimize", {"oats": 3, "rye": 4})


def test_a_score_is_counted_in_points():
    objective, _ = rows(
        "In a quiz a riddle is worth 5 points and a pun is worth 2 points. At most 15 riddles and puns can be"
        " answered in total. How many riddles and puns should be answered to maximize the score?"
    )
    assert objective == ("maximize", {"riddle": 5, "pun": 2})


# ---- sentences that only tell ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "Both require grinding and sifting.",
        "All bags have to go through grinding and sifting.",
        "The miller needs to decide how many bags to make.",
        "The miller only sells flour and bran.",
        "The miller can make either flour or bran.",
        "The miller wants to rest but must get enough sales.",
        "Both quantities must be greater than or equal to 0.",
    ],
)
def test_a_sentence_that_limits_nothing_leaves_nothing_open(said):
    _, limits = rows(START + said + " At most 70 bags can be made in total." + END)
    assert len(limits) == 1


@pytest.mark.parametrize(
    "said",
    [
        "Flour must be sold before noon.",
        "The miller must never make bran without flour.",
        "Not too few bags should be made.",
        "The mill must be clean.",
    ],
)
def test_a_demand_that_is_not_understood_is_told(said):
    reading = read(START + said + " At most 70 bags can be made in total." + END)
    assert [one.topic for one in reading.findings if one.topic != "assumption"] == ["sentence"]
