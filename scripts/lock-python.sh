#!/usr/bin/env bash
# Writes tests/goldens/requirements.lock: what tests/goldens/requirements.txt needs and what that needs in turn, each in one
# version and with the hashes of its files. Run it after changing requirements.txt; what is locked already stays as it is.
#
# torch is left out, with the CUDA libraries that only its wheels from PyPI need: $TORCH_INDEX_URL may name an index of CPU
# wheels, whose hashes and needs are others. Its version is pinned in requirements.txt, and everything else that it needs is
# locked here. The lock is for Python 3.11 or later on Linux.
set -euo pipefail
cd "$(dirname "$0")/../tests/goldens"
tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools" && "$tools/bin/pip" install -q pip-tools==7.6.2
left_out=()
for name in setuptools torch triton cuda-{bindings,pathfinder,toolkit} \
  nvidia-{cublas,cuda-cccl,cuda-cupti,cuda-nvrtc,cuda-runtime,cudnn-cu13,cufft,cufile,cusolver,cusparse} \
  nvidia-{cusparselt-cu13,nccl-cu13,nvjitlink,nvshmem-cu13,nvtx}; do
  left_out+=(--unsafe-package "$name")
done
CUSTOM_COMPILE_COMMAND=scripts/lock-python.sh "$tools/bin/pip-compile" -q --generate-hashes --strip-extras \
  --no-emit-index-url --no-emit-find-links --no-emit-options "${left_out[@]}" --output-file requirements.lock requirements.txt
# pip-compile warns that what was left out must be installed before the rest. With --no-deps, as in .ci/run, it needn't.
sed -i '/^# WARNING/,$d' requirements.lock
