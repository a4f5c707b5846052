"""Preference training: the loss, its rows, its reference, and the whole command on a tiny model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from data.errors import DataError, UserError
from data.rows import Preference, Side
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.train import step_dpo
from reasoning.train.branches import IGNORED
from reasoning.train.job import Policy, Progress, load_policy
from reasoning.train.step_dpo import PairCollator, StepDPOJob, StepDPOTrainer, rows_of
from tests.reasoning.train import tiny

VOCABULARY = 97


def side(*ids: int, own: tuple[int, ...] | None = None) -> Side:
    return Side("", ids, own or (1,) * len(ids), 0.5, 4)


def pair(
    number: int = 0, *, chosen: Side, rejected: Side, prompt: tuple[int, ...] = (5, 6, 7), **of: Any
) -> Preference:
    return Preference(f"q/{number}", "?", "1", (), prompt, chosen, rejected, "test", **of)


PAIRS = [
    pair(0, chosen=side(8, 9, 10), rejected=side(8, 11), margin=0.9, smoothing=0.25, weight=0.5),
    pair(1, prompt=(12, 13), chosen=side(14, 15, own=(1, 0)), rejected=side(16, 17, 18), margin=0.3, weight=2.0),
    pair(2, prompt=(5, 6, 7, 8), chosen=side(20), rejected=side(21, 22), margin=1.4, smoothing=0.5),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


def job_of(base: Path, folder: Path, **settings: Any) -> StepDPOJob:
    plain = {"dtype": "float32", "bf16": False, "use_cpu": True, "lora_r": 4, "report_to": "none"}
    return StepDPOJob(**{**plain, "model": str(base), "output_dir": str(folder), "logging_steps": 1, **settings})


def trainer_of(job: StepDPOJob, pairs: list[Preference], policy: Policy | None = None) -> StepDPOTrainer:
    policy = policy or load_policy(job)
    rows, _ = rows_of(pairs, None, 10**6, from_difference=job.from_difference)
    return StepDPOTrainer(
        model=policy.model,
        args=job,
        train_dataset=Dataset.from_list(rows),
        processing_class=policy.processing,
        data_collator=PairCollator(policy.processing.pad_token_id),
        callbacks=[Progress()],
    )


def disturb(model: Any, seed: int = 3) -> None:
    """Move an adapter away from where it started."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_B.default" in name:
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)


def batch_of(trainer: Any) -> dict[str, torch.Tensor]:
    return trainer.data_collator([trainer.train_dataset[i] for i in range(len(trainer.train_dataset))])


def loss_of(trainer: Any) -> float:
    """The loss of all rows as one batch."""
    return trainer._compute_loss(trainer.model, batch_of(trainer), False).item()


def own_log_prob(model: Any, prompt: tuple[int, ...], one: Side) -> float:
    """Of the tokens the policy wrote, by a plain forward of one unpacked row."""
    with torch.no_grad():
        return float((tiny.log_probs(model, list(prompt), list(one.ids)) * torch.tensor(one.own)).sum())


def by_hand(model: Any, pairs: list[Preference], *, beta: float, alpha: float = 0.0, rpo: float = 0.0) -> float:
    """The loss of the formula, pair by pair, with the bare base as the reference."""

    def log_sigmoid(x: float) -> float:
        return -math.log1p(math.exp(-x))

    total = 0.0
    for p in pairs:
        now = [own_log_prob(model, p.prompt_ids, s) for s in (p.chosen, p.rejected)]
        with model.disable_adapter():
            then = [own_log_prob(model, p.prompt_ids, s) for s in (p.chosen, p.rejected)]
        h = beta * ((now[0] - then[0]) - (now[1] - then[1])) - alpha * p.margin
        preference = -(1 - p.smoothing) * log_sigmoid(h) - p.smoothing * log_sigmoid(-h)
        total += p.weight * (preference - rpo * now[0] / sum(p.chosen.own))
    return total / len(pairs)


