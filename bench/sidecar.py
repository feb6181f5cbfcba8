"""GRPO through the sidecar on this machine's GPUs: how long is a step, where does its time go, does a run survive?

Starts the sidecar (remote/README.md), asks it over HTTP as the page does, and keeps what it streams.

    python bench/sidecar.py --gpus 1 --out DIR      # one process on one GPU; --only sums or large is a part of it
    python bench/sidecar.py --gpus 2 --out DIR      # two processes: each with everything, and sharded by ZeRO-3

One GPU: tinythink-1m on sums by the default recipe, 160 steps; then six steps each of all weights and of LoRA on a random
model of Qwen2.5-0.5B's shape, in bfloat16. The LoRA run's process is killed in the middle, and the sidecar as well. Two
GPUs: the first 40 steps of that recipe, a few of them sharded, and the large model sharded and not. No two runs train at
the same time; those that wait are loaded and paused.

Needs what remote/pyproject.toml asks for, with peft, for --gpus 2 deepspeed, and httpx. --quick is small enough for a
machine without a GPU. DIR gets summary.txt and .json, a NAME.jsonl of events for each run (groups of the first step
only), gpu.csv, and checkpoints. Exits with 1 when a check fails.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
from sidecar_client import ROOT, WARMUP, Run, Sidecar, say

sys.path[:0] = [str(ROOT / "remote" / "src"), str(ROOT / "tests" / "python")]

TINY = ROOT / "public" / "models" / "tinythink-1m"
SUMS = {"model": "tinythink-1m", "seed": 3, "eval_problems": 1024, "eval_steps": 20}
# Nothing that a random model says is right, so its reward is to be brief.
LARGE = {
    "model": "random-0.5b",
    "num_prompts": 8,
    "num_generations": 8,
    "max_completion_length": 128,
    "max_steps": 6,
    "learning_rate": 1e-5,
    "warmup_steps": 0,
    "eval_steps": 0,
    "save_steps": 0,
    "seed": 3,
    "reward_weights": {"accuracy": 1, "format": 0.2, "length": 1},
}
QUICK = {"num_prompts": 2, "num_generations": 4, "max_completion_length": 32}
QUICK_SUMS = {**QUICK, "max_steps": 8, "eval_problems": 8, "eval_steps": 4}
SHAPE = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14}
SHAPE |= {"num_key_value_heads": 2, "vocab_size": 151936}
QUICK_SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
QUICK_SHAPE |= {"num_key_value_heads": 1, "vocab_size": 512}
# Of <eos>'s embedding: with it about every third completion of the random model ends before its 128 tokens.
EOS_SCALE = 7


def make_random_model(folder: Path, shape: dict) -> None:
    """A Qwen2 model with random weights, and tinythink's tokenizer with made-up tokens for the rest of the vocabulary."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        **shape,
        tie_word_embeddings=True,
        max_position_embeddings=32768,
        rope_theta=1e6,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight[2] *= EOS_SCALE
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer = json.loads((TINY / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"[{i}]": i for i in range(len(vocabulary), shape["vocab_size"])}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    shutil.copy(TINY / "tokenizer_config.json", folder)


class Bench:
    def __init__(self, out: Path, quick: bool, limit: float):
        self.out, self.quick = out, quick
        self.deadline = time.time() + limit
        self.runs: list[Run] = []
        self.checks: list[tuple[str, bool, str]] = []
        # What is too large to keep.
        self.work = out / "work"
        (self.work / "models").mkdir(parents=True)
        shutil.copytree(TINY, self.work / "models" / TINY.name)
        self.sidecar = Sidecar(self.work)
        self._gpu_log = None
        if shutil.which("nvidia-smi"):
            query = ["--query-gpu=timestamp,index,utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
            with open(out / "gpu.csv", "w") as log:
                self._gpu_log = subprocess.Popen(["nvidia-smi", *query, "-l", "1"], stdout=log)

    def start(self, name: str, config: dict, **remote) -> Run:
        """A run, loaded and then paused before its first step."""
        if self.quick:
            config = {**config, **(QUICK_SUMS if config["model"] == TINY.name else QUICK)}
        run = Run(self.sidecar, name, config, remote, self.deadline)
        self.runs.append(run)
        return run

    def check(self, name: str, good: bool, detail: str = "") -> None:
        self.checks.append((name, good, detail))
        print(f"{'ok    ' if good else 'FAILED'} {name} {detail}", flush=True)

    def large_model(self) -> None:
        make_random_model(self.work / "models" / LARGE["model"], QUICK_SHAPE if self.quick else SHAPE)

    def attempt(self, what: str, do, *arguments) -> bool:
        """A part of the whole that may fail without the rest: a machine with GPUs is not had every day."""
        try:
            do(*arguments)
        except (RuntimeError, httpx.HTTPError) as error:
            self.check(what, False, str(error))
            return False
        return True

    def ready(self, *runs: Run) -> list[Run]:
        """Those of them that are loaded, once all are: loading would disturb what is measured."""
        return [run for run in runs if self.attempt(f"{run.name}: loads", run.wait_paused)]

    def one(self, only: str | None) -> None:
        if only != "large":
            sums = self.start("sums", SUMS)
            if self.ready(sums):
                self.attempt("sums", self.train_sums, sums)
        if only != "sums":
            self.large_model()
            full = self.start("0.5b-full", LARGE, precision="bf16")
            lora = self.start("0.5b-lora", {**LARGE, "learning_rate": 1e-4, "save_steps": 2}, precision="bf16", lora={})
            if len(self.ready(full, lora)) == 2:
                self.attempt("0.5b", self.train_large, full, lora)

    def train_sums(self, run: Run) -> None:
        run.tell("resume")
        run.wait_end()
        self.check_sums(run)
        self.check("checkpoint downloads", run.download(self.out / "sums-checkpoint") > 1_000_000)

    def train_large(self, full: Run, lora: Run) -> None:
        lora.tell("resume")
        lora.wait_step(3)
        os.kill(lora.process(), signal.SIGKILL)
        say(f"{lora.name}: killed")
        # It is started again while the other one trains, and waits.
        lora.tell("pause")
        lora.phases[-1][1] = time.time()
        full.tell("resume")
        full.wait_step(2)
        full.tell("pause")
        full.wait_paused()
        full.tell("resume")
        full.wait_end()
        self.check_learns(full)
        lora.wait(lambda status: status["state"] == "paused" and lora.of_type("interrupted"), "paused again")
        self.sidecar.kill()
        self.sidecar.start()
        lora.tell("resume")
        lora.wait_end()
        self.check("killed, started again, went on", lora.of_type("interrupted")[0]["resumes_from"] == 2)
        self.check_learns(lora)
        self.check("adapter downloads", lora.download(self.work / "lora-checkpoint") > 1000)

    def two(self) -> None:
        shared = {"launcher": "accelerate", "num_processes": 2}
        sums = self.start("sums-2", SUMS, **shared, sharding="none")
        self.large_model()
        few = {**SUMS, "max_steps": 6, "eval_steps": 0}
        sharded = self.start("sums-2-zero3", few, **shared)
        large = self.start("0.5b-2-zero3", LARGE, **shared, precision="bf16")
        whole = self.start("0.5b-2", LARGE, **shared, precision="bf16", sharding="none")
        ready = self.ready(sums, sharded, large, whole)
        if sums in ready:
            self.attempt("sums-2", self.begin_sums, sums)
        for run in (sharded, large, whole):
            if run in ready:
                self.attempt(run.name, self.train_few, run)

    def begin_sums(self, run: Run) -> None:
        run.tell("resume")
        # The recipe's learning rate falls over 160 steps, so it is stopped and not shortened.
        run.wait_step(4 if self.quick else 40)
        run.tell("stop")
        run.wait_end()
        self.check_sums(run)

    def train_few(self, run: Run) -> None:
        run.tell("resume")
        run.wait_end()
        (self.check_sums if run.name.startswith("sums") else self.check_learns)(run)

    def check_sums(self, run: Run) -> None:
        """Problems, sizes, rewards and the first update are those of one process that has the whole batch."""
        from remote_replay import replay
        from tinythink_remote.rng import Rng
        from tinythink_remote.tasks import TASKS

        config = run.of_type("started")[0]["config"]
        shape = (config["num_prompts"], config["num_generations"])
        same, sizes, sums = True, True, True
        for step in run.of_type("step"):
            rng = Rng(config["seed"], 1, step["step"])
            expected = [TASKS["sum"].generate(rng, config["difficulty"]).prompt for _ in range(shape[0])]
            same &= [group["prompt"] for group in step["groups"]] == expected
            sizes &= all(len(group["completions"]) == shape[1] for group in step["groups"])
            rewards = [completion["reward"] for group in step["groups"] for completion in group["completions"]]
            sums &= abs(statistics.fmean(rewards) - step["metrics"]["reward"]) < 1e-5
        self.check(f"{run.name}: a local run's problems", same, f"{len(run.of_type('step'))} steps")
        self.check(f"{run.name}: {shape[0]} groups of {shape[1]} a step", sizes)
        self.check(f"{run.name}: reward is the mean over all processes", sums)
        metrics = run.of_type("step")[0]["metrics"]
        for name, value in zip(("loss", "grad_norm"), replay(run.events, TINY), strict=True):
            close = abs(metrics[name] - value) <= 1e-3 * max(abs(value), 0.01)
            self.check(f"{run.name}: {name} of step 1", close, f"{metrics[name]:.6f}, by one process {value:.6f}")

    def check_learns(self, run: Run) -> None:
        norms = [step["metrics"]["grad_norm"] for step in run.of_type("step")]
        self.check(f"{run.name}: gradients", len(norms) > 0 and max(norms) > 0, " ".join(f"{n:.3g}" for n in norms))

    def close(self) -> None:
        """Writes what there is, whatever happened."""
        if self._gpu_log:
            self._gpu_log.terminate()
            self._gpu_log.wait()
        from tinythink_remote.runs import kill_leftovers

        # First the sidecar, which would start them again.
        self.sidecar.kill()
        for run in self.runs:
            kill_leftovers(run.id)
            log = self.work / "kept" / "runs" / run.id / "log.txt"
            (self.out / f"{run.name}.log").write_text(log.read_text()[-8000:])
            with open(self.out / f"{run.name}.jsonl", "w") as slim:
                for event in run.events:
                    groups = {"groups": []} if event["type"] == "step" and event["step"] > 1 else {}
                    slim.write(json.dumps(event | groups, separators=(",", ":")) + "\n")
            if run.name == "sums":
                write_recording(run.events, self.out / "sums-recording.jsonl.gz")
        samples = read_samples(self.out / "gpu.csv")
        result = {
            "machine": machine(self.sidecar.info),
            "runs": [run.summary(samples) for run in self.runs],
            "checks": self.checks,
        }
        (self.out / "summary.json").write_text(json.dumps(result, indent=1) + "\n")
        (self.out / "summary.txt").write_text(table(result))
        print(table(result))


def write_recording(events: list[dict], path: Path) -> None:
    """With three of a step's groups, from the most to the least varied, and no more digits than a page shows."""
    with gzip.open(path, "wt") as out:
        for event in events:
            if event["type"] == "step":
                groups = sorted(event["groups"], key=lambda group: -group["std"])
                last = len(groups) - 1
                event = event | {"groups": [groups[i] for i in sorted({0, last // 3, last})]}
            out.write(json.dumps(rounded(event), separators=(",", ":")) + "\n")


def rounded(value):
    """Its numbers with six significant digits, and those in lists, which are log-probabilities, with three decimals."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        # Not -0.0.
        return [round(each, 3) + 0.0 if isinstance(each, float) else rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def read_samples(path: Path) -> list[tuple[float, int, float, float]]:
    """(time, GPU, % in use, MiB) for each second."""
    if not path.exists():
        return []
    samples = []
    for row in csv.reader(path.read_text().splitlines()):
        try:
            clock = datetime.strptime(row[0].strip(), "%Y/%m/%d %H:%M:%S.%f").timestamp()
            samples.append((clock, int(row[1]), float(row[2]), float(row[3])))
        except (ValueError, IndexError):
            continue
    return samples


def machine(info: dict) -> dict:
    versions = {}
    for name in ("torch", "transformers", "trl", "accelerate", "peft", "deepspeed", "datasets", "fastapi"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    gpus = "none"
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        gpus = subprocess.run(query, check=False, capture_output=True, text=True).stdout.strip().splitlines()
    return {"gpus": gpus, "seen_by_sidecar": info["gpus"], "python": platform.python_version(), **versions}


def table(result: dict) -> str:
    lines = [f"{name}: {value}" for name, value in result["machine"].items()]
    lines.append(f"\nSeconds, medians of the steps after the first {WARMUP}:\n")
    columns = ("run", "steps", "step", "min", "max", "rollout", "update", "events", "length", "tokens/s", "GPU use, %")
    lines.append("{:<14}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}{:>10}  {}".format(*columns))
    for run in result["runs"]:
        cells = [f"{run['run']:<14}{run['steps']:>6}"]
        if "step_s" in run:
            cells += [f"{run['step_s'][name]:>9.3f}" for name in ("median", "min", "max")]
            cells += [f"{run[name]:>9.3f}" for name in ("rollout_s", "update_s", "events_s")]
            cells += [f"{run['mean_length']:>8.1f}{run['sampled_tokens_per_s']:>10.0f}"]
            cells += ["  " + ", ".join(f"{gpu['utilization']:.0f}" for gpu in run["gpus"].values())]
        lines.append("".join(cells))
    lines.append("")
    for run in result["runs"]:
        evaluations = ", ".join(f"{step}: {accuracy:.3f}" for step, accuracy in run["eval_accuracy"].items())
        memory = ", ".join(f"{gpu['memory_mib']:.0f}" for gpu in run["gpus"].values())
        lines.append(f"{run['run']}: {run.get('device', 'did not start')}; {run.get('parameters', 0):,} parameters")
        lines.append(f"  {json.dumps(run['remote'])}; ended: {run['end']}")
        lines += [f"  eval_accuracy {evaluations}"] if evaluations else []
        lines += [f"  MiB in use on each GPU, by all runs that are loaded: {memory}"] if memory else []
        lines += [f"  interrupted at {at}, went on from {back}" for at, back in run["interrupted"]]
    lines.append("")
    lines += [f"{'ok    ' if good else 'FAILED'} {name} {detail}".rstrip() for name, good, detail in result["checks"]]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, choices=(1, 2), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder that is made")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which it gives up (900)")
    parser.add_argument("--only", choices=("sums", "large"), help="with one GPU, a part of it")
    parser.add_argument("--quick", action="store_true", help="tiny shapes, a few steps")
    options = parser.parse_args()
    bench = Bench(options.out.resolve(), options.quick, options.limit)
    try:
        bench.one(options.only) if options.gpus == 1 else bench.two()
    except RuntimeError as error:
        bench.check("the whole", False, str(error))
    finally:
        bench.close()
    return 0 if all(good for _, good, _ in bench.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
