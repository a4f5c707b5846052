"""The examples of docs/examples are commands that this version takes, and accelerate reads the recipe for machines."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from data.scale import SCALE_NAMES, Scale
from reasoning.config import SolveConfig
from reasoning.scale import gpus_needed
from reasoning.solve import _parser

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples"


def checked(words: list[str]) -> tuple[Scale, dict]:
    """The command's settings behind `python -m reasoning.solve`, all of them valid."""
    begin = words.index("reasoning.solve") + 1
    given = vars(_parser().parse_args([word for word in words[begin:] if word not in ("$go_on", "${go_on[@]}")]))
    assert given.pop("run") == "job"
    given.pop("json")
    scale = Scale.of({name: given.pop(name, None) for name in SCALE_NAMES})
    given["engine"] = dict(pair.split("=", 1) for pair in given["engine"])
    return scale, SolveConfig.of(given).model_dump()


def test_the_kuberay_job_asks_for_the_gpus_it_has():
    _, job = yaml.safe_load_all((EXAMPLES / "kuberay.yaml").read_text())
    _, _, script = shlex.split(job["spec"]["entrypoint"])
    scale, settings = checked(shlex.split(script))
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    gpus = group["replicas"] * container["resources"]["limits"]["nvidia.com/gpu"]
    assert scale.workers * gpus_needed(settings) == gpus
    assert scale.address == "auto"
    assert group["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "stepsolver"


def test_the_slurm_job_asks_for_the_gpus_it_has():
    text = (EXAMPLES / "slurm.sh").read_text()
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(.+)$", text, re.MULTILINE))
    command = text[text.index("srun ray") :].replace("\\\n", " ")
    scale, settings = checked(shlex.split(command))
    assert scale.workers * gpus_needed(settings) == int(options["nodes"]) * int(options["gpus-per-node"])
    if shutil.which("bash"):
        subprocess.run(["bash", "-n", EXAMPLES / "slurm.sh"], check=True)


@pytest.mark.parametrize(
    ("options", "gpus"),
    [
        ({"policy": "org/model"}, 1),
        ({"policy": "org/model", "engine": {"tensor_parallel_size": "4", "data_parallel_size": "2"}}, 8),
        ({"policy": "m@http://localhost:8000/v1"}, 0),
        ({"policy": "toy"}, 0),
    ],
)
def test_a_worker_takes_the_gpus_of_its_engine(options, gpus):
    assert gpus_needed(SolveConfig.of(options).model_dump()) == gpus


def test_accelerate_reads_the_recipe_for_several_machines():
    pytest.importorskip("accelerate")
    from accelerate.commands.config.config_args import load_config_from_file

    file = ROOT / "reasoning" / "train" / "recipes" / "accelerate" / "multi_node.yaml"
    found = load_config_from_file(str(file))
    assert (found.num_machines, found.num_processes) == (2, 16)