# ---- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    ("alpha", "rpo"), [(0.0, 0.0), (1.0, 0.0), (0.5, 0.3)], ids=["Step-DPO", "Step-APO", "with likelihood"]
)
def test_the_loss_is_the_formula_s(base: Path, tmp_path: Path, attention: str, alpha: float, rpo: float) -> None:
    job = job_of(base, tmp_path, beta=0.4, apo_alpha=alpha, rpo_alpha=rpo, attn_implementation=attention)
    trainer = trainer_of(job, PAIRS)
    disturb(trainer.model)
    found = loss_of(trainer)
    assert found == pytest.approx(by_hand(trainer.model, PAIRS, beta=0.4, alpha=alpha, rpo=rpo), rel=1e-4)
    # The rows are such that every part of the formula shows.
    assert abs(found - math.log(2)) > 0.05


def test_known_values_of_the_preference_term() -> None:
    def at(difference: float, margin: float = 0.0, noise: float = 0.0, alpha: float = 1.0) -> float:
        numbers = (torch.tensor([x]) for x in (difference, margin, noise))
        return float(step_dpo.pair_loss(*numbers, 0.5, alpha))

    assert at(0.0) == pytest.approx(math.log(2))
    assert at(2.0) == pytest.approx(math.log(1 + math.exp(-1)))
    # A margin is what the reward's difference has to make up for: beta 0.5, difference 2, margin 1 leave h = 0.
    assert at(2.0, margin=1.0) == pytest.approx(math.log(2))
    assert at(2.0, margin=1.0, alpha=0.0) == pytest.approx(at(2.0))
    # Half the labels wrong: the loss is even in h, and least at h = 0.
    assert at(3.0, noise=0.5) == pytest.approx(at(-3.0, noise=0.5))
    assert at(3.0, noise=0.5) > at(0.0, noise=0.5)


def test_smoothing_can_be_turned_off(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(base, tmp_path, smoothing=False), PAIRS)
    disturb(trainer.model)
    plain = [Preference(**{f: getattr(p, f) for f in p.__slots__} | {"smoothing": 0.0}) for p in PAIRS]
    found = loss_of(trainer)
    assert found == pytest.approx(by_hand(trainer.model, plain, beta=0.4), rel=1e-4)


def test_on_whole_answers_without_margin_or_noise_it_is_trl_s_dpo(base: Path, tmp_path: Path) -> None:
    texts = [
        {"prompt": "Question: 1+2?\nAnswer:", "chosen": " <<1+2=3>>\n#### 3", "rejected": " <<1+2=4>>\n#### 4"},
        {"prompt": "Question: half of 48?\nAnswer:", "chosen": " #### 24", "rejected": " <<48*2=96>>\n#### 96"},
    ]
    theirs = load_policy(job_of(base, tmp_path / "a"))
    config = DPOConfig(str(tmp_path / "trl"), beta=0.4, bf16=False, use_cpu=True, report_to="none")
    config.gradient_checkpointing = False
    trl = DPOTrainer(
        model=theirs.model, args=config, train_dataset=Dataset.from_list(texts), processing_class=theirs.processing
    )
    whole = [
        pair(n, prompt=tuple(row["prompt_ids"]), chosen=side(*row["chosen_ids"]), rejected=side(*row["rejected_ids"]))
        for n, row in enumerate(trl.train_dataset)
    ]
    assert {p.chosen.ids[-1] for p in whole} == {theirs.eos}
    ours = trainer_of(job_of(base, tmp_path / "b", beta=0.4), whole)
    disturb(trl.model)
    disturb(ours.model)

    expected = trl._compute_loss(trl.model, batch_of(trl), False)
    found = ours._compute_loss(ours.model, batch_of(ours), False)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for name in ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen"):
        mine, other = (t._metrics["train" if t.model.training else "eval"][name] for t in (ours, trl))
        assert sum(mine) / len(mine) == pytest.approx(sum(other) / len(other), rel=1e-4), name
    slopes = [
        torch.autograd.grad(x, [p for n, p in sorted(t.model.named_parameters()) if ".default." in n])
        for x, t in ((found, ours), (expected, trl))
    ]
    assert max(float(slope.abs().max()) for slope in slopes[0]) > 1e-3
    for mine, other in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)


