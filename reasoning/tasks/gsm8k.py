"""Grade-school mathematics (GSM8K, arXiv 2110.14168): word problems whose answers are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from data.errors import DataError
from data.records import Problem
from data.solutions import annotated
from data.sources import load_rows
from reasoning.tasks.answers import canonical_number
from reasoning.tasks.base import Example

__all__ = ["EXAMPLES", "INSTRUCTION", "Gsm8k"]

INSTRUCTION: Final = "Put the final answer, one number without a unit, in \\boxed{}."

EXAMPLES: Final = (
    Example(
        "Nadia buys 3 notebooks at $4 each and a pen for $2.50. She pays with a $20 bill. "
        "How many dollars does she get back?",
        "The notebooks cost 3*4=$<<3*4=12>>12.\n"
        "Together with the pen she pays 12+2.50=$<<12+2.50=14.50>>14.50.\n"
        "She gets back 20-14.50=$<<20-14.50=5.50>>5.50.\n"
        "#### 5.50",
        "1. Find what the notebooks cost.\n2. Add the price of the pen.\n3. Take that from what she pays with.",
        "notebooks = 3 * 4\ntotal = notebooks + 2.50\nanswer = 20 - total",
    ),
    Example(
        "A pump fills 48 liters in 2 minutes. How many liters does it fill in 3 minutes?",
        "The pump fills 48/2=<<48/2=24>>24 liters a minute.\nIn 3 minutes it fills 24*3=<<24*3=72>>72 liters.\n#### 72",
        "1. Find how much the pump fills in one minute.\n2. Multiply by the number of minutes asked for.",
        "liters_per_minute = 48 / 2\nanswer = liters_per_minute * 3",
    ),
    Example(
        "A theater has 250 seats. On Friday 80% of them were taken, and on Saturday 35 more people came than on "
        "Friday. How many people came on the two days together?",
        "On Friday 250*80/100=<<250*80/100=200>>200 people came.\n"
        "On Saturday 200+35=<<200+35=235>>235 people came.\n"
        "On the two days together 200+235=<<200+235=435>>435 people came.\n"
        "#### 435",
        "1. Find how many people came on Friday.\n2. Find how many came on Saturday.\n3. Add the two days.",
        "friday = 250 * 80 / 100\nsaturday = friday + 35\nanswer = friday + saturday",
    ),
    Example(
        "Omar bakes 36 rolls. He gives 1/4 of them to his neighbor and then his family eats 2/3 of what is left. "
        "How many rolls remain?",
        "His neighbor gets 36/4=<<36/4=9>>9 rolls.\n"
        "That leaves 36-9=<<36-9=27>>27 rolls.\n"
        "His family eats 27*2/3=<<27*2/3=18>>18 rolls.\n"
        "So 27-18=<<27-18=9>>9 rolls remain.\n"
        "#### 9",
        "1. Find how many rolls the neighbor gets.\n2. Find how many are left then.\n"
        "3. Find how many of those the family eats.\n4. Take them from what was left.",
        "neighbor = 36 / 4\nleft = 36 - neighbor\nfamily = left * 2 / 3\nanswer = left - family",
    ),
    Example(
        "Lena is twice as old as her brother Finn. In 5 years Finn will be 13. How old is Lena now?",
        "Finn is 13-5=<<13-5=8>>8 years old now.\nLena is 8*2=<<8*2=16>>16 years old.\n#### 16",
        program="finn = 13 - 5\nanswer = finn * 2",
    ),
    Example(
        "A shop sells a coat for $80. It lowers the price by 15% and then adds a tax of 10% of the lowered price. "
        "How much does a customer pay for 2 coats?",
        "The price is lowered by 80*15/100=$<<80*15/100=12>>12.\n"
        "The lowered price is 80-12=$<<80-12=68>>68.\n"
        "The tax is 68*10/100=$<<68*10/100=6.80>>6.80.\n"
        "Two coats cost (68+6.80)*2=$<<(68+6.80)*2=149.60>>149.60.\n"
        "#### 149.60",
        program="lowered = 80 - 80 * 15 / 100\ntax = lowered * 10 / 100\nanswer = (lowered + tax) * 2",
    ),
    Example(
        "A train travels 3 hours at 60 miles an hour before lunch and 80 miles an hour after it. It has to cover 420 "
        "miles in all. How many hours does it travel after lunch?",
        "Before lunch it covers 60*3=<<60*3=180>>180 miles.\n"
        "After lunch 420-180=<<420-180=240>>240 miles are left.\n"
        "That takes 240/80=<<240/80=3>>3 hours.\n"
        "#### 3",
        program="before = 60 * 3\nleft = 420 - before\nanswer = left / 80",
    ),
    Example(
        "There are 45 fish in a pond, red and blue. There are 4 times as many blue fish as red ones. How many more "
        "blue fish than red ones are there?",
        "The fish are 1+4=<<1+4=5>>5 equal parts, one of them red.\n"
        "There are 45/5=<<45/5=9>>9 red fish.\n"
        "There are 9*4=<<9*4=36>>36 blue fish.\n"
        "So there are 36-9=<<36-9=27>>27 more blue ones.\n"
        "#### 27",
        program="red = 45 / (1 + 4)\nblue = red * 4\nanswer = blue - red",
    ),
)


@dataclass(frozen=True, slots=True)
class Gsm8k:
    """Answers are equal where they are the same number, however it is written."""

    fast_judge: ClassVar[bool] = True
    arithmetic: ClassVar[bool] = True
    name: str = "gsm8k"
    evaluation_only: bool = False
    default_split: str = "test"
    instruction: str = INSTRUCTION
    examples: tuple[Example, ...] = EXAMPLES

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of `train` or `test`; the reference answer is the number after `####`, without commas."""
        rows = load_rows("gsm8k", split, directory=data_dir, limit=limit, offset=offset)
        return [
            annotated(f"gsm8k/{split}/{index}", row["question"], row["answer"])
            for index, row in enumerate(rows, offset)
        ]

    def canonical(self, answer: str) -> str | None:
        """The answer as an exact number: `72`, `-3`, `11/2`."""
        return canonical_number(answer)

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the two numbers are equal. Raises DataError where the reference is no number."""
        reference = None if problem.answer is None else canonical_number(problem.answer)
        if reference is None:
            raise DataError(f"problem {problem.id} has no number as its reference answer")
        return canonical_number(answer) == reference
