"""The sidecar runs real TRL on the CPU: tinythink-1m on sums, watched, paused, killed and resumed.

One run for the whole file: starting TRL costs more than training for three steps.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from conftest import REPOSITORY
from remote_replay import replay

sys.path.insert(0, str(REPOSITORY / "remote" / "src"))

from tinythink_remote.problems import reads_language  # noqa: E402
from tinythink_remote.rng import Rng  # noqa: E402
from tinythink_remote.runs import kill_leftovers  # noqa: E402
from tinythink_remote.tasks import TASKS  # noqa: E402

STEPS = 3
CONFIG = {
    "model": "tinythink-1m",
    "task": "sum",
    "num_prompts": 2,
    "num_generations": 4,
    "max_completion_length": 48,
    "max_steps": STEPS,
    "warmup_steps": 0,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "linear",
    "eval_steps": 2,
    "eval_problems": 4,
    "save_steps": 1,
    "seed": 7,
}
TIMEOUT_S = 300


class Sidecar:
    """The sidecar as its command line starts it."""

    def __init__(self, folder: Path, models: Path, *options: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "tinythink_remote", "serve", "--models", models, "--runs", folder]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "remote" / "src"), "CUDA_VISIBLE_DEVICES": ""}
        self.log = open(folder.parent / "sidecar.log", "a")
        self.process = subprocess.Popen(
            [*map(str, command), "--port", str(port), *options], env=environment, stdout=self.log, stderr=self.log
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                self.client.get("/info")
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the sidecar ended"
                time.sleep(0.1)
        pytest.fail("the sidecar did not answer")

    def get(self, path: str):
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **options):
        answer = self.client.post(path, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def wait_for(self, run: str, state: str, step: int, seq: int = 0) -> dict:
        """Until a run stands there; fails at once when it has ended otherwise."""
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            status = self.get(f"/runs/{run}")
            if status["state"] == state and status["step"] == step and status["seq"] >= seq:
                return status
            if status["state"] in ("failed", "finished", "stopped") and status["state"] != state:
                break
            time.sleep(0.2)
        log = self.client.get(f"/runs/{run}/logs").text
        pytest.fail(f"waited for {state} at step {step}, and the run is {status['state']} at {status['step']}\n{log}")

    def events(self, run: str, after: int = 0) -> Iterator[tuple[str, int, dict]]:
        """(kind, id, data) of a stream until it ends."""
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self.client.stream("GET", f"/runs/{run}/events", headers=headers, timeout=TIMEOUT_S) as stream:
            fields: dict[str, str] = {}
            for line in stream.iter_lines():
                if line == "" and "event" in fields:
                    yield fields["event"], int(fields.get("id", 0)), json.loads(fields["data"])
                    fields = {}
                elif ": " in line and not line.startswith(":"):
                    name, value = line.split(": ", 1)
                    fields[name] = value

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        self.client.close()


class Finished:
    """What the run left behind, and what was seen of it on the way."""

    def __init__(
        self,
        sidecar: Sidecar,
        run: str,
        events: list[dict],
        first: list[dict],
        downloaded: Path,
        checkpoints: list,
        processes: set,
        page: dict,
    ):
        self.sidecar, self.run = sidecar, run
        # As streamed; `first` until the run paused before its first step.
        self.events, self.first = events, first
        # The last checkpoint, and the list of all.
        self.downloaded, self.checkpoints = downloaded, checkpoints
        self.processes = processes
        # What tests/support/watch-run.ts saw of it.
        self.page = page


def node(program: str, *arguments) -> dict:
    """A program of tests/support; its last line as JSON."""
    command = ["node", "scripts/run-ts.mjs", f"tests/support/{program}", *map(str, arguments)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def finished(start_model, tmp_path_factory):
    """Starts a run, takes it a step on, kills everything, starts the sidecar again, and lets the run finish."""
    folder = tmp_path_factory.mktemp("remote")
    sidecar = Sidecar(folder / "kept", start_model.parent)
    processes = set()
    try:
        run = sidecar.post("/runs", json={"config": CONFIG, "paused": True})["id"]
        sidecar.wait_for(run, "paused", 0)
        first = []
        for kind, _, event in sidecar.events(run):
            if kind == "state":
                break
            first.append(event)
        seq = sidecar.post(f"/runs/{run}/step")["seq"]
        sidecar.wait_for(run, "paused", 1, seq)
        # A change of settings is seen to while the run is paused.
        change = {"learning_rate": 5e-4, "reward_weights": {"accuracy": 1, "format": 0.5, "length": 0}}
        seq = sidecar.client.patch(f"/runs/{run}", json=change).json()["seq"]
        sidecar.wait_for(run, "paused", 1, seq)
        status = folder / "kept" / "runs" / run / "status.json"
        worker = psutil.Process(json.loads(status.read_text())["pid"])
        processes.add(worker.pid)

        sidecar.kill()
        assert worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE, "the run outlives the sidecar"
        sidecar = Sidecar(folder / "kept", start_model.parent)
        assert sidecar.get(f"/runs/{run}")["state"] == "paused"
        time.sleep(1.5)
        assert worker.is_running(), "found again, not started twice"

        worker.kill()
        end = time.monotonic() + TIMEOUT_S
        while json.loads(status.read_text())["pid"] in (0, worker.pid) and time.monotonic() < end:
            time.sleep(0.1)
        sidecar.wait_for(run, "paused", 1)
        processes.add(json.loads(status.read_text())["pid"])
        sidecar.post(f"/runs/{run}/resume")
        # A stream that goes on where the first left off.
        rest = list(sidecar.events(run, after=len(first)))
        sidecar.wait_for(run, "finished", STEPS)
        assert rest[-1][0] == "end"
        later = [(number, event) for kind, number, event in rest if kind == "run"]
        assert [number for number, _ in later] == list(range(len(first) + 1, len(first) + 1 + len(later)))
        events = first + [event for _, event in later]

        files = sidecar.get(f"/runs/{run}/checkpoints")
        last = folder / "downloaded"
        last.mkdir()
        page = node("watch-run.ts", str(sidecar.client.base_url), run, last)
        yield Finished(sidecar, run, events, first, last, files, processes, page)
    finally:
        sidecar.kill()
        for kept in (folder / "kept" / "runs").iterdir():
            kill_leftovers(kept.name)


def of_type(events: list[dict], kind: str) -> list[dict]:
    return [event for event in events if event["type"] == kind]


def test_order_of_events(finished):
    assert [event["type"] for event in finished.first] == ["started", "eval"]
    kinds = [(event["type"], event.get("step")) for event in finished.events]
    assert kinds == [
        ("started", None),
        ("eval", 0),
        ("step", 1),
        ("checkpoint", 1),
        ("changed", 1),
        ("interrupted", 1),
        ("changed", 1),
        ("step", 2),
        ("eval", 2),
        ("checkpoint", 2),
        ("step", 3),
        ("eval", 3),
        ("checkpoint", 3),
        ("finished", 3),
    ]
    assert len(finished.processes) == 2


def test_it_says_what_the_model_reads(finished):
    assert finished.events[0]["model"]["reads_language"] is False


def test_a_tokenizer_of_all_of_english_reads_language():
    from tokenizers import Tokenizer, models, pre_tokenizers, decoders
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = Tokenizer(models.BPE({letter: id for id, letter in enumerate(alphabet)}, []))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    assert reads_language(PreTrainedTokenizerFast(tokenizer_object=bytes_alone))


def test_the_page_reads_the_events(finished, tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in finished.events))
    read = node("check-events.ts", file)
    assert read["types"] == [event["type"] for event in finished.events]
    expected = {
        *("loss", "grad_norm", "learning_rate", "num_tokens", "step_time", "entropy", "reward", "reward_std"),
        *("frac_reward_zero_std", "completions/mean_length", "completions/clipped_ratio", "rewards/accuracy/mean"),
        *("rewards/format/std", "rewards/length/mean", "clip_ratio/high_max", "completions/max_terminated_length"),
    }
    assert expected <= set(read["metrics"])


def test_the_pages_client_watches_and_downloads(finished):
    page = finished.page
    assert page["types"] == [event["type"] for event in finished.events] and page["ended"]
    assert "tinythink-1m" in page["models"]
    listed = finished.checkpoints[-1]["files"]
    assert page["files"] == [file["name"] for file in listed]
    for file in listed:
        assert (finished.downloaded / file["name"]).stat().st_size == file["bytes"]
    assert page["tensors"] == 38 and page["log"] > 0


def test_problems_are_those_of_a_local_run(finished):
    for event in of_type(finished.events, "step"):
        rng = Rng(CONFIG["seed"], 1, event["step"])
        expected = [TASKS["sum"].generate(rng, 8) for _ in range(CONFIG["num_prompts"])]
        groups = [(group["prompt"], group["answer"]) for group in event["groups"]]
        assert groups == [(problem.prompt, problem.answer) for problem in expected]
    held_out = [TASKS["sum"].generate(Rng(2, i), 8).prompt for i in range(4)]
    assert [sample["prompt"] for sample in of_type(finished.events, "eval")[0]["samples"]] == held_out


def test_completions_carry_their_arithmetic(finished):
    changed = 0
    for event in of_type(finished.events, "step"):
        weights = {"accuracy": 1, "format": 0.2 if event["step"] == 1 else 0.5, "length": 0}
        for group in event["groups"]:
            rewards = [completion["reward"] for completion in group["completions"]]
            assert len(rewards) == CONFIG["num_generations"]
            for completion in group["completions"]:
                assert "".join(completion["tokens"]).removesuffix("<eos>") == completion["text"]
                assert completion["truncated"] is (completion["token_ids"][-1] != 2)
                reward = sum(weights[name] * value for name, value in completion["rewards"].items())
                assert completion["reward"] == pytest.approx(reward)
                advantage = (reward - group["mean"]) / (group["std"] + 1e-4)
                assert completion["advantage"] == pytest.approx(advantage, abs=1e-3)
                assert len(completion["logprobs"]) == len(completion["logprobs_after"]) == len(completion["token_ids"])
                assert max(completion["logprobs"]) <= 0
                changed += completion["logprobs"] != completion["logprobs_after"]
    assert changed > 0, "no step changed the model"


def test_metrics_agree_with_the_completions(finished):
    for event in of_type(finished.events, "step"):
        completions = [completion for group in event["groups"] for completion in group["completions"]]
        lengths = [len(completion["token_ids"]) for completion in completions]
        metrics = event["metrics"]
        assert metrics["completions/mean_length"] == pytest.approx(sum(lengths) / len(lengths))
        mean = sum(completion["reward"] for completion in completions) / len(completions)
        assert metrics["reward"] == pytest.approx(mean, abs=1e-6)
        assert event["timings"]["total"] >= event["timings"]["rollout"] > 0


def test_learning_rate_is_the_schedules_and_then_the_changed_one(finished):
    rates = [event["metrics"]["learning_rate"] for event in of_type(finished.events, "step")]
    assert rates == pytest.approx([1e-3, 5e-4 * 2 / 3, 5e-4 / 3])


def test_log_probabilities_are_the_start_models(finished, start_model):
    """Of the first step, before any update: what the model itself gives for the whole sequence at once."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(start_model)
    model = AutoModelForCausalLM.from_pretrained(start_model, dtype=torch.float32).eval()
    group = of_type(finished.events, "step")[0]["groups"][0]
    prompt = [tokenizer.bos_token_id, *tokenizer(group["prompt"], add_special_tokens=False)["input_ids"]]
    for completion in group["completions"]:
        ids = torch.tensor([prompt + completion["token_ids"]])
        with torch.no_grad():
            logprobs = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logprobs.gather(1, ids[0, len(prompt) :, None])[:, 0]
        assert (expected - torch.tensor(completion["logprobs"])).abs().max() < 1e-3


