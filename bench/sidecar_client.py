"""The sidecar and its runs as bench/sidecar.py sees them: started as its README says, asked over HTTP, watched as streams."""

import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
# The first steps are left out of medians.
WARMUP = 2
ENDED = ("finished", "stopped", "failed")
START = time.monotonic()


def say(what: str) -> None:
    print(f"{time.monotonic() - START:6.1f} s  {what}", flush=True)


class Sidecar:
    """The sidecar as its command line starts it."""

    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tinythink_remote", "serve", "--models", self.folder / "models"]
        command += ["--runs", self.folder / "kept", "--port", self.url.rpartition(":")[2], "--max-running", 8]
        paths = [str(ROOT / "remote" / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with open(self.folder / "sidecar.log", "a") as log:
            self.process = subprocess.Popen([*map(str, command)], env=environment, stdout=log, stderr=log)
        while True:
            try:
                self.info = self.client.get("/info").raise_for_status().json()
                return
            except httpx.TransportError:
                if self.process.poll() is not None:
                    raise RuntimeError((self.folder / "sidecar.log").read_text()) from None
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Run:
    """A run that is being watched: its stream is read in a thread, and again from its last event after a break."""

    def __init__(self, sidecar: Sidecar, name: str, config: dict, remote: dict, deadline: float):
        self.sidecar, self.name, self.deadline = sidecar, name, deadline
        answer = sidecar.client.post("/runs", json={"config": config, "remote": remote, "paused": True})
        if answer.status_code != 201:
            raise RuntimeError(f"{name}: {answer.text}")
        self.id = answer.json()["id"]
        self.remote = remote
        self.events: list[dict] = []
        # Clock times between which it trained alone.
        self.phases: list[list[float]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            headers = {"Last-Event-ID": str(len(self.events))} if self.events else {}
            try:
                with httpx.stream(
                    "GET", f"{self.sidecar.url}/runs/{self.id}/events", headers=headers, timeout=60
                ) as stream:
                    kind = ""
                    for line in stream.iter_lines():
                        if line.startswith("event: "):
                            kind = line.removeprefix("event: ")
                        elif line.startswith("data: ") and kind == "run":
                            self.events.append(json.loads(line.removeprefix("data: ")))
                        elif line.startswith("data: ") and kind == "end":
                            return
            except httpx.TransportError:
                time.sleep(0.2)

    def tell(self, what: str) -> None:
        say(f"{self.name}: {what}")
        self.sidecar.client.post(f"/runs/{self.id}/{what}").raise_for_status()
        if what == "resume":
            self.phases.append([time.time(), float("inf")])

    def status(self) -> dict:
        return self.sidecar.client.get(f"/runs/{self.id}").json()

    def wait(self, done, what: str) -> None:
        """Until `done(status)`; a run that has ended otherwise, or takes too long, is an error."""
        while not done(status := self.status()):
            if status["state"] in ENDED or time.time() > self.deadline:
                log = self.sidecar.client.get(f"/runs/{self.id}/logs", params={"bytes": 4000}).text
                raise RuntimeError(f"{self.name} is {status['state']} at {status['step']}, not {what}\n{log}")
            time.sleep(0.1)

    def wait_paused(self) -> None:
        self.wait(lambda status: status["state"] == "paused", "paused")
        if self.phases:
            self.phases[-1][1] = time.time()

    def wait_step(self, step: int) -> None:
        self.wait(lambda status: status["step"] >= step, f"at step {step}")

    def wait_end(self) -> None:
        self.wait(lambda status: status["state"] in ("finished", "stopped"), "finished")
        self.phases[-1][1] = time.time()
        self._thread.join(10)

    def process(self) -> int:
        return json.loads((self.sidecar.folder / "kept" / "runs" / self.id / "status.json").read_text())["pid"]

    def download(self, folder: Path) -> int:
        """The last checkpoint; returns its bytes, checked against the list."""
        checkpoint = self.sidecar.client.get(f"/runs/{self.id}/checkpoints").json()[-1]
        folder.mkdir(parents=True)
        for file in checkpoint["files"]:
            path = f"/runs/{self.id}/checkpoints/{checkpoint['step']}/{file['name']}"
            with self.sidecar.client.stream("GET", path) as stream, open(folder / file["name"], "wb") as out:
                out.writelines(stream.iter_bytes())
            if (folder / file["name"]).stat().st_size != file["bytes"]:
                raise RuntimeError(f"{self.name}: {file['name']} came in another length")
        return sum(file["bytes"] for file in checkpoint["files"])

    def of_type(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["type"] == kind]

    def summary(self, samples: list[tuple[float, int, float, float]]) -> dict:
        steps = self.of_type("step")
        timed = [step for step in steps if step["step"] > WARMUP]
        result = {"run": self.name, "remote": self.remote, "steps": len(steps)}
        if started := self.of_type("started"):
            result["device"] = started[0]["device"]["description"]
            result["parameters"] = started[0]["model"]["parameters"]
        if timed:
            seconds = [step["metrics"]["step_time"] for step in timed]
            result["step_s"] = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
            for part in ("rollout", "update", "events"):
                result[f"{part}_s"] = statistics.median(step["timings"][part] for step in timed) / 1000
            result["mean_length"] = statistics.fmean(step["metrics"]["completions/mean_length"] for step in timed)
            completions = sum(len(group["completions"]) for group in timed[0]["groups"])
            tokens = sum(step["metrics"]["completions/mean_length"] * completions for step in timed)
            result |= {"completions": completions, "sampled_tokens_per_s": tokens / sum(seconds)}
        result["eval_accuracy"] = {e["step"]: e["metrics"]["eval_accuracy"] for e in self.of_type("eval")}
        result["interrupted"] = [[e["step"], e["resumes_from"]] for e in self.of_type("interrupted")]
        result["end"] = self.events[-1]["type"] if self.events else "nothing"
        mine = [each for each in samples if any(start <= each[0] <= end for start, end in self.phases)]
        result["gpus"] = {
            index: {
                "utilization": statistics.fmean(each[2] for each in mine if each[1] == index),
                "memory_mib": max(each[3] for each in mine if each[1] == index),
            }
            for index in sorted({each[1] for each in mine})
        }
        return result
