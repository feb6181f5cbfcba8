"""GRPO on a GPU server, watched from tinythink's page: a FastAPI sidecar over TRL's GRPOTrainer."""

__version__ = "0.1.0"