def test_the_checkpoint_opens_in_transformers(finished, start_model):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert [checkpoint["step"] for checkpoint in finished.checkpoints] == [1, 2, 3]
    model = AutoModelForCausalLM.from_pretrained(finished.downloaded, dtype=torch.float32)
    before = AutoModelForCausalLM.from_pretrained(start_model, dtype=torch.float32)
    moved = [not torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert all(moved)
    tokenizer = AutoTokenizer.from_pretrained(finished.downloaded)
    assert tokenizer("12+3=")["input_ids"] == AutoTokenizer.from_pretrained(start_model)("12+3=")["input_ids"]
    for file in finished.downloaded.glob("*.json"):
        assert str(start_model) not in file.read_text(), f"{file.name} tells a path of the server"


def test_the_checkpoint_runs_in_the_pages_engine(finished, cli_logits):
    from test_checkpoint import assert_same_logits, transformers_logits

    ids = [1, 8, 9, 17, 10, 18]
    assert_same_logits(cli_logits(finished.downloaded, ids), transformers_logits(finished.downloaded, ids))


SMALL = {**CONFIG, "max_steps": 2, "eval_steps": 0, "beta": 0.04, "max_completion_length": 24}


@pytest.fixture(scope="module")
def others(finished):
    """Two more runs, side by side: one of two processes, and one that trains an adapter on uploaded problems."""
    sidecar = finished.sidecar
    rows = "".join(json.dumps({"question": f"{i}+{i}=", "answer": str(2 * i)}) + "\n" for i in range(12))
    dataset = sidecar.post("/datasets", content=rows, headers={"Content-Type": "application/x-ndjson"})
    two = {
        "config": {**SMALL, "eval_steps": 2, "eval_problems": 3},
        "remote": {"launcher": "accelerate", "num_processes": 2, "per_device_train_batch_size": 2},
    }
    lora = {
        "config": {
            **SMALL,
            "model": f"run:{finished.run}@3",
            "task": dataset["task"],
            "difficulty": 0,
            "num_iterations": 2,
            "mask_truncated_completions": True,
        },
        "remote": {"lora": {"r": 4}, "gradient_checkpointing": True, "per_device_train_batch_size": 4},
    }
    runs = [sidecar.post("/runs", json=body)["id"] for body in (two, lora)]
    third = sidecar.client.post("/runs", json=two)
    assert third.status_code == 409, "the server takes two at a time"
    for run in runs:
        sidecar.wait_for(run, "finished", 2)
    return [(run, [event for kind, _, event in sidecar.events(run) if kind == "run"]) for run in runs]


def test_two_processes_make_one_run(others):
    (_, events), _ = others
    assert "2 × CPU" in events[0]["device"]["description"]
    kinds = [(event["type"], event.get("step")) for event in events[1:]]
    assert kinds[:3] == [("eval", 0), ("step", 1), ("checkpoint", 1)] and kinds[-1] == ("finished", 2)
    assert len(of_type(events, "eval")[0]["samples"]) == 3, "three held-out problems, shared by two processes"
    for event in of_type(events, "step"):
        rng = Rng(CONFIG["seed"], 1, event["step"])
        assert [group["prompt"] for group in event["groups"]] == [
            TASKS["sum"].generate(rng, 8).prompt for _ in range(2)
        ]
        completions = [completion for group in event["groups"] for completion in group["completions"]]
        assert len(completions) == 8 and all(None not in completion["logprobs"] for completion in completions)
        lengths = [len(completion["token_ids"]) for completion in completions]
        assert event["metrics"]["completions/mean_length"] == pytest.approx(sum(lengths) / 8)
        assert "kl" in event["metrics"]


def test_first_update_is_that_of_the_whole_batch(finished, others, start_model):
    """By one process with the whole batch at once, and by two that take half each, in two forwards."""
    (_, two), _ = others
    for events in (finished.events, two):
        metrics = of_type(events, "step")[0]["metrics"]
        loss, norm = replay(events, start_model)
        assert norm > 0, "nothing to compare"
        assert metrics["loss"] == pytest.approx(loss, abs=1e-5)
        assert metrics["grad_norm"] == pytest.approx(norm, rel=1e-4)


def test_an_adapter_on_a_data_set(others, finished, tmp_path):
    _, (run, events) = others
    groups = [group for event in of_type(events, "step") for group in event["groups"]]
    # Of both updates of a step, the first one's.
    assert all(None not in completion["logprobs"] for group in groups for completion in group["completions"])
    prompts = {group["prompt"] for group in groups}
    assert len(prompts) == 4 and all(prompt.endswith("=") for prompt in prompts)
    checkpoint = finished.sidecar.get(f"/runs/{run}/checkpoints")[-1]
    names = {file["name"] for file in checkpoint["files"]}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    config = finished.sidecar.get(f"/runs/{run}/checkpoints/2/adapter_config.json")
    assert config["base_model_name_or_path"] == f"run:{finished.run}@3" and config["r"] == 4


def test_other_runs_read_on_the_page_too(others, tmp_path):
    for run, events in others:
        file = tmp_path / f"{run}.jsonl"
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
        assert node("check-events.ts", file)["types"] == [event["type"] for event in events]