# ---- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_labels_cover_exactly_the_own_tokens_of_a_step_and_no_end_is_added(family: str, tmp_path: Path) -> None:
    tokenizer: HFTokenizer = tiny.save_tokenizer(tiny.FAMILIES[family](), tmp_path)
    (end,) = tokenizer.eos_ids
    prompt = tuple(tokenizer.encode("Question: half of 48?\nAnswer:"))
    texts = (" <<48/2=24>>\n", " <<48*2=96>>\n")
    good, bad = (tuple(tokenizer.encode(text)) for text in texts)
    # The calculator wrote the last two tokens of the good step's annotation.
    own = (*(1 for _ in good[:-3]), 0, 0, 1)
    one = pair(prompt=prompt, chosen=side(*good, own=own), rejected=side(*bad))
    rows, left_out = rows_of([one], None, len(tokenizer._tokenizer))
    assert not left_out
    assert rows[0]["prompt_ids"] == list(prompt)
    assert rows[0]["branches"] == [list(good), list(bad)]
    assert rows[0]["labels"][0] == [*good[:-3], IGNORED, IGNORED, good[-1]]
    assert rows[0]["labels"][1] == list(bad)

    batch = PairCollator(end)(rows)
    counted = batch["labels"][0] != IGNORED
    for number, wanted in ((1, [*good[:-3], good[-1]]), (2, list(bad))):
        assert batch["input_ids"][0][counted & (batch["segments"][0] == number)].tolist() == wanted
    assert end not in batch["input_ids"]
    assert not counted[batch["segments"][0] == 0].any()


def test_a_pair_that_does_not_fit_is_left_out_whole_and_counted() -> None:
    rows, left_out = rows_of(PAIRS, 5, VOCABULARY)
    assert [len(row["prompt_ids"]) for row in rows] == [2]
    assert left_out == {"longer than max_length": 2}
    assert rows[0]["branches"] == [[14, 15], [16, 17, 18]]


def test_a_side_that_only_the_calculator_wrote_teaches_nothing() -> None:
    rows, left_out = rows_of([pair(chosen=side(8, own=(0,)), rejected=side(9))], None, VOCABULARY)
    assert (rows, sum(left_out.values())) == ([], 1)


def test_ids_of_another_model_are_refused() -> None:
    with pytest.raises(DataError, match="another model"):
        rows_of([pair(chosen=side(8), rejected=side(VOCABULARY))], None, VOCABULARY)


def test_counting_from_the_first_difference_moves_the_common_tokens_into_the_prompt() -> None:
    same_start = pair(chosen=side(8, 9, 10), rejected=side(8, 9, 11, 12))
    prefix = pair(chosen=side(8, 9), rejected=side(8, 9, 10))
    rows, _ = rows_of([same_start, prefix], None, VOCABULARY, from_difference=True)
    assert (rows[0]["prompt_ids"], rows[0]["branches"]) == ([5, 6, 7, 8, 9], [[10], [11, 12]])
    # A side that the other continues keeps a token to be told by.
    assert (rows[1]["prompt_ids"], rows[1]["branches"]) == ([5, 6, 7, 8], [[9], [9, 10]])


def test_counting_from_the_first_difference_changes_no_preference(base: Path, tmp_path: Path) -> None:
    pairs = [pair(chosen=side(8, 9, 10), rejected=side(8, 9, 11, 12), margin=0.4)]
    losses = []
    for name, only in (("a", False), ("b", True)):
        trainer = trainer_of(job_of(base, tmp_path / name, apo_alpha=1.0, from_difference=only), pairs)
        disturb(trainer.model)
        losses.append(loss_of(trainer))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


