"""How long is a step of TRL's GRPOTrainer? The peer that `bench grpo` prints beside our own step.

Same model, problems, rewards and update as our default run (src/rl/config.ts), all in f32, with transformers' own
generation. Settings that only cost TRL time are off: gradient checkpointing, and the logging after a step, which is
not timed. A step is generation, rewards, forward, backward and AdamW.

    python bench/trl_step.py --model public/models/tinythink-1m --prompts 16 --group 16 --max-new 112

Needs torch, transformers, datasets and trl 1.13.0. The last line of stdout is one JSON object; all else is on stderr.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import time

# Read when the libraries are imported. One GPU: given several, Trainer would split the batch.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")
os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

MIN_TERMS, MAX_TERMS = 3, 8
PLUS_SHARE = 0.6
BLOCK = r"(?:(?!</?think>|</?answer>|<pad>|<bos>|<eos>).)*"
COMPLETION = re.compile(f"<think>{BLOCK}</think><answer>({BLOCK})</answer>", re.DOTALL)


def chain_sum(rng: random.Random) -> dict[str, str]:
    """A problem as src/tasks/sum.ts writes it, such as `12+7-30=`, and its answer."""
    total = rng.randint(0, 99)
    prompt = str(total)
    for _ in range(rng.randint(MIN_TERMS, MAX_TERMS) - 1):
        sign = 1 if rng.random() < PLUS_SHARE else -1
        term = rng.randint(0, 99)
        prompt += f"{'+' if sign > 0 else '-'}{term}"
        total += sign * term
    return {"prompt": f"{prompt}=", "answer": str(total)}


def reward_functions(eos_id: int) -> list:
    """`accuracy` and `format` of src/rl/rewards/index.ts, on the texts TRL decodes (without pad, bos and eos)."""

    def answer_in(text: str, ids: list[int]) -> str | None:
        """The answer of a formatted completion; a truncated one is never formatted."""
        match = COMPLETION.fullmatch(text) if ids[-1] == eos_id else None
        return match and match[1]

    def accuracy(completions, completion_ids, answer, **_):
        return [float(answer_in(*c) == a) for *c, a in zip(completions, completion_ids, answer, strict=True)]

    def format(completions, completion_ids, **_):
        return [float(answer_in(*c) is not None) for c in zip(completions, completion_ids, strict=True)]

    return [accuracy, format]


class StepClock(TrainerCallback):
    """Seconds and mean completion length of the steps after the warm-up; the GPU is drained at both ends of a step."""

    def __init__(self, warmup: int, synchronize):
        self.warmup = warmup
        self.synchronize = synchronize
        self.start = 0.0
        self.seconds: list[float] = []
        self.lengths: list[float] = []

    def on_step_begin(self, args, state, control, **_):
        self.synchronize()
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        self.synchronize()
        if state.global_step > self.warmup:
            self.seconds.append(time.perf_counter() - self.start)

    def on_log(self, args, state, control, logs=None, **_):
        # The summary at the end of training is logged too, without lengths.
        if logs and "completions/mean_length" in logs and state.global_step > self.warmup:
            self.lengths.append(float(logs["completions/mean_length"]))


def check_tokenizer(tokenizer, model, prompt: str) -> None:
    """TRL tokenizes a plain-string prompt as is, so only the tokenizer's post-processor can put <bos> before it."""
    ids = tokenizer(text=prompt)["input_ids"]
    expected = [tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(list(prompt))]
    if ids != expected:
        sys.exit(f"{prompt} must be <bos> and its characters, {expected}; the tokenizer gives {ids}")
    if tokenizer.eos_token_id is None or tokenizer.eos_token_id != model.config.eos_token_id:
        sys.exit(f"<eos> is {tokenizer.eos_token_id} to the tokenizer, {model.config.eos_token_id} to the model")


def measure(options: argparse.Namespace) -> dict:
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = AutoTokenizer.from_pretrained(options.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    rng = random.Random(0)
    steps = options.warmup + options.steps
    problems = [chain_sum(rng) for _ in range(steps * options.prompts)]
    check_tokenizer(tokenizer, model, problems[0]["prompt"])
    clock = StepClock(options.warmup, torch.cuda.synchronize if device == "cuda" else lambda: None)
    with tempfile.TemporaryDirectory() as scratch:
        config = GRPOConfig(
            output_dir=scratch,
            use_cpu=device == "cpu",
            bf16=False,
            fp16=False,
            gradient_checkpointing=False,
            max_steps=steps,
            per_device_train_batch_size=options.prompts * options.group,
            num_generations=options.group,
            max_completion_length=options.max_new,
            temperature=1.0,
            learning_rate=3e-4,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=10,
            adam_beta2=0.95,
            loss_type="dapo",
            beta=0.0,
            reward_weights=[1.0, 0.2],
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward_functions(tokenizer.eos_token_id),
            args=config,
            train_dataset=Dataset.from_list(problems),
            processing_class=tokenizer,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return {
        "version": trl.__version__,
        "median_s": statistics.median(clock.seconds),
        "min_s": min(clock.seconds),
        "max_s": max(clock.seconds),
        "steps": len(clock.seconds),
        "mean_length": statistics.fmean(clock.lengths),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu ({platform.machine()})",
    }


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive integer")
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description="Step time of TRL's GRPOTrainer.")
    parser.add_argument("--model", required=True, help="model folder: config.json, model.safetensors, tokenizer.json")
    parser.add_argument("--prompts", type=positive, required=True, help="prompts per step")
    parser.add_argument("--group", type=positive, required=True, help="completions per prompt")
    parser.add_argument("--max-new", type=positive, required=True, help="tokens per completion at most")
    parser.add_argument("--steps", type=positive, default=12, help="measured steps")
    parser.add_argument("--warmup", type=positive, default=4, help="steps before those")
    parser.add_argument("--device", choices=["cuda", "cpu"], help="default: cuda where there is one")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        result = measure(options)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
