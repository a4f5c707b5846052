"""Finding final answers, and the forms in which equal answers are equal strings."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.tasks.answers import canonical_math, canonical_number, final_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2+2=4\n#### 4", "4"),
        ("#### 4\n#### 5\n", "5"),
        ("  ####   $1,200  \nmore text", "$1,200"),
        (r"so \boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}} holds", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed {5}", "5"),
        (r"\boxed{a\boxed{b}}", r"a\boxed{b}"),
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"#### \boxed{7}", "7"),
        ("#### Step 2\nso " + r"\boxed{7}", "7"),
        (r"\boxed{7}" + "\n#### 8", "8"),
        (r"{ \boxed{7}", "7"),
        (r"\boxed{7}}}{", "7"),
        (r"\boxed{4} then \boxed{", "4"),
        (r"\boxed{4} then \boxed{ }", "4"),
        ("no answer", None),
        ("a #### 4", None),
        ("####", None),
        (r"\boxed{", None),
        (r"\boxed{}", None),
        ("#### " + "9" * 10_000, None),
        ("", None),
    ],
)
def test_the_last_marked_answer_is_the_answer(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    ["\\boxed{" * 10**5, "{" * 10**6, "}" * 10**6, "#" * 10**6, "\n" * 10**6, "\\boxed" + " " * 10**6, " " * 10**6],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_text_takes_linear_time(text):
    started = time.process_time()
    final_answer(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("72", "72"),
        ("72.0", "72"),
        ("72.", "72"),
        ("$1,200.50", "2401/2"),
        ("1,234,567", "1234567"),
        ("72 eggs", "72"),
        ("**72**", "72"),
        ("20%", "20"),
        ("-5", "-5"),
        ("−5", "-5"),
        ("-$5", "-5"),
        ("x = -5", "-5"),
        (".5", "1/2"),
        ("1/2", "1/2"),
        ("0.5", "1/2"),
        (r"\frac{2}{4}", "1/2"),
        (r"-\dfrac{1}{2}", "-1/2"),
        (r"\$18", "18"),
        ("007", "7"),
        ("", None),
        ("five", None),
        ("3 to 5", None),
        ("2 1/2", None),
        (r"2\frac{1}{2}", None),
        ("1,2", None),
        ("1/0", None),
        ("1e9", None),
        ("9e999999", None),
        ("1" * 201, None),
    ],
)
def test_text_with_exactly_one_number_is_that_number(answer, number):
    assert canonical_number(answer) == number


def test_a_number_that_must_stand_alone_takes_no_words():
    assert canonical_number("72 eggs", alone=True) is None
    assert canonical_number("$72.00.", alone=True) == "72"


@pytest.mark.parametrize(
    "group",
    [
        [r"\frac12", r"\dfrac{1}{2}", "1/2", "0.5", r"$\frac{1}{2}$", "0.50."],
        [r"\left( 3, \frac{\pi}{2} \right)", r"(3,\tfrac{\pi}{2})", r"\((3, \frac{\pi}{2})\)"],
        ["10,080", r"10,\!080", "10080"],
        [r"5\text{ cm}", "5", r"5 \mathrm{cm}^2"],
        [r"50^\circ", r"50^{\circ}", "50"],
        [r"20\%", "20%", "20"],
        [r"\sqrt 2", r"\sqrt{2}", r"\sqrt2"],
        [r"\text{Ada}", "Ada"],
    ],
    ids=lambda group: group[0],
)
def test_equal_answers_share_a_form(group):
    [form] = {canonical_math(answer) for answer in group}
    assert canonical_math(form) == form


def test_different_answers_keep_apart():
    forms = [canonical_math(a) for a in ("2 1/2", "21/2", r"2\frac{1}{2}", r"\pi r", r"\pi", "(1,2)", "12", "-12", "x")]
    assert len(set(forms)) == len(forms)
    assert canonical_math(r"\pi r") == r"\pi r"
    assert canonical_math(r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}") == r"\begin{pmatrix}1\\2\end{pmatrix}"


def test_nothing_and_endless_text_are_no_answers():
    assert canonical_math("  ") is None
    assert canonical_math("$ $") is None
    assert canonical_math("x" * 1001) is None


@given(st.text(alphabet="0123456789.,/-%$ \\{}frac", max_size=40) | st.text(max_size=80))
def test_any_text_has_a_form_or_none(text):
    number = canonical_number(text)
    assert number is None or canonical_number(number) == number
    for form in (canonical_math(text), final_answer(text)):
        assert form is None or form


@given(st.fractions(max_denominator=10**6))
def test_a_canonical_number_reads_back_as_itself(value):
    assert canonical_number(str(value)) == str(value)
    assert canonical_math(str(value)) == str(value)