# ---- the reference ---------------------------------------------------------------------------------------------------


def test_the_reference_of_a_new_adapter_is_the_base(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(base, tmp_path), PAIRS)
    alone = tiny.model(trainer.model.config.vocab_size)
    for row, p in zip(trainer.train_dataset, PAIRS, strict=True):
        assert row["ref_chosen_logps"] == pytest.approx(own_log_prob(alone, p.prompt_ids, p.chosen), rel=1e-4)
        assert row["ref_rejected_logps"] == pytest.approx(own_log_prob(alone, p.prompt_ids, p.rejected), rel=1e-4)


def test_the_reference_of_a_job_that_goes_on_is_the_adapter_it_starts_from(base: Path, tmp_path: Path) -> None:
    first = load_policy(job_of(base, tmp_path / "first"))
    disturb(first.model)
    first.model.save_pretrained(tmp_path / "start")
    job = job_of(base, tmp_path / "second", adapter=str(tmp_path / "start"))
    trainer = trainer_of(job, PAIRS)
    disturb(trainer.model, seed=4)
    for row, p in zip(trainer.train_dataset, PAIRS, strict=True):
        assert row["ref_chosen_logps"] == pytest.approx(own_log_prob(first.model, p.prompt_ids, p.chosen), rel=1e-4)
        with first.model.disable_adapter():
            bare = own_log_prob(first.model, p.prompt_ids, p.chosen)
        assert row["ref_chosen_logps"] != pytest.approx(bare, rel=1e-2)


def test_trl_s_copy_of_the_adapter_is_neither_trained_nor_kept(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(base, tmp_path, max_steps=1), PAIRS)
    assert list(trainer.model.peft_config) == ["default"]
    trainable = [name for name, p in trainer.model.named_parameters() if p.requires_grad]
    assert trainable
    assert all("lora_" in name and ".default." in name for name in trainable)
    trainer.train()
    assert not [p for p in (tmp_path / "checkpoint-1").iterdir() if p.is_dir()]


def test_reference_log_probabilities_are_remembered_for_the_same_rows_and_model_only(
    base: Path, tmp_path: Path
) -> None:
    job = job_of(base, tmp_path)
    first = trainer_of(job, PAIRS).train_dataset["ref_chosen_logps"][:]
    kept = tmp_path / "reference-train.json"
    marked = json.loads(kept.read_text())
    marked["log_probs"][0] = [-1.0, -2.0, -3.0]
    kept.write_text(json.dumps(marked))
    assert trainer_of(job, PAIRS).train_dataset["ref_chosen_logps"][:] == [-1.0, -2.0, -3.0]

    kept.write_text(json.dumps(marked))
    assert trainer_of(job, PAIRS[::-1]).train_dataset["ref_chosen_logps"][:] == pytest.approx(first[::-1])
    kept.write_text(json.dumps(marked))
    moved = load_policy(job)
    disturb(moved.model)
    assert trainer_of(job, PAIRS, moved).train_dataset["ref_chosen_logps"][0] not in (-1.0, first[0])


# ---- training --------------------------------------------------------------------------------------------------------


def test_two_steps_lower_the_loss_and_leave_the_base_bit_for_bit(base: Path, tmp_path: Path) -> None:
    job = job_of(base, tmp_path, max_steps=2, learning_rate=1e-2, lr_scheduler_type="constant", rpo_alpha=0.2)
    trainer = trainer_of(job, PAIRS)
    frozen = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if not p.requires_grad}
    before = loss_of(trainer)
    trainer.train()
    assert loss_of(trainer) < before - 0.01
    now = dict(trainer.model.named_parameters())
    assert frozen
    assert all(torch.equal(now[name], was) for name, was in frozen.items())


