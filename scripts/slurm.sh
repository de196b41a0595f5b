#!/usr/bin/env bash
# Trains on several nodes, one worker a node, and starts all workers again when one fails.
#
#     sbatch --nodes=4 scripts/slurm.sh --recipe lambda_resnet152_224 --data-dir /shared/tfds --out /shared/runs/152
#
# The arguments are those of `lambda-zoo train`. Data and run folder must be on a file system that all nodes share, and
# `lambda-zoo` on the PATH (activate its environment before sbatch, which hands the environment on). Ten minutes before
# the time limit the workers save a checkpoint, and the job goes back into the queue, from where it continues.
#
# Exit status: 0 trained; 2 at once for an error that a new start does not cure; 75 stopped by a signal, submit the same
# again to continue; otherwise that of the last start, after RESTARTS (10) restarts.
#SBATCH --job-name=lambda-zoo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=lambda-zoo-%j.log
set -uo pipefail

restarts=${RESTARTS:-10}
port=$((20000 + SLURM_JOB_ID % 10000)) # Jobs that share a node do not meet.
workers=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$port\"/" | paste -sd,)
export workers

# Every worker finds its place in TF_CONFIG. The first status other than 0 makes srun kill all tasks at once; after a
# signal (75) they wait for each other, for worker 0 may still be writing the checkpoint.
task='
    TF_CONFIG="{\"cluster\": {\"worker\": [$workers]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    export TF_CONFIG
    trap : TERM  # Signals reach this shell too, which must live to report the status.
    lambda-zoo train --strategy multi_worker "$@"
    status=$?
    [ $status -eq 75 ] && sleep "${SAVING_SECONDS:-120}"
    exit "$status"
'

stopped='' requeue=''
stop() { # Signals other than SIGKILL go to the job's steps, not to this script.
    stopped=yes
    scancel --signal=TERM "$SLURM_JOB_ID"
}
trap stop TERM
trap 'requeue=yes; stop' USR1

for ((start = 0; start <= restarts; start++)); do
    srun --kill-on-bad-exit=1 bash -c "$task" worker "$@" &
    while kill -0 $! 2>/dev/null; do # A trapped signal ends `wait` before the step has ended.
        wait $!
    done
    wait $!
    status=$?
    if [[ $status -eq 0 || $status -eq 2 ]]; then
        exit "$status"
    fi
    if [[ ! $stopped && $start -lt $restarts ]]; then
        echo "slurm.sh: the workers ended with status $status; restart $((start + 1)) of $restarts" >&2
        sleep "${PAUSE_SECONDS:-10}"
    fi
    if [[ $stopped ]]; then
        [[ $requeue ]] && scontrol requeue "$SLURM_JOB_ID"
        exit 75
    fi
done
exit "$status"
