#!/usr/bin/env bash
# A search on the nodes of a SLURM job: sbatch slurm.sh. Submit it again to go on with a run that was stopped.
# The environment with `pip install 'stepsolver[cuda,ray]'`, the model and the runs lie on a file system that all nodes
# share; its locks must work across nodes (NFS 4, Lustre with -o flock, GPFS).
#SBATCH --job-name=stepsolver
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
set -euo pipefail

source "$HOME/stepsolver/bin/activate"
export STEPSOLVER_RUNS=$HOME/runs STEPSOLVER_DATA=$HOME/data RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
go_on=()
[ -d "$STEPSOLVER_RUNS/job" ] && go_on=(--resume)

# Starts Ray on every node, runs the command on the first one, and ends Ray with it. 4 nodes of 8 GPUs, 2 for a worker.
srun ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" --num-gpus 8 -- \
  python -m reasoning.solve gsm8k --split train --policy Qwen/Qwen2.5-7B-Instruct --method beam \
  --scale ray --ray-address auto --workers 16 --engine tensor_parallel_size=2 --concurrency 64 \
  --run job "${go_on[@]}" --json "$STEPSOLVER_RUNS/job.json"