def test_accumulated_batches_have_the_gradient_of_one(base: Path, tmp_path: Path) -> None:
    pairs = [*PAIRS, pair(3, chosen=side(30, 31), rejected=side(32), weight=0.7)]
    found = []
    for name, size, parts in (("a", 4, 1), ("b", 2, 2)):
        job = job_of(
            base,
            tmp_path / name,
            max_steps=1,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=parts,
            optim="sgd",
            max_grad_norm=0.0,
            learning_rate=1.0,
            lr_scheduler_type="constant",
        )
        trainer = trainer_of(job, pairs)
        trainer.train()
        found.append({n: p.detach() for n, p in trainer.model.named_parameters() if "lora_B" in n})
    assert any(float(p.abs().max()) > 1e-3 for p in found[0].values())
    for name, parameter in found[0].items():
        torch.testing.assert_close(found[1][name], parameter, rtol=1e-3, atol=1e-5)


# ---- the command -----------------------------------------------------------------------------------------------------


def write_pairs(path: Path, base: Path, numbers: range) -> Path:
    """Pairs in which the better step adds and the worse one subtracts."""
    tokenizer = HFTokenizer(str(base))
    rows = []
    for n in numbers:
        a, b = 3 + n, 2 + (7 * n) % 11
        steps = [f" <<{a}+{b}={a + b}>>\n", f" <<{a}-{b}={a - b}>>\n"]
        sides = [Side(s, tuple(ids := tokenizer.encode(s)), (1,) * len(ids), 0.5, 4) for s in steps]
        prompt = tuple(tokenizer.encode(f"Question: {a} and {b}{' more' * (n % 4)}?\nAnswer:"))
        more = {"margin": 0.1 * (n % 7), "tokenizer": tokenizer.checksum}
        one = Preference(f"q/{n}", "?", str(a + b), (), prompt, *sides, "test", **more)
        rows.append(json.dumps(one.to_json()))
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def data(base: Path, tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.jsonl", base, range(10))


@pytest.mark.parametrize("order", ["random", "group_by_length"])
def test_a_killed_job_ends_in_the_adapter_of_one_that_was_not(
    base: Path, data: Path, tmp_path: Path, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def options(name: str) -> list[str]:
        return tiny.options(
            model=base,
            data=[data],
            output_dir=tmp_path / name,
            num_train_epochs=2,
            save_steps=2,
            train_sampling_strategy=order,
        )

    step_dpo.run(options("whole"))
    with monkeypatch.context() as patch:
        patch.setattr(step_dpo, "Progress", lambda: tiny.KilledAt(5))
        with pytest.raises(tiny.Killed):
            step_dpo.run(options("parts"))
    assert not (tmp_path / "parts" / "adapter_model.safetensors").exists()
    assert (tmp_path / "parts" / "checkpoint-4").is_dir()
    step_dpo.run(options("parts"))
    assert tiny.same(tiny.adapter(tmp_path / "whole"), tiny.adapter(tmp_path / "parts"))
    assert not tiny.same(tiny.adapter(tmp_path / "whole"), tiny.adapter(tmp_path / "whole" / "checkpoint-4"))


def test_held_out_pairs_are_measured_before_and_after(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = write_pairs(tmp_path / "held.jsonl", base, range(20, 30))
    out = tmp_path / "out"
    step_dpo.run(tiny.options(model=base, data=[data], eval_data=[held_out], output_dir=out, num_train_epochs=4))
    card = json.loads((out / "stepsolver.json").read_text())
    assert (card["stage"], card["pairs"], card["steps"]) == ("step_dpo", 10, 12)
    measured = card["held_out"]
    assert measured["pairs"] == 10
    # What tells the steps apart is one sign, so that a tiny model learns it from ten pairs.
    assert measured["reward_after"] >= 0.7
    assert measured["policy_after"] > measured["policy_before"]
    assert "10 held-out pairs" in capsys.readouterr().out
    # The shares before are those of the model itself.
    plain, right = tiny.model(tiny.byte_level().get_vocab_size()), 0
    for line in held_out.read_text().splitlines():
        p = Preference.of(json.loads(line))
        right += own_log_prob(plain, p.prompt_ids, p.chosen) > own_log_prob(plain, p.prompt_ids, p.rejected)
    assert measured["policy_before"] == right / 10


def test_held_out_pairs_of_questions_trained_on_are_refused(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="10 questions are in data and in eval_data"):
        step_dpo.run(tiny.options(model=base, data=[data], eval_data=[data], output_dir=tmp_path / "out"))


def test_a_finished_adapter_is_not_written_over_unless_asked(base: Path, data: Path, tmp_path: Path) -> None:
    options = tiny.options(model=base, data=[data], output_dir=tmp_path / "out", max_steps=1)
    step_dpo.run(options)
    before = tiny.adapter(tmp_path / "out")
    with pytest.raises(UserError, match="holds a finished adapter"):
        step_dpo.run(options)
    assert tiny.same(before, tiny.adapter(tmp_path / "out"))
    step_dpo.run([*options, "--overwrite", "true", "--beta", "0.2", "--seed", "7"])
    assert not tiny.same(before, tiny.adapter(tmp_path / "out"))


@pytest.mark.parametrize("option", ["beta", "apo_alpha", "data"])
def test_a_job_goes_on_with_its_own_settings_only(
    base: Path, data: Path, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"model": base, "data": [data], "output_dir": tmp_path / "out", "save_steps": 1}
    with monkeypatch.context() as patch:
        patch.setattr(step_dpo, "Progress", lambda: tiny.KilledAt(1))
        with pytest.raises(tiny.Killed):
            step_dpo.run(tiny.options(**settings))
    if option == "data":  # the same name with other content is other data
        write_pairs(data, base, range(1, 11))
    else:
        settings[option] = 0.7
    with pytest.raises(UserError, match=r"other settings \((beta|apo_alpha|files)\)"):
        step_dpo.run(tiny.options(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": []}, "no data"),
        ({"loss_type": "ipo"}, "takes no --loss_type"),
        ({"label_smoothing": 0.1}, "takes no --label_smoothing"),
        ({"attn_implementation": "flash_attention_2"}, "sdpa"),
        ({"max_length": 4}, "no pair is left"),
        ({"data": ["missing.jsonl"]}, "no data file missing.jsonl"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_what_cannot_be_is_one_line(
    base: Path, data: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    options = {"model": base, "data": [data], "output_dir": tmp_path / "out", **settings}
    if not options["data"]:
        del options["data"]
    with pytest.raises(UserError, match=message) as error:
        step_dpo.run(tiny.options(**options))
    assert "\n" not in str(error.value)


def test_the_recipe_is_a_job(tmp_path: Path) -> None:
    recipe = Path(step_dpo.__file__).parent / "recipes" / "embedded-cpu" / "step_dpo.yaml"
    job = step_dpo.parse(StepDPOJob, ["--config", str(recipe), "--output_dir", str(tmp_path)], "a job")
    step_dpo._check(job)
    assert (job.beta, job.per_device_train_batch_size, job.learning_rate) == (0.3, 16, 2e-5)
    assert not job.gradient_checkpointing


def test_an_adapter_that_goes_on_from_one_with_values_says_where_they_are(
    base: Path, data: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    step_dpo.run(tiny.options(model=base, data=[data], output_dir=first, max_steps=1))
    path = first / "stepsolver.json"
    assert "value" not in json.loads(path.read_text())
    value = {"position": "border", "good": " yes", "bad": " no"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "value": value}))
    step_dpo.run(tiny.options(model=base, adapter=first, data=[data], output_dir=second, max_steps=1))
    assert json.loads((second / "stepsolver.json").read_text())["value"] == value
