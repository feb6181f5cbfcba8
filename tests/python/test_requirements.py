"""What the sidecar and its tests depend on is bounded and locked."""

import re
import sys

import pytest
from conftest import REPOSITORY

REQUIREMENTS = REPOSITORY / "tests" / "goldens" / "requirements.txt"
LOCK = REPOSITORY / "tests" / "goldens" / "requirements.lock"
# Installed by its version alone: scripts/lock-python.sh says why.
NOT_LOCKED = {"torch"}


def pinned(text: str) -> dict[str, str]:
    """The versions of a requirements file, by name. Every line with a name must pin one."""
    lines = [line.split("#")[0].strip().rstrip("\\").strip() for line in text.splitlines()]
    found = {}
    for line in lines:
        if line and not line.startswith("--hash="):
            name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([\w.+!-]+)", line).groups()
            found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def test_everything_that_is_required_is_locked_in_the_same_version():
    required, locked = pinned(REQUIREMENTS.read_text()), pinned(LOCK.read_text())
    missing = {name: version for name, version in required.items() if locked.get(name) != version}
    assert missing.keys() == NOT_LOCKED, "run scripts/lock-python.sh"
    assert not [name for name in locked if re.match(r"torch$|triton|nvidia-|cuda-", name)]


def test_every_locked_package_has_its_hashes():
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", LOCK.read_text())[1:]
    assert len(entries) > 40
    for entry in entries:
        hashes = re.findall(r"--hash=(\S+)", entry)
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry.splitlines()[0]


def test_every_dependency_of_the_sidecar_has_an_upper_bound_that_the_tests_keep():
    if sys.version_info < (3, 11):
        pytest.skip("needs tomllib, of Python 3.11")
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((REPOSITORY / "remote" / "pyproject.toml").read_text())["project"]
    extras = [each for group in project["optional-dependencies"].values() for each in group]
    versions = pinned(REQUIREMENTS.read_text()) | pinned(LOCK.read_text())
    for requirement in map(Requirement, project["dependencies"] + extras):
        operators = {each.operator for each in requirement.specifier}
        assert operators & {"<", "<=", "=="}, f"{requirement.name} has no upper bound"
        if requirement.name in versions:
            assert requirement.specifier.contains(versions[requirement.name]), requirement
